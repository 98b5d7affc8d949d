//! `#[derive(MediaIds)]` collects from every field, for every shape of a type.

#![deny(deprecated)]
#![allow(dead_code, missing_docs, clippy::unwrap_used, reason = "tests")]

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet, HashMap, HashSet, LinkedList, VecDeque},
    convert::Infallible,
    marker::PhantomData,
    sync::Arc,
    time::Duration,
};

use axum::{
    Json, Router,
    body::{Body, to_bytes},
    extract::{FromRequest, FromRequestParts, Path, Query, Request},
    http::{StatusCode, header, request::Parts},
    response::Response,
    routing::{get, post},
};
use proptest::prelude::*;
use serde::Deserialize;
use tower::{Layer as _, Service, ServiceExt as _};
use tower_media::{
    InMemory, MediaId, MediaIds, MediaState, Owner, Ownership, OwnershipQuestion, UnverifiedId,
    VerifiedMedia, VerifyMediaLayer, extract::IdCollector,
};

/// Grants everything, so a proof contains exactly the ids that were collected.
#[derive(Debug)]
struct Everything;

impl Ownership for Everything {
    async fn owned(&self, question: &OwnershipQuestion<'_>) -> tower_media::Result<Vec<MediaId>> {
        Ok(question.select(|_| true))
    }
}

fn media() -> MediaState {
    MediaState::builder(InMemory::new()).ownership(Everything).build()
}

/// Extracts a value that the test inserted into the request.
struct Sent<T>(Arc<T>);

impl<T: MediaIds> MediaIds for Sent<T> {
    fn media_ids(&self, ids: &mut IdCollector) {
        self.0.media_ids(ids);
    }
}

impl<S: Sync, T: Send + Sync + 'static> FromRequestParts<S> for Sent<T> {
    type Rejection = StatusCode;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, StatusCode> {
        let value = parts.extensions.get().cloned();
        value.map(Self).ok_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

/// The ids that the guard collects from a value.
async fn ids_of<T: MediaIds + Send + Sync + 'static>(value: T) -> Vec<String> {
    let route = get(proven).layer(VerifyMediaLayer::<Sent<T>>::new(media()).id_count(0..=1000));
    let mut request = Request::get("/").body(Body::empty()).unwrap();
    request.extensions_mut().insert(Arc::new(value));
    let (status, text) = send(Router::new().route("/", route), request).await;
    assert_eq!(status, StatusCode::OK, "{text}");
    text.split_whitespace().map(str::to_owned).collect()
}

async fn proven(VerifiedMedia((), owned): VerifiedMedia) -> String {
    owned.ids().iter().map(MediaId::as_str).collect::<Vec<_>>().join(" ")
}

