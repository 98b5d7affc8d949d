//! Recordings during an outage of the object store, the database or the variant worker.

use std::sync::Arc;

use super::{
    scenes::{record, records},
    stage::Stage,
};
use crate::{
    faulty_store::{Fault, FaultyStore},
    support::Home,
};

/// The timeout of an object store that hangs.
const TIMEOUT: std::time::Duration = std::time::Duration::from_millis(200);

pub async fn outage() -> Stage {
    let store = FaultyStore::default();
    let builder = || Home::builder().object_store(Arc::new(store.clone()));
    let mut home = Home::with(builder()).await;
    let mut stage = Stage::over(&home);
    stage.stored(&record("outage", 3), "test", "out").await;

    store.set(Fault::Errs);
    stage.lines("outage", 1..=8).await;
    store.set(Fault::None);
    stage.lines("outage", 9..=16).await;

    home.store.close().await.unwrap();
    stage.lines("outage", 17..=24).await;
    stage.stop();
    home = home.reopened(builder()).await;
    stage.start(&home);
    stage.lines("outage", 25..=32).await;

    // There is not a queue that could be down.
    stage.lines("outage", [33]).await;
    let uploaded = stage.known_by_hash(&record("outage", 41)).await;
    assert!(uploaded, "the upload without a recorded response is stored");
    stage.lines("outage", 34..=53).await;

    stage.stop();
    home = home.reopened(builder().idle_timeout(TIMEOUT)).await;
    stage.start(&home);
    store.set(Fault::Hangs);
    stage.lines("outage", 54..=57).await;
    store.set(Fault::None);
    stage.lines("outage", [58]).await;

    stage.stop();
    home = home.reopened(builder()).await;
    stage.start(&home);
    stage.lines("outage", 59..=62).await;
    stage.stop();
    home = home.reopened(builder()).await;
    stage.start(&home);
    stage.lines("outage", 63..=65).await;
    stage
}

/// A small image waits behind large ones, and a broken one is uploaded again.
pub async fn transitions() -> Stage {
    let store = FaultyStore::default();
    let home = Home::with(Home::builder().object_store(Arc::new(store.clone()))).await;
    let mut stage = Stage::over(&home);
    store.set(Fault::HoldsRenditions);
    stage.hurries = true;
    let slow = records("transitions", 7);
    for big in &slow[..4] {
        stage.stored(big, "test", "slow").await;
    }
    stage.lines("transitions", [1, 2, 3, 7, 8, 9]).await;
    // A requested rendition does not wait behind others, but one that cannot be stored does.
    store.set(Fault::None);
    stage.lines("transitions", 4..=6).await;
    for media in &slow {
        let id = stage.known.translate(media["id"].as_str().unwrap());
        stage.is_processed(&id).await;
    }
    stage.hurries = false;
    stage.lines("transitions", 10..=12).await;

    for stored in records("transitions", 17) {
        stage.stored(&stored, "test", "timing").await;
    }
    stage.lines("transitions", 13..=18).await;
    stage
}
