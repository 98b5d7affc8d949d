use tower_media::extract::{seal, verified::Proof as OfItsModule, Proof};

fn main() {}
