use tower_media::extract::{Proof, seal, verified::BareProof};

fn main() {}
