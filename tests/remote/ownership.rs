//! Ownership queries to a service with lists only, and to one with `/owned`.

use std::{collections::HashSet, time::Duration};

use axum::{
    Json, Router,
    body::{Body, to_bytes},
    http::{Request, StatusCode, header::CONTENT_TYPE},
    routing::post,
};
use proptest::{collection::vec, prelude::*};
use serde::Deserialize;
use tower::ServiceExt as _;
use tower_media::{
    Error, ErrorKind, MediaId, MediaIds, MediaState, Owner, Ownership as _, OwnershipQuestion,
    Remote, Scopes, UnverifiedId, VerifiedMedia, VerifyMediaLayer, remote::RemoteBuilder,
};

use super::{
    log::Log,
    service::{Owned, Service},
};

pub fn owner(subject: &str) -> Owner {
    Owner::new(subject).unwrap()
}

pub fn scope(name: &str) -> Scopes {
    Scopes::of([name]).unwrap()
}

/// A backend without cache and retries.
fn uncached(service: &Service) -> RemoteBuilder {
    Remote::builder(&service.url).max_staleness(Duration::ZERO).retries(0)
}

async fn query(
    remote: &Remote,
    owner: &Owner,
    scopes: &Scopes,
    ids: &[MediaId],
) -> Result<HashSet<MediaId>, Error> {
    let question = OwnershipQuestion::new(owner, scopes, ids);
    Ok(remote.owned(&question).await?.into_iter().collect())
}

async fn owned(
    remote: &Remote,
    owner: &Owner,
    scopes: &Scopes,
    ids: &[MediaId],
) -> HashSet<MediaId> {
    query(remote, owner, scopes, ids).await.unwrap()
}

fn set(ids: &[MediaId]) -> HashSet<MediaId> {
    ids.iter().cloned().collect()
}

#[tokio::test]
async fn g04_answers_are_exact_for_any_number_of_rows() {
    for service in [Service::start().await, Service::with_owned_route().await] {
        let remote = uncached(&service).build().unwrap();
        let foreign = service.give("bob", "me", 2);
        for count in [0, 1, 49, 50, 51, 499, 500, 501, 4_999, 5_000, 5_001] {
            let ana = owner(&format!("ana-{count}"));
            let mine = service.give(ana.subject(), "me", count);
            let other = service.give(ana.subject(), "other", 1);
            let absent = [MediaId::random(), foreign[0].clone(), other[0].clone()];
            assert!(owned(&remote, &ana, &scope("me"), &absent).await.is_empty(), "{count}");
            // Up to three ids from the whole range.
            let some: Vec<_> = mine.iter().step_by(count / 3 + 1).cloned().collect();
            assert_eq!(owned(&remote, &ana, &scope("me"), &some).await, set(&some), "{count}");
            let mixed = [&some[..], &absent].concat();
            assert_eq!(owned(&remote, &ana, &scope("me"), &mixed).await, set(&some), "{count}");
            let all = [&mine[..], &absent].concat();
            assert_eq!(owned(&remote, &ana, &scope("me"), &all).await, set(&mine), "{count}");
            let any = owned(&remote, &ana, &Scopes::any(), &mixed).await;
            assert_eq!(any, set(&[&some[..], &other[..]].concat()), "{count}");
        }
    }
}

#[tokio::test]
async fn g04_ids_are_found_among_50_000_rows() {
    let service = Service::start().await;
    let remote = uncached(&service).build().unwrap();
    let mine = service.give("ana", "me", 50_000);
    let some = [mine[0].clone(), mine[25_000].clone(), mine[49_999].clone()];
    let mixed = [&some[..], &[MediaId::random()]].concat();
    assert_eq!(owned(&remote, &owner("ana"), &scope("me"), &mixed).await, set(&some));
}

#[tokio::test]
async fn g04_repeated_rows_hide_no_other_media() {
    let service = Service::start().await;
    let remote = uncached(&service).build().unwrap();
    let mine = service.give("ana", "me", 3);
    for _ in 0..600 {
        service.give_again("ana", "me", &mine[0]);
    }
    assert_eq!(owned(&remote, &owner("ana"), &scope("me"), &mine).await, set(&mine));
    let absent = [MediaId::random()];
    assert!(owned(&remote, &owner("ana"), &scope("me"), &absent).await.is_empty());
}

