//! G4: all ids or none, in the order of the request; repeats have no effect.
//!
//! The properties run 256 cases by default; set another number with `PROPTEST_CASES`.

use std::collections::{BTreeMap, BTreeSet};

use axum::{Json, Router, http::StatusCode, routing::post};
use proptest::{collection::vec, prelude::*, sample::Index, test_runner::Config};
use serde_json::json;
use tower_media::{
    InMemory, MediaId, MediaState, Owner, Ownership, OwnershipQuestion, Result, UnverifiedId,
    VerifiedMedia, VerifyMediaLayer,
};

use super::support::{Answer, World, post_json, send};

/// The relation of an id to the caller, Ana, in the scope `me`.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Owned,
    Foreign,
    Absent,
    Removed,
    WrongScope,
    OtherTenant,
}

const NOT_OWNED: [Kind; 5] =
    [Kind::Foreign, Kind::Absent, Kind::Removed, Kind::WrongScope, Kind::OtherTenant];

/// A world, and the test's own model of its owners and scopes.
struct Modelled {
    world: World,
    model: BTreeMap<String, (Owner, &'static str)>,
}

impl Modelled {
    async fn with(kinds: &[Kind]) -> (Self, Vec<String>) {
        let mut modelled = Self { world: World::new(), model: BTreeMap::new() };
        let mut ids = Vec::new();
        for kind in kinds {
            ids.push(modelled.add(*kind, ids.len()).await);
        }
        (modelled, ids)
    }

    async fn add(&mut self, kind: Kind, number: usize) -> String {
        let ana = self.world.ana.clone();
        let (owner, scope) = match kind {
            Kind::Absent => return format!("absent-{number}"),
            Kind::Removed => {
                let id = self.world.upload(&ana, "me").await;
                let removed = MediaId::from_trusted(&id).unwrap();
                assert!(self.world.media.delete(&ana, &removed).await.unwrap());
                return id;
            }
            Kind::Owned => (ana, "me"),
            Kind::WrongScope => (ana, "wardrobe"),
            Kind::Foreign => (self.world.bob.clone(), "me"),
            Kind::OtherTenant => (ana.with_tenant("other").unwrap(), "me"),
        };
        let id = self.world.upload(&owner, scope).await;
        self.model.insert(id.clone(), (owner, scope));
        id
    }

    fn owns(&self, id: &str) -> bool {
        self.model.get(id).is_some_and(|(owner, scope)| *owner == self.world.ana && *scope == "me")
    }
}

type Ids = Json<Vec<UnverifiedId>>;

/// Responds with the proof, and with the result of `OwnedMedia::get` for each id of the request.
async fn handler(
    VerifiedMedia(Json(request), owned): VerifiedMedia<Ids>,
) -> Json<(Vec<MediaId>, Vec<MediaId>)> {
    let opened = request.iter().map(|id| owned[id].clone()).collect();
    Json((owned.ids().to_vec(), opened))
}

async fn ask(media: &MediaState, world: &World, cap: usize, ids: &[String]) -> Answer {
    let layer = VerifyMediaLayer::<Ids>::new(media.clone()).scopes(["me"]).id_count(1..=cap);
    let routes = Router::new().route("/", post(handler).layer(layer));
    let app = world.app(routes.layer(media.layer()));
    send(&app, post_json(&world.ana, "/", &json!(ids))).await
}

fn distinct(ids: &[String]) -> Vec<&String> {
    let mut seen = BTreeSet::new();
    ids.iter().filter(|id| seen.insert(*id)).collect()
}

impl Modelled {
    /// Sends `ids` to a route for 1 to `cap` of them, and compares the response with the model.
    async fn answers(&self, cap: usize, ids: &[String]) {
        let distinct = distinct(ids);
        let missing: Vec<_> = distinct.iter().filter(|id| !self.owns(id)).collect();
        let (status, questions) = match distinct.len() {
            count if count < 1 || count > cap => (StatusCode::UNPROCESSABLE_ENTITY, 0),
            _ if missing.is_empty() => (StatusCode::OK, 1),
            _ => (StatusCode::NOT_FOUND, 1),
        };

        let before = self.world.backend.questions();
        let answer = ask(&self.world.media, &self.world, cap, ids).await;
        assert_eq!(answer.status, status, "{}", answer.text());
        assert_eq!(self.world.backend.questions() - before, questions);
        match status {
            StatusCode::OK => assert_eq!(answer.json(), json!([distinct, ids])),
            StatusCode::NOT_FOUND => assert_eq!(json!(answer.missing()), json!(missing)),
            _ => assert_eq!(answer.missing(), [""; 0]),
        }
    }
}

fn block_on(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test);
}

