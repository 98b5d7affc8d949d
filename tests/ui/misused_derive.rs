use tower_media::{MediaIds, UnverifiedId};

#[derive(MediaIds)]
union Either {
    number: u8,
    flag: bool,
}

#[derive(MediaIds)]
struct Misspelt {
    #[media(skipped)]
    id: UnverifiedId,
}

#[derive(MediaIds)]
#[media(skip)]
struct OnTheType(UnverifiedId);

#[derive(MediaIds)]
enum OnAVariant {
    #[media(skip)]
    One(UnverifiedId),
}

#[derive(MediaIds)]
#[media(crate = guarded)]
struct NotAText(UnverifiedId);

fn main() {}
