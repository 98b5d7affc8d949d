use tower_media::{MediaIds, UnverifiedId};

struct Crop {
    of: UnverifiedId,
}

#[derive(MediaIds)]
struct Post {
    text: String,
    crop: Crop,
}

fn main() {}