fn kinds(max: usize) -> impl Strategy<Value = Vec<Kind>> {
    let any = prop_oneof![8 => Just(Kind::Owned), 2 => prop::sample::select(&NOT_OWNED[..])];
    prop_oneof![vec(Just(Kind::Owned), 0..=max), vec(any, 0..=max)]
}

/// The maximum number of ids, the kinds of the ids, and the positions of their repeats.
fn request() -> impl Strategy<Value = (usize, Vec<Kind>, Vec<(Index, Index)>)> {
    // On both sides of 16, where the id set changes from a linear scan to an index.
    prop::sample::select(vec![1, 2, 15, 16, 17, 20])
        .prop_flat_map(|cap| (Just(cap), kinds(cap + 2), vec(any::<(Index, Index)>(), 0..8)))
}

fn with_repeats(mut ids: Vec<String>, repeats: Vec<(Index, Index)>) -> Vec<String> {
    for (which, place) in repeats {
        if !ids.is_empty() {
            let repeated = which.get(&ids).clone();
            ids.insert(place.index(ids.len() + 1), repeated);
        }
    }
    ids
}

proptest! {
    #![proptest_config(Config { failure_persistence: None, ..Config::default() })]

    #[test]
    fn g04_random_requests_are_answered_as_the_model_says((cap, kinds, repeats) in request()) {
        block_on(async {
            let (world, ids) = Modelled::with(&kinds).await;
            world.answers(cap, &with_repeats(ids, repeats)).await;
        });
    }
}

#[tokio::test]
async fn g04_every_bound_is_exact() {
    for cap in [1, 16, 17, 100] {
        for count in [0, 1, 15, 16, 17, cap - 1, cap, cap + 1] {
            let (world, ids) = Modelled::with(&vec![Kind::Owned; count]).await;
            world.answers(cap, &ids).await;
            world.answers(cap, &[&ids[..], &ids[..]].concat()).await;
        }
    }
}

#[tokio::test]
async fn g04_one_unowned_id_at_any_position_refuses_all() {
    for kind in NOT_OWNED {
        for count in [1, 16, 17] {
            for place in [0, count / 2, count - 1] {
                let mut kinds = vec![Kind::Owned; count];
                kinds[place] = kind;
                let (world, ids) = Modelled::with(&kinds).await;
                assert!(!world.owns(&ids[place]));
                world.answers(count, &ids).await;
            }
        }
    }
}

/// Answers in reverse order and with repeats, as an index scan with a join can.
#[derive(Debug)]
struct Backwards(InMemory);

impl Ownership for Backwards {
    async fn owned(&self, question: &OwnershipQuestion<'_>) -> Result<Vec<MediaId>> {
        let owned = self.0.owned(question).await?;
        Ok(owned.iter().rev().chain(&owned).cloned().collect())
    }
}

#[tokio::test]
async fn g04_order_of_the_answer_has_no_effect() {
    for count in [2, 16, 17] {
        let (Modelled { world, .. }, ids) = Modelled::with(&vec![Kind::Owned; count]).await;
        let backend = world.backend.get_ref().clone();
        let media = MediaState::builder(backend.clone()).ownership(Backwards(backend)).build();
        let answer = ask(&media, &world, count, &ids).await;
        assert_eq!(answer.json(), json!([ids, ids]));
    }
}
