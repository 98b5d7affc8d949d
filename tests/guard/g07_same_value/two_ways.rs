//! Differential fuzzing: random requests to handlers with axum's extractors alone, and to guarded ones.

use std::{
    cell::Cell,
    collections::{BTreeMap, BTreeSet},
    fmt::Debug,
    sync::{Arc, Mutex},
};

use axum::{
    Extension, Form, Json, Router,
    extract::{FromRequest, Path, Query, rejection::JsonRejection},
    routing::{MethodRouter, any},
};
use axum_extra::extract::{Form as Forms, Query as Queries};
use proptest::test_runner::{Config, TestRunner};
use serde::Deserialize;
use tower_media::{
    InMemory, MediaId, MediaIds, MediaState, Ownership, OwnershipQuestion, Result, UnverifiedId,
    VerifiedMedia, VerifyMediaLayer,
    extract::{GuardedExtractor, MultipartForm},
};

use super::{
    super::support::{owner, send},
    raw::{MINE, Raw, raw},
};

/// The owner of each id, in the model of the fuzzing.
#[derive(Debug)]
struct Model;

impl Ownership for Model {
    async fn owned(&self, question: &OwnershipQuestion<'_>) -> Result<Vec<MediaId>> {
        Ok(question.select(|id| MINE.contains(&id)))
    }
}

/// Lets every request pass, to run an extractor that works behind the guard only.
#[derive(Debug)]
struct Everything;

impl Ownership for Everything {
    async fn owned(&self, question: &OwnershipQuestion<'_>) -> Result<Vec<MediaId>> {
        Ok(question.select(|_| true))
    }
}

/// The `Debug` text of a handler's value, and the proof, if any.
#[derive(Debug, Clone, PartialEq)]
struct Seen {
    value: String,
    proof: BTreeSet<String>,
}

impl Seen {
    /// The ids in the value, found independently of `MediaIds`.
    fn ids(&self) -> BTreeSet<String> {
        let ids = self.value.split("UnverifiedId(\"").skip(1);
        ids.map(|rest| rest.split('"').next().unwrap().to_owned()).collect()
    }
}

type Slot = Arc<Mutex<Option<Seen>>>;

/// The same routes twice: with axum's extractors alone, and with the guard.
#[derive(Default)]
struct TwoWays {
    plain: (Router, Slot),
    guarded: (Router, Slot),
}

const CAP: usize = 3;

impl TwoWays {
    fn route<E, M, A>(self, path: &str) -> Self
    where
        E: GuardedExtractor<(), M> + FromRequest<(), A> + MediaIds + Debug,
        M: Send + Sync + 'static,
        A: Send + 'static,
    {
        let slot = Arc::clone(&self.plain.1);
        let handler = any(async move |value: E| {
            *slot.lock().unwrap() = Some(Seen { value: format!("{value:?}"), proof: [].into() });
        });
        self.with::<E, M>(path, handler)
    }

    /// For an extractor that works behind the guard only.
    fn route_of_the_guard<E, M>(self, path: &str) -> Self
    where
        E: GuardedExtractor<(), M> + MediaIds + Debug,
        M: Send + Sync + 'static,
    {
        let handler = guarded::<E, M>(Everything, usize::MAX, &self.plain.1);
        self.with::<E, M>(path, handler)
    }

    fn with<E, M>(mut self, path: &str, plain: MethodRouter) -> Self
    where
        E: GuardedExtractor<(), M> + MediaIds + Debug,
        M: Send + Sync + 'static,
    {
        self.plain.0 = self.plain.0.route(path, plain);
        let handler = guarded::<E, M>(Model, CAP, &self.guarded.1);
        self.guarded.0 = self.guarded.0.route(path, handler);
        self
    }

    /// Sends a request to both applications. Returns the values of the handlers that ran.
    async fn send(&self, raw: &Raw) -> Option<[Option<Seen>; 2]> {
        let mut seen = [None, None];
        for ((router, slot), seen) in [&self.plain, &self.guarded].into_iter().zip(&mut seen) {
            let router = router.clone().layer(Extension(owner("ana")));
            send(&router, raw.request()?).await;
            *seen = slot.lock().unwrap().take();
        }
        Some(seen)
    }
}

fn guarded<E, M>(ownership: impl Ownership, cap: usize, slot: &Slot) -> MethodRouter
where
    E: GuardedExtractor<(), M> + MediaIds + Debug,
    M: Send + Sync + 'static,
{
    let media = MediaState::builder(InMemory::new()).ownership(ownership).build();
    let slot = Arc::clone(slot);
    any(async move |VerifiedMedia(value, owned): VerifiedMedia<E>| {
        let proof = owned.ids().iter().map(ToString::to_string).collect();
        *slot.lock().unwrap() = Some(Seen { value: format!("{value:?}"), proof });
    })
    .layer(VerifyMediaLayer::<E>::new(media).id_count(0..=cap))
}