#[tokio::test]
async fn g04_media_that_is_not_ready_is_owned() {
    let service = Service::start().await;
    let remote = uncached(&service).build().unwrap();
    let ready = service.give("ana", "me", 2);
    service.stop_processing();
    let mine = [ready, service.give("ana", "me", 3)].concat();
    let mixed = [&mine[..], &[MediaId::random()]].concat();
    assert_eq!(owned(&remote, &owner("ana"), &scope("me"), &mixed).await, set(&mine));
}

#[tokio::test]
async fn g04_all_scopes_are_asked() {
    for service in [Service::start().await, Service::with_owned_route().await] {
        let remote = uncached(&service).build().unwrap();
        let names = ["a", "b", "c", "d", "e", "f", "g"];
        let mine: Vec<_> = names.iter().flat_map(|name| service.give("ana", name, 2)).collect();
        service.give_again("ana", "b", &mine[0]);
        let ana = owner("ana");
        for (n, name) in names.iter().enumerate() {
            let mut expected = set(&mine[2 * n..2 * n + 2]);
            expected.extend((*name == "b").then(|| mine[0].clone()));
            assert_eq!(owned(&remote, &ana, &scope(name), &mine).await, expected, "{name}");
        }
        let some = Scopes::of(["g", "a", "x"]).unwrap();
        let expected = set(&[&mine[..2], &mine[12..]].concat());
        assert_eq!(owned(&remote, &ana, &some, &mine).await, expected);
        assert_eq!(owned(&remote, &ana, &Scopes::any(), &mine).await, set(&mine));
        assert!(owned(&remote, &ana, &scope("x"), &mine).await.is_empty());
    }
}

#[tokio::test]
async fn g04_owners_and_scopes_are_escaped_in_queries() {
    for service in [Service::start().await, Service::with_owned_route().await] {
        let remote = uncached(&service).build().unwrap();
        let names =
            ["a", "a&app=b", "a=b", "a#b", "a%20b", "a b", "a+b", "a?b", "\u{e4}", "a;b", "a/b"];
        let mut ids = Vec::new();
        for user in names {
            for app in names {
                ids.push(service.give(user, app, 1).remove(0));
            }
        }
        for (u, user) in names.iter().enumerate() {
            for (a, app) in names.iter().enumerate() {
                let found = owned(&remote, &owner(user), &scope(app), &ids).await;
                assert_eq!(found, set(&ids[u * names.len() + a..][..1]), "{user} {app}");
            }
        }
    }
}

#[tokio::test]
async fn g04_capped_lists_are_an_outage_not_a_denial() {
    for (cap, count) in [(50, 80), (500, 501), (500, 700), (700, 900), (1_000, 6_000)] {
        let service = Service::start().await;
        service.cap_lists(cap);
        let remote = uncached(&service).build().unwrap();
        let mine = service.give("ana", "me", count);
        let error = query(&remote, &owner("ana"), &scope("me"), &mine).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{cap} of {count}");
        let absent = [MediaId::random()];
        let error = query(&remote, &owner("ana"), &scope("me"), &absent).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{cap} of {count}");

        // Owners with at most as many rows as the cap get exact answers.
        for count in [1, cap - 1, cap] {
            let who = owner(&format!("few-{count}"));
            let few = service.give(who.subject(), "me", count);
            let mixed = [&few[..], &absent].concat();
            let found = owned(&remote, &who, &scope("me"), &mixed).await;
            assert_eq!(found, set(&few), "{count} of {cap}");
        }
    }
}

#[tokio::test]
async fn g04_processing_media_do_not_hide_a_capped_list() {
    let service = Service::start().await;
    service.cap_lists(500);
    let remote = uncached(&service).build().unwrap();
    let ready = service.give("ana", "me", 400);
    service.stop_processing();
    service.give("ana", "me", 200);
    let error = query(&remote, &owner("ana"), &scope("me"), &ready).await;
    assert_eq!(error.unwrap_err().kind(), ErrorKind::Unavailable);
}

#[tokio::test]
async fn g04_too_many_rows_in_one_scope_do_not_affect_another() {
    let service = Service::start().await;
    let remote = uncached(&service).max_rows(100).build().unwrap();
    service.give("ana", "many", 101);
    let mine = service.give("ana", "few", 1);
    let both = Scopes::of(["many", "few"]).unwrap();
    assert_eq!(owned(&remote, &owner("ana"), &both, &mine).await, set(&mine));
    let absent = [MediaId::random()];
    let error = query(&remote, &owner("ana"), &both, &absent).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
}

