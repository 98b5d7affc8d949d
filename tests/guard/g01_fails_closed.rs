//! G1: any trouble with the check, and the inner service is never called.

use super::support::World;

#[tokio::test]
async fn g01_placeholder() {
    let _ = World::new();
}
