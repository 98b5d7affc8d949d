use tower_media::OwnedMedia;

fn by_default() -> OwnedMedia {
    OwnedMedia::default()
}

fn by_deserialisation(body: &str) -> OwnedMedia {
    serde_json::from_str(body).unwrap()
}

fn main() {}
