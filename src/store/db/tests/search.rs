//! Filters, orders and totals of searches.

use std::time::UNIX_EPOCH;

use super::{Engine, TestDb, each_engine, entry, in_scope, owner};
use crate::{
    id::ContentHash,
    media::{Exif, MediaStatus, SearchOptions, SortBy},
    owner::{Owner, Scopes},
    store::db::{MediaRow, NewMedia},
};

async fn found(db: &TestDb, owner: &Owner, options: &SearchOptions) -> (Vec<String>, u64) {
    let matches = db.db.search(owner, options).await.expect("a search");
    let name = |row: MediaRow| row.file_name.expect("a name");
    (matches.rows.into_iter().map(name).collect(), matches.total)
}

fn taken(
    entry: NewMedia,
    name: &str,
    date: Option<&str>,
    place: (Option<&str>, Option<&str>),
) -> NewMedia {
    let exif = Exif {
        date_taken: date.map(str::to_owned),
        gps_latitude: place.0.map(str::to_owned),
        gps_longitude: place.1.map(str::to_owned),
        ..Exif::default()
    };
    NewMedia { file_name: Some(name.to_owned()), exif: Some(exif), ..entry }
}

/// Four ready media of Ana, one failed, and one of another owner.
async fn gallery(engine: Engine) -> (TestDb, Owner) {
    let (db, ana) = (TestDb::new(engine).await, owner("ana"));
    let both = (Some("1"), Some("2"));
    for (entry, scope) in [
        (taken(entry(&ana, "aaaa"), "old", Some("1999-05-06T00:00:00.000Z"), both), "me"),
        (taken(entry(&ana, "b"), "undated", None, (Some("1"), None)), "me"),
        (taken(entry(&ana, "cc"), "new", Some("2024-01-01T00:00:00.000Z"), (None, None)), "album"),
        (
            NewMedia {
                mime_type: "text/plain".to_owned(),
                exif: None,
                ..taken(entry(&ana, "ddd"), "text", None, both)
            },
            "album",
        ),
        (
            NewMedia {
                status: MediaStatus::Failed,
                ..taken(entry(&ana, "e"), "failed", None, both)
            },
            "me",
        ),
        (taken(entry(&owner("bob"), "f"), "foreign", None, both), "me"),
    ] {
        db.insert(&in_scope(&entry, scope)).await;
    }
    (db, ana)
}

async fn undated_media_sort_last_and_ties_by_arrival(engine: Engine) {
    let (db, ana) = gallery(engine).await;
    for (by, ascending, expected) in [
        (SortBy::CreatedAt, false, ["text", "new", "undated", "old"]),
        (SortBy::CreatedAt, true, ["old", "undated", "new", "text"]),
        (SortBy::Size, false, ["old", "text", "new", "undated"]),
        (SortBy::Size, true, ["undated", "new", "text", "old"]),
        (SortBy::DateTaken, false, ["text", "undated", "new", "old"]),
        (SortBy::DateTaken, true, ["old", "new", "undated", "text"]),
    ] {
        let options = SearchOptions::new().with_sort(by, ascending);
        let all = expected.map(str::to_owned).to_vec();
        assert_eq!(found(&db, &ana, &options).await, (all.clone(), 4), "{by:?} {ascending}");
        let page = options.with_limit(2).with_offset(1);
        assert_eq!(found(&db, &ana, &page).await, (all[1..3].to_vec(), 4), "{by:?} {ascending}");
    }
}

async fn filters_are_exact(engine: Engine) {
    let (db, ana) = gallery(engine).await;
    let scopes = |names: &[&str]| Scopes::of(names.iter().copied()).expect("scopes");
    let all = SearchOptions::new();
    for (options, expected) in [
        (all.clone().with_location(), vec!["old"]),
        (all.clone().with_mime_type("text/*"), vec!["text"]),
        (all.clone().with_mime_type("text/plain"), vec!["text"]),
        (all.clone().with_mime_type("TEXT/plain"), vec![]),
        (all.clone().with_mime_type("text/"), vec![]),
        (all.clone().with_mime_type("t%/*"), vec![]),
        (all.clone().with_mime_type("*"), vec![]),
        (all.clone().with_scopes(scopes(&["album"])), vec!["text", "new"]),
        (all.clone().with_scopes(scopes(&["album", "me"])), vec!["text", "new", "undated", "old"]),
        (all.clone().with_scopes(scopes(&["none"])), vec![]),
        (all.clone().with_to(UNIX_EPOCH), vec![]),
        (all.clone().with_from(UNIX_EPOCH), vec!["text", "new", "undated", "old"]),
        (all.clone().with_from(super::soon()), vec![]),
    ] {
        let names: Vec<String> = expected.iter().map(|name| (*name).to_owned()).collect();
        let total = names.len() as u64;
        assert_eq!(found(&db, &ana, &options).await, (names, total), "{options:?}");
    }
    assert_eq!(found(&db, &owner("zoe"), &all).await, (vec![], 0));
}

async fn time_filters_compare_whole_milliseconds(engine: Engine) {
    let (db, ana) = (TestDb::new(engine).await, owner("ana"));
    let row = db.insert(&entry(&ana, "one")).await;
    for options in [
        SearchOptions::new().with_to(row.created_at),
        SearchOptions::new().with_from(row.created_at),
        SearchOptions::new().with_from(row.created_at + std::time::Duration::from_micros(999)),
    ] {
        assert_eq!(found(&db, &ana, &options).await.1, 1, "{options:?}");
    }
}

async fn find_by_hash_finds_content_while_it_is_referenced(engine: Engine) {
    let db = TestDb::new(engine).await;
    let first = db.insert(&entry(&owner("zoe"), "same")).await;
    let second = db.insert(&entry(&owner("ana"), "same")).await;
    let find = async || db.db.find_by_hash(ContentHash::of(b"same")).await.expect("a query");
    assert_eq!(find().await, Some(first.clone()));
    db.db.delete(&first.owner, &first.id).await.expect("a deletion");
    assert_eq!(find().await, Some(second));
    assert_eq!(db.db.find_by_hash(ContentHash::of(b"none")).await.expect("a query"), None);
}

each_engine! {
    undated_media_sort_last_and_ties_by_arrival,
    filters_are_exact,
    time_filters_compare_whole_milliseconds,
    find_by_hash_finds_content_while_it_is_referenced,
}
