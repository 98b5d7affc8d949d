use tower_media::extract::{Proof, seal, verified::Proof as OfItsModule};

fn main() {}
