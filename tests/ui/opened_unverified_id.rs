use tower_media::{MediaId, MediaState, UnverifiedId};

async fn passed_on(media: MediaState, id: UnverifiedId) {
    media.get(&id).await.unwrap();
}

fn read(id: &UnverifiedId) -> &str {
    id.as_str()
}

fn shown(id: &UnverifiedId) -> String {
    format!("/media/{id}")
}

fn trusted(id: UnverifiedId) -> MediaId {
    MediaId::from_trusted(id).unwrap()
}

fn serialised(id: &UnverifiedId) -> String {
    serde_json::to_string(id).unwrap()
}

fn main() {}
