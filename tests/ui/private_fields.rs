use tower_media::{MediaId, OwnedMedia, UnverifiedId, VerifiedMedia};

fn anything<T>() -> T {
    loop {}
}

fn forged_proof() -> VerifiedMedia {
    VerifiedMedia((), OwnedMedia { 0: anything() })
}

fn forged_media_id(text: &str) -> MediaId {
    MediaId { 0: text.into() }
}

fn opened_unverified_id(id: UnverifiedId) -> String {
    let UnverifiedId { 0: text } = id;
    text.to_string()
}

fn main() {}