/// The response to a request of an authenticated owner.
async fn send<A>(app: A, mut request: Request) -> (StatusCode, String)
where
    A: Service<Request, Response = Response, Error = Infallible>,
{
    request.extensions_mut().insert(Owner::new("ana").unwrap());
    let response = app.oneshot(request).await.unwrap();
    let status = response.status();
    let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

fn id(text: &str) -> UnverifiedId {
    UnverifiedId::parse(text).unwrap()
}

/// A type of another crate, without `MediaIds`.
#[derive(Debug, Clone, Copy, Default)]
struct Foreign;

#[tokio::test]
async fn every_field_is_collected_in_declaration_order() {
    #[derive(MediaIds)]
    struct Post {
        text: String,
        cover: UnverifiedId,
        pictures: Vec<UnverifiedId>,
        avatar: Option<UnverifiedId>,
        #[media(skip)]
        extra: Foreign,
        last: Inner,
    }
    #[derive(MediaIds)]
    struct Inner {
        deep: (u8, UnverifiedId),
    }
    let post = Post {
        text: "not-an-id".into(),
        cover: id("z"),
        pictures: vec![id("b"), id("a"), id("z")],
        avatar: Some(id("c")),
        extra: Foreign,
        last: Inner { deep: (1, id("y")) },
    };
    assert_eq!(ids_of(post).await, ["z", "b", "a", "c", "y"]);
}

#[tokio::test]
async fn tuple_structs_are_collected_except_skipped_fields() {
    #[derive(MediaIds)]
    struct Pair(UnverifiedId, #[media(skip)] Foreign, UnverifiedId);
    #[derive(MediaIds)]
    struct Skipped(#[media(skip)] UnverifiedId);
    #[derive(MediaIds)]
    struct Nothing;
    #[derive(MediaIds)]
    struct Braces {}

    assert_eq!(ids_of(Pair(id("a"), Foreign, id("b"))).await, ["a", "b"]);
    assert!(ids_of(Skipped(id("a"))).await.is_empty());
    assert!(ids_of((Nothing, Braces {})).await.is_empty());
}

#[tokio::test]
async fn every_variant_is_collected() {
    #[derive(MediaIds)]
    enum Picture {
        None,
        Stored(UnverifiedId, #[media(skip)] Foreign),
        Cropped { of: UnverifiedId, size: [u32; 2], r#mask: Option<UnverifiedId> },
    }
    #[derive(MediaIds)]
    enum Never {}

    let pictures = vec![
        Picture::Cropped { of: id("a"), size: [1, 2], r#mask: Some(id("b")) },
        Picture::None,
        Picture::Stored(id("c"), Foreign),
    ];
    assert_eq!(ids_of(pictures).await, ["a", "b", "c"]);
    assert!(ids_of(None::<Never>).await.is_empty());
}

#[tokio::test]
async fn fields_may_have_any_name() {
    // Names that the derive itself uses, raw identifiers, and a deprecated field.
    #[derive(MediaIds)]
    struct Names {
        ids: UnverifiedId,
        __ids: UnverifiedId,
        __field0: UnverifiedId,
        r#type: UnverifiedId,
        r#match: UnverifiedId,
        #[deprecated]
        old: UnverifiedId,
    }
    #[allow(deprecated)]
    let names = Names {
        ids: id("a"),
        __ids: id("b"),
        __field0: id("c"),
        r#type: id("d"),
        r#match: id("e"),
        old: id("f"),
    };
    assert_eq!(ids_of(names).await, ["a", "b", "c", "d", "e", "f"]);
}

#[tokio::test]
async fn generics_lifetimes_and_constants_are_carried_over() {
    #[derive(MediaIds)]
    struct Many<'a, T: ?Sized, U, const N: usize = 2>
    where
        U: Clone,
    {
        first: &'a T,
        rest: [U; N],
        name: Cow<'a, str>,
    }
    let many = Many { first: "text", rest: [id("a"), id("b")], name: "name".into() };
    assert_eq!(ids_of(many).await, ["a", "b"]);
}

#[tokio::test]
async fn parameter_is_bounded_only_if_it_is_collected() {
    trait Kind {
        type Reference;
    }
    struct Avatar;
    impl Kind for Avatar {
        type Reference = UnverifiedId;
    }
    // Neither `Avatar` nor `Foreign` is `MediaIds`.
    #[derive(MediaIds)]
    struct Tagged<K: Kind, X> {
        kind: PhantomData<K>,
        #[media(skip)]
        extra: X,
        references: Vec<K::Reference>,
    }
    let tagged =
        Tagged::<Avatar, Foreign> { kind: PhantomData, extra: Foreign, references: vec![id("a")] };
    assert_eq!(ids_of(tagged).await, ["a"]);
}

#[tokio::test]
async fn recursive_types_are_collected_to_any_depth() {
    #[derive(MediaIds)]
    struct Node<T> {
        value: T,
        children: Vec<Node<T>>,
        next: Option<Box<Self>>,
        other: Option<Arc<Mutual<T>>>,
    }
    #[derive(MediaIds)]
    struct Mutual<T> {
        back: Option<Box<Node<T>>>,
        id: T,
    }
    let leaf = |text| Node { value: id(text), children: vec![], next: None, other: None };
    let node = Node {
        value: id("a"),
        children: vec![leaf("b"), leaf("c")],
        next: Some(Box::new(leaf("d"))),
        other: Some(Arc::new(Mutual { back: Some(Box::new(leaf("e"))), id: id("f") })),
    };
    assert_eq!(ids_of(node).await, ["a", "b", "c", "d", "e", "f"]);
}

#[tokio::test]
async fn types_made_by_macros_are_collected() {
    macro_rules! payload {
        ($name:ident { $($field:ident: $type:ty),* }) => {
            #[derive(MediaIds)]
            struct $name<T> { $($field: $type),* }
        };
    }
    payload!(Payload { one: UnverifiedId, more: Option<T> });
    assert_eq!(ids_of(Payload { one: id("a"), more: Some(id("b")) }).await, ["a", "b"]);
}

#[test]
fn the_crate_may_have_another_name() {
    // Replaces the crate, so the test shows which path the derive uses.
    mod guarded {
        pub(super) mod extract {
            pub(crate) type IdCollector = Vec<u8>;
        }

        pub(super) trait MediaIds {
            const READS_PATH: bool = false;
            fn media_ids(&self, ids: &mut extract::IdCollector);
        }

        impl MediaIds for u8 {
            fn media_ids(&self, ids: &mut extract::IdCollector) {
                ids.push(*self);
            }
        }
    }
    #[derive(MediaIds)]
    #[media(crate = "guarded")]
    struct Renamed(u8);

    let mut ids = Vec::new();
    guarded::MediaIds::media_ids(&Renamed(7), &mut ids);
    assert_eq!(ids, [7]);
}

#[tokio::test]
async fn leaf_types_carry_no_ids() {
    let leaves = (
        ((), true, 'a', "text", String::from("text")),
        (1_u8, -1_i128, 0.5_f64, std::num::NonZeroU32::MIN),
        (Duration::ZERO, std::time::SystemTime::UNIX_EPOCH),
        (std::net::Ipv4Addr::LOCALHOST, std::path::PathBuf::from("text")),
        bytes::Bytes::from("text"),
        // Verified already.
        MediaId::from_trusted("trusted").unwrap(),
        PhantomData::<Foreign>,
    );
    assert!(ids_of(leaves).await.is_empty());
}

#[tokio::test]
async fn containers_carry_the_ids_of_their_elements() {
    assert_eq!(ids_of([id("a"), id("b")]).await, ["a", "b"]);
    assert_eq!(ids_of(VecDeque::from([id("a")])).await, ["a"]);
    assert_eq!(ids_of(LinkedList::from([id("a")])).await, ["a"]);
    assert_eq!(ids_of(HashSet::from([id("a")])).await, ["a"]);
    assert_eq!(ids_of(Box::<[_]>::from([id("a")])).await, ["a"]);
    assert_eq!(ids_of(Ok::<_, Foreign>(id("a"))).await, ["a"]);
    assert!(ids_of(Err::<UnverifiedId, _>(Foreign)).await.is_empty());
}

/// A sorted key.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Key(&'static str);

impl MediaIds for Key {
    fn media_ids(&self, ids: &mut IdCollector) {
        ids.add(&id(self.0));
    }
}

#[tokio::test]
async fn maps_carry_the_ids_of_keys_and_values() {
    assert_eq!(ids_of(HashMap::from([(id("a"), id("b"))])).await, ["a", "b"]);
    assert_eq!(ids_of(BTreeMap::from([(Key("b"), id("a"))])).await, ["b", "a"]);
    assert_eq!(ids_of(BTreeSet::from([Key("b"), Key("a")])).await, ["a", "b"]);
    let by_name = BTreeMap::from([("second", id("b")), ("first", id("a"))]);
    assert_eq!(ids_of(by_name).await, ["a", "b"]);
}

/// A payload of every shape, nested at random.
#[derive(Debug, Clone, MediaIds)]
enum Tree {
    Nothing,
    Id(UnverifiedId),
    Text(String),
    Branch { left: Box<Tree>, note: u8, right: Option<Box<Tree>> },
    List(Vec<Tree>),
    Named(BTreeMap<String, Tree>),
}

impl Tree {
    /// The ids in it, without the trait.
    fn model(&self, ids: &mut Vec<String>) {
        match self {
            Self::Nothing | Self::Text(_) => {}
            Self::Id(id) => {
                // The text of an unverified id is visible in its `Debug` only.
                let debug = format!("{id:?}");
                let text = debug.split('"').nth(1).unwrap().to_owned();
                if !ids.contains(&text) {
                    ids.push(text);
                }
            }
            Self::Branch { left, note: _, right } => {
                left.model(ids);
                right.iter().for_each(|tree| tree.model(ids));
            }
            Self::List(trees) => trees.iter().for_each(|tree| tree.model(ids)),
            Self::Named(trees) => trees.values().for_each(|tree| tree.model(ids)),
        }
    }
}

fn trees() -> impl Strategy<Value = Tree> {
    let leaf = prop_oneof![
        Just(Tree::Nothing),
        // Few, so that they repeat.
        "[a-d]{1,2}".prop_map(|text| Tree::Id(id(&text))),
        "[a-d]{1,2}".prop_map(Tree::Text),
    ];
    leaf.prop_recursive(5, 60, 5, |tree| {
        prop_oneof![
            (tree.clone(), any::<u8>(), proptest::option::of(tree.clone())).prop_map(
                |(left, note, right)| Tree::Branch {
                    left: left.into(),
                    note,
                    right: right.map(Box::new)
                }
            ),
            proptest::collection::vec(tree.clone(), 0..5).prop_map(Tree::List),
            proptest::collection::btree_map("[a-d]{1,2}", tree, 0..5).prop_map(Tree::Named),
        ]
    })
}

proptest! {
    #[test]
    fn exactly_the_ids_in_a_value_are_collected(tree in trees()) {
        let mut expected = Vec::new();
        tree.model(&mut expected);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        prop_assert_eq!(runtime.block_on(ids_of(tree)), expected);
    }
}

/// An extractor made of extractors, as `axum-macros` derives it.
#[derive(FromRequestParts, MediaIds)]
struct Args {
    named: Path<UnverifiedId>,
    also: Query<HashMap<String, UnverifiedId>>,
}

/// The same one level deeper, where no field names a `Path`.
#[derive(FromRequestParts, MediaIds)]
struct Outer {
    args: Args,
}

#[tokio::test]
async fn extractor_made_of_extractors_is_collected_in_all() {
    let guard = VerifyMediaLayer::<Outer>::new(media());
    let app = Router::new().route("/{id}", get(proven).layer(guard));
    let request = Request::get("/a?x=b").body(Body::empty()).unwrap();
    assert_eq!(send(app, request).await, (StatusCode::OK, "a b".into()));
}

#[tokio::test]
async fn path_in_an_extractor_requires_the_route() {
    let guard = VerifyMediaLayer::<Outer>::new(media());
    let app = guard.layer(Router::new().route("/{id}", get(proven)));
    let (status, text) = send(app, Request::get("/a").body(Body::empty()).unwrap()).await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(text.contains("reads path parameters outside of the route"), "{text}");
}

#[tokio::test]
async fn recursive_payload_can_be_an_extractor() {
    #[derive(Deserialize, FromRequest, MediaIds)]
    #[from_request(via(Json))]
    struct Comment {
        picture: UnverifiedId,
        parent: Option<Box<Comment>>,
    }
    let guard = VerifyMediaLayer::<Comment>::new(media());
    let app = guard.layer(Router::new().route("/", post(proven)));
    let request = Request::post("/")
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from(r#"{"picture": "a", "parent": {"picture": "b", "parent": null}}"#))
        .unwrap();
    assert_eq!(send(app, request).await, (StatusCode::OK, "a b".into()));
}