#[tokio::test]
async fn g06_more_than_max_rows_is_a_logged_outage() {
    let log = Log::of("warn");
    let service = Service::start().await;
    for max in [1, 100, 500, 700] {
        let remote = uncached(&service).max_rows(max).build().unwrap();
        let (exact, over) = (format!("exact-{max}"), format!("over-{max}"));
        let mine = service.give(&exact, "me", max);
        service.give(&over, "me", max + 1);
        let mixed = [&mine[..], &[MediaId::random()]].concat();
        assert_eq!(owned(&remote, &owner(&exact), &scope("me"), &mixed).await, set(&mine), "{max}");
        assert_eq!(log.take(), "");
        let error = query(&remote, &owner(&over), &scope("me"), &mixed).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{max}");
        let logged = log.take();
        assert!(
            logged.contains("ERROR") && logged.contains(&format!("max_rows={max}")),
            "{logged}"
        );
    }
}

#[derive(Deserialize, MediaIds)]
struct Referring {
    ids: Vec<UnverifiedId>,
}

async fn handler(VerifiedMedia(Json(body), owned): VerifiedMedia<Json<Referring>>) -> String {
    body.ids.iter().map(|id| owned[id].to_string()).collect::<Vec<_>>().join(",")
}

/// Sends ids to a guarded route over this backend.
async fn through_guard(remote: &Remote, owner: &Owner, ids: &[MediaId]) -> (StatusCode, String) {
    let media = MediaState::new(remote.clone());
    let guard = VerifyMediaLayer::<Json<Referring>>::new(media.clone()).scopes(["me"]);
    let app: Router = Router::new()
        .route("/", post(handler).layer(guard))
        .layer(media.layer())
        .layer(axum::Extension(owner.clone()));
    let body = serde_json::json!({ "ids": ids }).to_string();
    let request = Request::post("/").header(CONTENT_TYPE, "application/json");
    let response = app.oneshot(request.body(Body::from(body)).unwrap()).await.unwrap();
    let status = response.status();
    let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn g05_absent_foreign_lost_and_wrong_scope_look_alike() {
    for service in [Service::start().await, Service::with_owned_route().await] {
        let remote = uncached(&service).build().unwrap();
        let mine = service.give("ana", "me", 2);
        let lost = mine[1].clone();
        service.lose(&lost);
        let foreign = service.give("bob", "me", 1).remove(0);
        let other = service.give("ana", "other", 1).remove(0);
        let ana = owner("ana");
        assert_eq!(
            through_guard(&remote, &ana, &mine[..1]).await,
            (StatusCode::OK, mine[0].to_string())
        );
        let mut answers = HashSet::new();
        for id in [MediaId::random(), lost, foreign, other] {
            let (status, text) = through_guard(&remote, &ana, &[mine[0].clone(), id.clone()]).await;
            assert_eq!(status, StatusCode::NOT_FOUND);
            answers.insert(text.replace(id.as_str(), "{id}"));
        }
        assert_eq!(answers.len(), 1, "{answers:?}");
    }
}

#[tokio::test]
async fn g01_undecided_ownership_is_an_outage_not_a_denial() {
    let service = Service::start().await;
    service.cap_lists(500);
    let remote = uncached(&service).build().unwrap();
    let mine = service.give("ana", "me", 501);
    let (status, _) = through_guard(&remote, &owner("ana"), &mine[..1]).await;
    assert!(matches!(status, StatusCode::OK | StatusCode::SERVICE_UNAVAILABLE));
    let (status, _) = through_guard(&remote, &owner("ana"), &[MediaId::random()]).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);

    service.answer_owned(Owned::Surplus);
    let remote = uncached(&service).build().unwrap();
    let error = query(&remote, &owner("ana"), &scope("me"), &mine[..1]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unexpected);
    let (status, _) = through_guard(&remote, &owner("ana"), &mine[..1]).await;
    assert_eq!(status, StatusCode::BAD_GATEWAY);

    service.answer_owned(Owned::Down);
    let (status, _) = through_guard(&remote, &owner("ana"), &mine[..1]).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn g09_an_owner_in_a_tenant_is_unsupported() {
    let service = Service::start().await;
    let remote = uncached(&service).build().unwrap();
    let mine = service.give("ana", "me", 1);
    let namesake = owner("ana").with_tenant("acme").unwrap();
    let error = query(&remote, &namesake, &scope("me"), &mine).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    // A wiring error, which a retry does not fix.
    let (status, _) = through_guard(&remote, &namesake, &mine).await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(service.count("list") + service.count("owned"), 0);
}

#[tokio::test]
async fn g06_owned_queries_have_at_most_500_ids() {
    let service = Service::with_owned_route().await;
    let remote = uncached(&service).build().unwrap();
    let mine = service.give("ana", "me", 1_001);
    for (count, chunks) in
        [(1, vec![1]), (500, vec![500]), (501, vec![500, 1]), (1_001, vec![500, 500, 1])]
    {
        let before = service.owned_queries().len();
        let found = owned(&remote, &owner("ana"), &scope("me"), &mine[..count]).await;
        assert_eq!(found, set(&mine[..count]));
        assert_eq!(service.owned_queries()[before..], chunks);
    }
    assert_eq!(service.count("list") + service.count("list/all"), 0);
}

#[tokio::test]
async fn g06_missing_owned_route_is_not_retried_for_a_minute() {
    for answer in [Owned::Unknown, Owned::OtherMethods] {
        let service = Service::start().await;
        service.answer_owned(answer);
        let remote = uncached(&service).build().unwrap();
        let mine = service.give("ana", "me", 3);
        for _ in 0..3 {
            assert_eq!(owned(&remote, &owner("ana"), &scope("me"), &mine).await, set(&mine));
        }
        assert_eq!((service.count("owned"), service.count("list")), (1, 3));

        service.answer_owned(Owned::Known);
        assert_eq!(owned(&remote, &owner("ana"), &scope("me"), &mine).await, set(&mine));
        assert_eq!((service.count("owned"), service.count("list")), (1, 4));
        advance_a_minute().await;
        assert_eq!(owned(&remote, &owner("ana"), &scope("me"), &mine).await, set(&mine));
        assert_eq!((service.count("owned"), service.count("list")), (2, 4));
    }
}

/// Advances the paused clock while no request is in flight.
async fn advance_a_minute() {
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(61)).await;
    tokio::time::resume();
}