#[derive(Debug, Deserialize, MediaIds)]
struct Post {
    #[serde(alias = "thumb", alias = "Cover")]
    cover: Option<UnverifiedId>,
    #[serde(default)]
    pictures: Vec<Picture>,
    #[serde(flatten)]
    style: Style,
    #[serde(flatten)]
    rest: BTreeMap<String, Loose>,
}

#[derive(Debug, Deserialize, MediaIds)]
struct Style {
    mask: Option<UnverifiedId>,
    #[serde(rename = "backDrop")]
    backdrop: Option<Box<Tagged>>,
}

#[derive(Debug, Deserialize, MediaIds)]
#[serde(untagged)]
enum Picture {
    Id(UnverifiedId),
    Crop { id: UnverifiedId, size: Option<u32> },
    Group(Vec<Picture>),
    Text(String),
}

#[derive(Debug, Deserialize, MediaIds)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum Tagged {
    Stored { id: UnverifiedId },
    Pair { first: UnverifiedId, second: UnverifiedId },
    Link { url: String },
}

#[derive(Debug, Deserialize, MediaIds)]
#[serde(untagged)]
enum Loose {
    Id(UnverifiedId),
    Number(f64),
    Text(String),
    Many(Vec<Loose>),
    Named(BTreeMap<String, Loose>),
    Nothing(()),
}

/// For sources with text values, each key once.
#[derive(Debug, Deserialize, MediaIds)]
struct Flat {
    #[serde(alias = "thumb")]
    cover: Option<UnverifiedId>,
    #[serde(flatten)]
    rest: BTreeMap<String, Loose>,
}

/// For sources with text values and repeated keys.
#[derive(Debug, Deserialize, MediaIds)]
struct Many {
    #[serde(default)]
    id: Vec<UnverifiedId>,
    #[serde(alias = "thumb")]
    cover: Option<UnverifiedId>,
}

type Keyed = BTreeMap<String, UnverifiedId>;

fn two_ways() -> TwoWays {
    TwoWays::default()
        .route::<Json<Post>, _, _>("/json")
        .route::<Json<Keyed>, _, _>("/keyed")
        .route::<Json<Vec<Tagged>>, _, _>("/tagged")
        .route::<Result<Json<Post>, JsonRejection>, _, _>("/result")
        .route::<Query<Flat>, _, _>("/query")
        .route::<Queries<Many>, _, _>("/queries")
        .route::<Form<Flat>, _, _>("/form")
        .route::<Forms<Many>, _, _>("/forms")
        .route::<Path<(UnverifiedId, Loose)>, _, _>("/path/{id}/{other}")
        .route::<(Path<Keyed>, Query<Flat>, Json<Post>), _, _>("/all/{id}/{other}")
        .route::<(Path<Keyed>, Queries<Many>, Forms<Many>), _, _>("/all-form/{id}/{other}")
        .route_of_the_guard::<MultipartForm<Many>, _>("/multipart")
        .route_of_the_guard::<((Path<Keyed>, Query<Flat>), MultipartForm<Many>), _>(
            "/all-multipart/{id}/{other}",
        )
}

#[test]
fn g07_handler_runs_exactly_if_all_its_ids_are_verified() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let two_ways = two_ways();
    let (passed, refused) = (Cell::new(0), Cell::new(0));
    let mut runner = TestRunner::new(Config { failure_persistence: None, ..Config::default() });
    let outcome = runner.run(&raw(), |raw| {
        match runtime.block_on(two_ways.send(&raw)) {
            Some([Some(plain), Some(guarded)]) => {
                assert_eq!(guarded.value, plain.value);
                assert_eq!(guarded.proof, guarded.ids());
                assert!(guarded.proof.iter().all(|id| MINE.contains(&&**id)), "{guarded:?}");
                passed.set(passed.get() + 1);
            }
            Some([Some(plain), None]) => {
                let ids = plain.ids();
                let mine = ids.iter().all(|id| MINE.contains(&&**id));
                assert!(!mine || ids.len() > CAP, "refused without a reason: {plain:?}");
                refused.set(refused.get() + 1);
            }
            Some([None, Some(guarded)]) => panic!("axum alone refuses this: {guarded:?}"),
            Some([None, None]) | None => {}
        }
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
    // Otherwise too few requests test the property.
    let (passed, refused, cases) = (passed.get(), refused.get(), runner.config().cases);
    assert!(passed > cases / 20 && refused > cases / 20, "{passed}, {refused} of {cases}");
}
