//! `server verify` and `server gc`: maintenance of a store that no server uses.

use tower_media::Store;

use crate::{Result, place::Place};

/// Reads and hashes all originals.
pub(crate) async fn run(place: &Place) -> Result<()> {
    let store = place.open_existing().await?;
    let verified = report(&store).await;
    store.close().await?;
    verified
}

/// Deletes blobs whose grace period is over.
pub(crate) async fn collect_garbage(place: &Place) -> Result<()> {
    let store = place.open_existing().await?;
    let report = store.collect_garbage().await?;
    println!("deleted {} blobs", report.blobs);
    Ok(store.close().await?)
}

pub(crate) async fn report(store: &Store) -> Result<()> {
    let found = store.verify().await?;
    println!("verified {} blobs; {} unreferenced files", found.checked, found.strays);
    for hash in &found.damaged {
        println!("damaged: {hash}");
    }
    for hash in &found.missing {
        println!("missing: {hash}");
    }
    match found.is_sound() {
        true => Ok(()),
        false => Err("the store is damaged; upload the files again to mend it".into()),
    }
}