/// The state of one id in the model.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Place {
    Absent,
    Lost,
    Of { ana: bool, app: usize, times: usize },
}

const APPS: [&str; 3] = ["a", "b", "c"];

fn place() -> impl Strategy<Value = Place> {
    prop_oneof![
        1 => Just(Place::Absent),
        1 => Just(Place::Lost),
        4 => (any::<bool>(), 0..APPS.len(), 1..4_usize)
            .prop_map(|(ana, app, times)| Place::Of { ana, app, times }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(48) })]

    #[test]
    fn g04_verdicts_match_the_model(
        places in vec(place(), 0..40),
        apps in proptest::sample::subsequence(vec![0, 1, 2], 0..=3),
        cap in prop_oneof![3 => Just(None), 1 => (1..20_usize).prop_map(Some)],
        knows in any::<bool>(),
        max_rows in prop_oneof![3 => Just(100_000_usize), 1 => 1..60_usize],
    ) {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_all().build().unwrap();
        runtime.block_on(verify_verdict(&places, &apps, cap, knows, max_rows))?;
    }
}

async fn verify_verdict(
    places: &[Place],
    apps: &[usize],
    cap: Option<usize>,
    knows: bool,
    max_rows: usize,
) -> Result<(), TestCaseError> {
    let service = if knows { Service::with_owned_route().await } else { Service::start().await };
    if let Some(cap) = cap {
        service.cap_lists(cap);
    }
    let mut ids = Vec::new();
    for place in places {
        ids.push(match *place {
            Place::Absent => MediaId::random(),
            Place::Lost => {
                let id = service.give("ana", "a", 1).remove(0);
                service.lose(&id);
                id
            }
            Place::Of { ana, app, times } => {
                let user = if ana { "ana" } else { "bob" };
                let id = service.give(user, APPS[app], 1).remove(0);
                (1..times).for_each(|_| service.give_again(user, APPS[app], &id));
                id
            }
        });
    }
    let scopes = match apps {
        [] => Scopes::any(),
        apps => Scopes::of(apps.iter().map(|app| APPS[*app])).unwrap(),
    };
    let is_owned = |place: &Place| match place {
        Place::Of { ana, app, .. } => *ana && (apps.is_empty() || apps.contains(app)),
        _ => false,
    };
    let expected: HashSet<MediaId> = ids
        .iter()
        .zip(places)
        .filter(|(_, place)| is_owned(place))
        .map(|(id, _)| id.clone())
        .collect();
    let remote = uncached(&service).max_rows(max_rows).build().unwrap();
    match query(&remote, &owner("ana"), &scopes, &ids).await {
        Ok(owned) => prop_assert_eq!(owned, expected),
        Err(error) => {
            prop_assert_eq!(error.kind(), ErrorKind::Unavailable);
            prop_assert!(!knows && (cap.is_some() || max_rows < 1_000));
        }
    }
    Ok(())
}
