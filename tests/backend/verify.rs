//! `MediaState::verify` and `explain`, for code outside HTTP.

use std::{collections::HashSet, time::Duration};

use tower_media::{
    Error, ErrorKind, InMemory, MediaId, MediaState, Owner, Ownership, OwnershipQuestion, Result,
    Scopes, UnverifiedId, Upload,
    backend::OwnershipStatus,
    testkit::{Fault, Faulty},
};

use super::support::{owner, scopes, unverified, upload_texts};

struct World {
    backend: Faulty<InMemory>,
    media: MediaState,
    ana: Owner,
    ids: Vec<MediaId>,
}

impl World {
    /// Ana owns `count` texts in the scope `me`.
    async fn with(count: usize) -> Self {
        let backend = Faulty::new(InMemory::new());
        let media = MediaState::new(backend.clone());
        let ana = owner("ana");
        let ids = upload_texts(&media, &ana, count).await;
        Self { backend, media, ana, ids }
    }

    fn asked(&self) -> impl Iterator<Item = UnverifiedId> {
        self.ids.iter().map(unverified)
    }

    async fn error(&self, fault: Fault) -> Error {
        self.backend.set(fault);
        self.media.verify(&self.ana, Scopes::any(), self.asked()).await.unwrap_err()
    }
}

#[tokio::test]
async fn g04_the_proof_has_each_id_once_in_request_order() {
    let world = World::with(40).await;
    let backwards: Vec<UnverifiedId> =
        world.asked().collect::<Vec<_>>().into_iter().rev().collect();
    let repeated = backwards.iter().chain(&backwards[20..]).chain(&backwards[..5]).cloned();
    let owned = world.media.verify(&world.ana, scopes(["me"]), repeated).await.unwrap();

    assert_eq!(owned.ids(), world.ids.iter().rev().cloned().collect::<Vec<_>>());
    assert_eq!(owned.owner(), &world.ana);
    assert_eq!(owned.scopes(), &scopes(["me"]));
    for (asked, id) in backwards.iter().zip(owned.ids()) {
        assert_eq!(owned.get(asked), Some(id));
        assert_eq!(&owned[asked], id);
    }
    assert_eq!(owned.get(&unverified("not-asked")), None);
    assert_eq!(world.backend.questions(), 1);
}

#[tokio::test]
async fn g04_only_the_given_scopes_count() {
    let world = World::with(1).await;
    for (asked, passes) in [
        (Scopes::any(), true),
        (scopes(["me"]), true),
        (scopes(["wardrobe", "me", "comic"]), true),
        (scopes(["wardrobe", "comic"]), false),
        (scopes(["ME"]), false),
    ] {
        let verified = world.media.verify(&world.ana, asked.clone(), world.asked()).await;
        assert_eq!(verified.is_ok(), passes, "{asked:?}");
    }
}

#[tokio::test]
async fn g05_missing_ids_do_not_reveal_the_reason() {
    let world = World::with(4).await;
    let other_scope = Upload::new("elsewhere").scope("comic");
    let other_scope = world.media.upload(&world.ana, other_scope).await.unwrap().id;
    let foreign = upload_texts(&world.media, &owner("bob"), 1).await.remove(0);
    world.media.delete(&world.ana, &world.ids[2]).await.unwrap();
    let asked = [&foreign, &world.ids[0], &world.ids[2], &other_scope, &world.ids[1], &foreign]
        .map(unverified);
    let asked = asked.into_iter().chain([unverified("absent")]);

    let error = world.media.verify(&world.ana, scopes(["me"]), asked).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotOwned);
    let missing = [foreign.as_str(), world.ids[2].as_str(), other_scope.as_str(), "absent"];
    assert_eq!(error.missing().collect::<Vec<_>>(), missing);
    assert_eq!(error.to_string(), "4 of the media ids not found");
}

#[tokio::test]
async fn an_empty_id_set_needs_no_query() {
    let world = World::with(0).await;
    world.backend.set(Fault::Panic);
    let owned = world.media.verify(&world.ana, Scopes::any(), []).await.unwrap();
    assert_eq!(owned.ids(), []);
    assert_eq!(world.backend.questions(), 0);
}

#[tokio::test]
async fn g06_more_than_10_000_ids_are_refused_without_a_query() {
    let world = World::with(0).await;
    let ids = |count| (0..count).map(|n| unverified(format!("m-{n}")));
    let verify = async |ids: Vec<UnverifiedId>| {
        let verified = world.media.verify(&world.ana, Scopes::any(), ids).await;
        (verified.unwrap_err().kind(), world.backend.questions())
    };
    assert_eq!(verify(ids(10_001).collect()).await, (ErrorKind::InvalidInput, 0));
    // Duplicates do not count, and ten thousand ids are accepted.
    assert_eq!(verify(ids(10_000).chain(ids(10_000)).collect()).await, (ErrorKind::NotOwned, 1));

    let too_many = world.media.admin().explain(&world.ana, Scopes::any(), ids(10_001)).await;
    assert_eq!(too_many.unwrap_err().kind(), ErrorKind::InvalidInput);
}

