use tower_media::{MediaId, UnverifiedId};

fn from_text(text: &str) -> MediaId {
    text.parse().unwrap()
}

fn from_an_unverified_id(id: UnverifiedId) -> MediaId {
    id.into()
}

fn by_deserialisation(body: &str) -> MediaId {
    serde_json::from_str(body).unwrap()
}

fn main() {}
