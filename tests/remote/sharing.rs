//! Single-flight, the cache and its invalidation, over a service on a socket.

use std::{sync::Arc, time::Duration};

use futures_util::future;
use tokio::task::JoinHandle;
use tower_media::{
    Error, MediaId, Owner, Ownership as _, OwnershipQuestion, Remote, Scopes, Upload,
    backend::MediaBackend as _,
};

use super::{
    ownership::{owner, scope},
    service::Service,
};

/// A service known to lack `/owned`, with media for ana and bob.
struct World {
    service: Service,
    remote: Remote,
    mine: Vec<MediaId>,
    bobs: Vec<MediaId>,
}

type Check = JoinHandle<Result<Vec<MediaId>, Error>>;

impl World {
    async fn new(max_staleness: Duration) -> Self {
        let service = Service::start().await;
        let remote =
            Remote::builder(&service.url).max_staleness(max_staleness).retries(0).build().unwrap();
        let (mine, bobs) = (service.give("ana", "me", 5), service.give("bob", "me", 5));
        let world = Self { service, remote, mine, bobs };
        world.check(&owner("first"), &[MediaId::random()], false).await.unwrap().unwrap();
        world
    }

    async fn with_cache() -> Self {
        Self::new(Duration::from_secs(3_600)).await
    }

    fn check_in(&self, owner: &Owner, scopes: Scopes, ids: &[MediaId], bypass: bool) -> Check {
        let (remote, owner, ids) = (self.remote.clone(), owner.clone(), ids.to_vec());
        tokio::spawn(async move {
            remote.owned(&OwnershipQuestion::new(&owner, &scopes, &ids).bypass_cache(bypass)).await
        })
    }

    fn check(&self, owner: &Owner, ids: &[MediaId], bypass: bool) -> Check {
        self.check_in(owner, scope("me"), ids, bypass)
    }

    async fn owns(&self, owner: &Owner, id: &MediaId) -> bool {
        !self.check(owner, std::slice::from_ref(id), false).await.unwrap().unwrap().is_empty()
    }

    fn lists(&self) -> usize {
        self.service.count("list")
    }
}

async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn g12_concurrent_checks_share_one_query() {
    let world = World::with_cache().await;
    let before = world.lists();
    world.service.hold("list", 1);
    let checks: Vec<_> =
        (0..64).map(|n| world.check(&owner("ana"), &world.mine[n % 5..][..1], false)).collect();
    world.service.called("list", before + 1).await;
    let late: Vec<_> =
        (0..64).map(|n| world.check(&owner("ana"), &world.mine[n % 5..][..1], false)).collect();
    settle().await;
    world.service.release();
    for check in future::join_all(checks.into_iter().chain(late)).await {
        assert_eq!(check.unwrap().unwrap().len(), 1);
    }
    assert_eq!(world.lists(), before + 1);
}

#[tokio::test]
async fn g12_owners_and_scopes_have_queries_of_their_own() {
    let world = World::with_cache().await;
    let before = world.lists();
    world.service.hold("list", 4);
    let ids = [&world.mine[..1], &world.bobs[..1]].concat();
    let (ana, bob) = (owner("ana"), owner("bob"));
    let anas = world.check(&ana, &ids, false);
    let bobs = world.check(&bob, &ids, false);
    let other = world.check_in(&ana, scope("other"), &ids, false);
    let any = world.check_in(&ana, Scopes::any(), &ids, false);
    world.service.called("list", before + 4).await;
    world.service.release();
    assert_eq!(anas.await.unwrap().unwrap(), world.mine[..1]);
    assert_eq!(bobs.await.unwrap().unwrap(), world.bobs[..1]);
    assert!(other.await.unwrap().unwrap().is_empty());
    assert_eq!(any.await.unwrap().unwrap(), world.mine[..1]);
}

#[tokio::test]
async fn g12_cached_answers_hold_until_contradicted() {
    let world = World::with_cache().await;
    let ana = owner("ana");
    assert!(world.owns(&ana, &world.mine[0]).await);
    let before = world.lists();
    world.service.lose(&world.mine[0]);
    assert!(world.owns(&ana, &world.mine[0]).await, "cached");
    assert!(world.owns(&ana, &world.mine[1]).await, "cached from the same list");
    assert_eq!(world.lists(), before);
    let fresh = world.check(&ana, &world.mine[..1], true).await.unwrap().unwrap();
    assert!(fresh.is_empty());
    assert!(!world.owns(&ana, &world.mine[0]).await, "the contradiction is cached");
}

#[tokio::test]
async fn g12_zero_staleness_queries_each_time() {
    let world = World::new(Duration::ZERO).await;
    let before = world.lists();
    for _ in 0..3 {
        assert!(world.owns(&owner("ana"), &world.mine[0]).await);
    }
    assert_eq!(world.lists(), before + 3);
}

#[tokio::test]
async fn g12_deleted_media_are_not_owned_by_anyone() {
    let world = World::with_cache().await;
    let (ana, bob) = (owner("ana"), owner("bob"));
    let shared = &world.mine[0];
    world.service.give_again("bob", "me", shared);
    assert!(world.owns(&ana, shared).await && world.owns(&bob, shared).await);
    assert!(world.remote.delete(&ana, shared).await.unwrap());
    assert!(!world.owns(&ana, shared).await);
    assert!(!world.owns(&bob, shared).await, "a deletion affects all owners");
    assert!(world.owns(&bob, &world.bobs[0]).await);
}

#[tokio::test]
async fn g12_a_list_from_before_a_deletion_is_not_used_after_it() {
    let world = World::with_cache().await;
    let ana = owner("ana");
    let before = world.lists();
    world.service.hold("list", 1);
    let early = world.check(&ana, &world.mine[..1], false);
    world.service.called("list", before + 1).await;
    // The query of the deletion is not held.
    assert!(world.remote.delete(&ana, &world.mine[0]).await.unwrap());
    let late = world.check(&ana, &world.mine[..1], false);
    settle().await;
    world.service.release();
    assert_eq!(
        early.await.unwrap().unwrap(),
        world.mine[..1],
        "it was owned when the check started"
    );
    assert!(late.await.unwrap().unwrap().is_empty());
    assert!(!world.owns(&ana, &world.mine[0]).await, "the early answer is not cached");
}

#[tokio::test]
async fn g12_an_upload_is_owned_despite_a_list_in_flight() {
    let world = World::with_cache().await;
    let ana = owner("ana");
    let before = world.lists();
    world.service.hold("list", 1);
    let early = world.check(&ana, &world.mine[..1], false);
    world.service.called("list", before + 1).await;
    let upload = Upload::new("new").file_name("new.txt").scope("me");
    let new = world.remote.upload(&ana, upload).await.unwrap().id;
    let late = world.check(&ana, std::slice::from_ref(&new), false);
    settle().await;
    world.service.release();
    assert_eq!(early.await.unwrap().unwrap(), world.mine[..1]);
    assert_eq!(late.await.unwrap().unwrap(), [new]);
}

#[tokio::test]
async fn g12_cancelled_leader_does_not_cancel_followers() {
    let world = Arc::new(World::with_cache().await);
    let ana = owner("ana");
    let before = world.lists();
    world.service.hold("list", 1);
    let first = world.check(&ana, &world.mine[..1], false);
    world.service.called("list", before + 1).await;
    let follower = world.check(&ana, &world.mine[..1], false);
    settle().await;
    first.abort();
    world.service.release();
    assert_eq!(follower.await.unwrap().unwrap(), world.mine[..1]);
    assert_eq!(world.lists(), before + 1);
}