#[tokio::test(start_paused = true)]
async fn g01_a_check_that_hangs_is_a_timeout_after_ten_seconds() {
    let world = World::with(1).await;
    let began = tokio::time::Instant::now();
    assert_eq!(world.error(Fault::Hang).await.kind(), ErrorKind::Timeout);
    assert_eq!(began.elapsed(), Duration::from_secs(10));
    let explained = world.media.admin().explain(&world.ana, Scopes::any(), world.asked()).await;
    assert_eq!(explained.unwrap_err().kind(), ErrorKind::Timeout);
}

#[tokio::test(start_paused = true)]
async fn the_check_timeout_is_configurable() {
    let backend = Faulty::new(InMemory::new());
    backend.set(Fault::Hang);
    let media = MediaState::builder(backend).check_timeout(Duration::from_millis(70)).build();
    let began = tokio::time::Instant::now();
    let error = media.verify(&owner("ana"), Scopes::any(), [unverified("m-1")]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert_eq!(began.elapsed(), Duration::from_millis(70));
}

#[tokio::test]
async fn g01_a_failed_check_is_an_error_not_a_denial() {
    let world = World::with(3).await;
    for (fault, kind) in [
        (Fault::Panic, ErrorKind::Internal),
        (Fault::More, ErrorKind::Unexpected),
        (Fault::Others, ErrorKind::Unexpected),
        (Fault::Fail(ErrorKind::Unavailable), ErrorKind::Unavailable),
        (Fault::Fail(ErrorKind::Unexpected), ErrorKind::Unexpected),
    ] {
        let error = world.error(fault).await;
        assert_eq!(error.kind(), kind, "{fault:?}");
        assert_eq!(error.missing().len(), 0, "{fault:?}");
    }
    let error = world.error(Fault::Less).await;
    assert_eq!(error.kind(), ErrorKind::NotOwned);
    assert_eq!(error.missing().collect::<Vec<_>>(), [world.ids[2].as_str()]);

    world.backend.set(Fault::None);
    assert!(world.media.verify(&world.ana, Scopes::any(), world.asked()).await.is_ok());
}

#[tokio::test]
async fn g16_explain_lists_each_id_once_in_request_order() {
    let world = World::with(1).await;
    let elsewhere = Upload::new("elsewhere").scope("comic");
    let elsewhere = unverified(world.media.upload(&world.ana, elsewhere).await.unwrap().id);
    let foreign = unverified(&upload_texts(&world.media, &owner("bob"), 1).await[0]);
    let (own, absent) = (unverified(&world.ids[0]), unverified("absent"));
    let asked = [&absent, &foreign, &own, &absent, &elsewhere].map(Clone::clone);

    let told = world.media.admin().explain(&world.ana, scopes(["me"]), asked).await.unwrap();
    assert_eq!(
        told,
        [
            (absent, OwnershipStatus::Absent),
            (foreign, OwnershipStatus::Foreign),
            (own, OwnershipStatus::Owned),
            (elsewhere, OwnershipStatus::WrongScope),
        ]
    );
}

/// An application's own table of rights.
#[derive(Debug)]
struct Grants(HashSet<(Owner, &'static str)>);

impl Ownership for Grants {
    async fn owned(&self, question: &OwnershipQuestion<'_>) -> Result<Vec<MediaId>> {
        Ok(question.select(|id| {
            self.0.iter().any(|(owner, granted)| owner == question.owner() && *granted == id)
        }))
    }
}

#[tokio::test]
async fn a_custom_ownership_answers_instead_of_the_backend() {
    let (ana, bob) = (owner("ana"), owner("bob"));
    let backend = Faulty::new(InMemory::new());
    let grants = Grants(HashSet::from([(ana.clone(), "granted")]));
    let media = MediaState::builder(backend.clone()).ownership(grants).build();
    let in_backend = &upload_texts(&media, &ana, 1).await[0];

    let owned = media.verify(&ana, Scopes::any(), [unverified("granted")]).await.unwrap();
    assert_eq!(owned.ids()[0].as_str(), "granted");
    for (owner, id) in [(&bob, "granted"), (&ana, in_backend.as_str())] {
        let error = media.verify(owner, Scopes::any(), [unverified(id)]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotOwned);
    }
    assert_eq!(backend.questions(), 0);

    let explained = media.admin().explain(&ana, Scopes::any(), [unverified("granted")]).await;
    assert_eq!(explained.unwrap_err().kind(), ErrorKind::Unsupported);
}

#[test]
fn futures_are_send() {
    fn shared<T: Clone + Send + Sync + 'static>() {}
    shared::<MediaState>();
    shared::<tower_media::OwnedMedia>();
    shared::<UnverifiedId>();
    shared::<MediaId>();
    fn spawned<T: Send + 'static>(_: T) {}
    let media = MediaState::in_memory();
    spawned(async move { media.verify(&owner("ana"), Scopes::any(), [unverified("m-1")]).await });
}
