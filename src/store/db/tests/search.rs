//! Lists with filters, in any order.

use std::time::UNIX_EPOCH;

use super::{Lab, entry, in_scope, owner};
use crate::{
    id::ContentHash,
    media::{Exif, MediaStatus, SearchOptions, SortBy},
    owner::{Owner, Scopes},
    store::db::{Database as _, Entry, Row},
};

async fn found(lab: &Lab, owner: &Owner, options: &SearchOptions) -> (Vec<String>, u64) {
    let matches = lab.db.search(owner, options).await.expect("a search");
    let name = |row: Row| row.file_name.expect("a name");
    (matches.rows.into_iter().map(name).collect(), matches.total)
}

fn taken(
    entry: Entry,
    name: &str,
    date: Option<&str>,
    place: (Option<&str>, Option<&str>),
) -> Entry {
    let exif = Exif {
        date_taken: date.map(str::to_owned),
        gps_latitude: place.0.map(str::to_owned),
        gps_longitude: place.1.map(str::to_owned),
        ..Exif::default()
    };
    Entry { file_name: Some(name.to_owned()), exif: Some(exif), ..entry }
}

/// Four of Ana's that are ready, one that is not, and one of somebody else.
async fn gallery() -> (Lab, Owner) {
    let (lab, ana) = (Lab::new().await, owner("ana"));
    let both = (Some("1"), Some("2"));
    for (entry, scope) in [
        (taken(entry(&ana, "aaaa"), "old", Some("1999-05-06T00:00:00.000Z"), both), "me"),
        (taken(entry(&ana, "b"), "undated", None, (Some("1"), None)), "me"),
        (taken(entry(&ana, "cc"), "new", Some("2024-01-01T00:00:00.000Z"), (None, None)), "album"),
        (
            Entry {
                mime_type: "text/plain".to_owned(),
                exif: None,
                ..taken(entry(&ana, "ddd"), "text", None, both)
            },
            "album",
        ),
        (
            Entry { status: MediaStatus::Failed, ..taken(entry(&ana, "e"), "failed", None, both) },
            "me",
        ),
        (taken(entry(&owner("bob"), "f"), "foreign", None, both), "me"),
    ] {
        lab.insert(&in_scope(&entry, scope)).await;
    }
    (lab, ana)
}

#[tokio::test]
async fn what_has_no_date_sorts_as_the_latest_and_equals_by_arrival() {
    let (lab, ana) = gallery().await;
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
        assert_eq!(found(&lab, &ana, &options).await, (all.clone(), 4), "{by:?} {ascending}");
        let page = options.with_limit(2).with_offset(1);
        assert_eq!(found(&lab, &ana, &page).await, (all[1..3].to_vec(), 4), "{by:?} {ascending}");
    }
}

#[tokio::test]
async fn filters_are_exact() {
    let (lab, ana) = gallery().await;
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
        assert_eq!(found(&lab, &ana, &options).await, (names, total), "{options:?}");
    }
    assert_eq!(found(&lab, &owner("nobody"), &all).await, (vec![], 0));
}

#[tokio::test]
async fn a_time_counts_in_the_milliseconds_that_it_is_shown_in() {
    let (lab, ana) = (Lab::new().await, owner("ana"));
    let row = lab.insert(&entry(&ana, "one")).await;
    for options in [
        SearchOptions::new().with_to(row.created_at),
        SearchOptions::new().with_from(row.created_at),
        SearchOptions::new().with_from(row.created_at + std::time::Duration::from_micros(999)),
    ] {
        assert_eq!(found(&lab, &ana, &options).await.1, 1, "{options:?}");
    }
}

#[tokio::test]
async fn content_is_found_as_long_as_somebody_has_it() {
    let lab = Lab::new().await;
    let first = lab.insert(&entry(&owner("zoe"), "same")).await;
    let second = lab.insert(&entry(&owner("ana"), "same")).await;
    let find = async || lab.db.find_by_hash(ContentHash::of(b"same")).await.expect("a look");
    assert_eq!(find().await, Some(first.clone()));
    lab.db.delete(&first.owner, &first.id).await.expect("a removal");
    assert_eq!(find().await, Some(second));
    assert_eq!(lab.db.find_by_hash(ContentHash::of(b"none")).await.expect("a look"), None);
}
