//! Checks of ownership answers.

use futures_util::{StreamExt as _, stream};

use super::checker::{Checker, new_image, new_owner, scopes};
use crate::{
    backend::MediaBackend,
    error::ErrorKind,
    id::MediaId,
    media::Upload,
    owner::{Owner, Scopes},
    ownership::{OwnershipQuestion, OwnershipStatus},
};

/// The scope of the queries, and another one.
const ASKED: &str = "asked";
const OTHER: &str = "other";

/// Sizes around the typical limits of scans, chunks, pages and parameter lists.
const SIZES: [usize; 12] = [0, 1, 2, 15, 16, 17, 255, 256, 257, 500, 501, 1_000];

/// The relation of an id to the owner of the queries.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Case {
    Owned,
    OwnedTwice,
    OtherScope,
    OtherOwner,
    OtherTenant,
    Deleted,
    Unknown,
}

impl Case {
    const ALL: [Self; 7] = [
        Self::Owned,
        Self::OwnedTwice,
        Self::OtherScope,
        Self::OtherOwner,
        Self::OtherTenant,
        Self::Deleted,
        Self::Unknown,
    ];

    fn status(self) -> OwnershipStatus {
        match self {
            Self::Owned | Self::OwnedTwice => OwnershipStatus::Owned,
            Self::OtherScope => OwnershipStatus::WrongScope,
            Self::OtherOwner | Self::OtherTenant => OwnershipStatus::Foreign,
            Self::Deleted | Self::Unknown => OwnershipStatus::Absent,
        }
    }

    fn is_owned(self) -> bool {
        self.status() == OwnershipStatus::Owned
    }
}

/// Makes ids for each case.
struct Cases<'a, B> {
    check: &'a Checker<'a, B>,
    owner: Owner,
    in_other_tenant: Owner,
    other_owner: Owner,
}

impl<'a, B: MediaBackend> Cases<'a, B> {
    fn new(check: &'a Checker<'a, B>) -> Self {
        let owner = new_owner();
        let in_other_tenant = owner.clone().with_tenant("elsewhere").expect("a tenant");
        Self { check, owner, in_other_tenant, other_owner: new_owner() }
    }

    async fn make(&self, case: Case) -> MediaId {
        let Self { check, owner, in_other_tenant, other_owner } = self;
        match case {
            Case::Owned => check.upload_new(owner, ASKED).await.id,
            Case::OwnedTwice => {
                let bytes = new_image();
                let upload = |scope: &str| Upload::new(bytes.clone()).scope(scope);
                check.upload(owner, upload(OTHER)).await;
                check.upload(owner, upload(ASKED)).await.id
            }
            Case::OtherScope => check.upload_new(owner, OTHER).await.id,
            Case::OtherOwner => check.upload_new(other_owner, ASKED).await.id,
            Case::OtherTenant => {
                let upload = Upload::new(new_image()).scope(ASKED);
                match check.backend.upload(in_other_tenant, upload).await {
                    // A backend without tenants has no media of this owner.
                    Err(error) if error.kind() == ErrorKind::Unsupported => MediaId::random(),
                    uploaded => check.ok("an upload", uploaded).id,
                }
            }
            Case::Deleted => {
                let id = check.upload_new(owner, ASKED).await.id;
                check.delete(owner, &id).await;
                id
            }
            Case::Unknown => MediaId::random(),
        }
    }
}

/// The answer has exactly the owned ids of the query, for every number of ids. Ids that are not owned
/// are not an error.
pub(super) async fn ownership_answer_is_exact<B: MediaBackend>(check: &Checker<'_, B>) {
    let cases = Cases::new(check);
    // Two thirds are owned, so that a single list page does not contain them all.
    let case = |n: usize| if n.is_multiple_of(3) { Case::ALL[n / 3 % 7] } else { Case::Owned };
    let count = SIZES[SIZES.len() - 1];
    let ids: Vec<MediaId> =
        stream::iter(0..count).map(|n| cases.make(case(n))).buffered(16).collect().await;
    let (owned, others): (Vec<_>, Vec<_>) =
        ids.iter().enumerate().partition(|(n, _)| case(*n).is_owned());

    let asked = scopes([ASKED]);
    for size in SIZES {
        let mixed: Vec<_> = ids.iter().enumerate().take(size).collect();
        for question in [&mixed, &owned, &others] {
            let question = &question[..size.min(question.len())];
            let asked_ids: Vec<&MediaId> = question.iter().map(|(_, id)| *id).collect();
            let answer = check.owned(&cases.owner, &asked, &asked_ids).await;
            let expected = question.iter().filter(|(n, _)| case(*n).is_owned()).map(|(_, id)| *id);
            check.same_ids(
                format_args!("the answer about {} ids", question.len()),
                &answer,
                expected,
            );
        }
    }
}

/// Ownership in at least one of the scopes counts; without scopes, ownership in any scope.
pub(super) async fn ownership_in_any_scope_counts<B: MediaBackend>(check: &Checker<'_, B>) {
    let (owner, shared) = (new_owner(), new_image());
    let a = check.upload_new(&owner, "a").await.id;
    let b = check.upload_new(&owner, "b").await.id;
    let upload = |scope: &str| Upload::new(shared.clone()).scope(scope);
    let ab = check.upload(&owner, upload("a")).await.id;
    check.upload(&owner, upload("b")).await;
    for (asked, expected) in [
        (Scopes::any(), vec![&a, &b, &ab]),
        (scopes(["a"]), vec![&a, &ab]),
        (scopes(["b", "a"]), vec![&a, &b, &ab]),
        (scopes(["c", "b"]), vec![&b, &ab]),
        (scopes(["c", "d"]), vec![]),
    ] {
        let answer = check.owned(&owner, &asked, &[&a, &b, &ab]).await;
        check.same_ids(format_args!("the answer for {asked:?}"), &answer, expected);
    }
}

/// A repeated id in the query has the same answer as a single one.
pub(super) async fn repeated_ids_change_nothing<B: MediaBackend>(check: &Checker<'_, B>) {
    let cases = Cases::new(check);
    let owned = [cases.make(Case::Owned).await, cases.make(Case::OwnedTwice).await];
    let others = [cases.make(Case::OtherOwner).await, cases.make(Case::Unknown).await];
    for times in [2, 300] {
        let question: Vec<_> = (0..times).flat_map(|_| owned.iter().chain(&others)).collect();
        let answer = check.owned(&cases.owner, &scopes([ASKED]), &question).await;
        check.same_ids(format_args!("the answer to {times} repeats"), &answer, &owned);
    }
}

/// An id has one spelling. Other spellings of the same UUID, and patterns that match it, are other ids
/// (promise G10).
pub(super) async fn ids_are_compared_by_bytes<B: MediaBackend>(check: &Checker<'_, B>) {
    let owner = new_owner();
    // Twice, because an id may consist of digits only.
    for _ in 0..2 {
        let id = check.upload_new(&owner, ASKED).await.id;
        let text = id.as_str();
        let spellings = [
            text.to_uppercase(),
            text.to_lowercase(),
            text.replace('-', ""),
            format!("urn:uuid:{text}"),
            format!("{text}."),
            format!("0{text}"),
            text[..text.len() - 1].to_owned(),
            text.chars().map(|_| '_').collect(),
        ];
        for spelling in spellings.iter().filter(|spelling| *spelling != text) {
            let Ok(other) = MediaId::from_trusted(spelling) else { continue };
            let answer = check.owned(&owner, &Scopes::any(), &[&other, &id]).await;
            check.same_ids(
                format_args!("the answer about {spelling} beside {text}"),
                &answer,
                [&id],
            );
            check.is_unknown(&other).await;
            check.equal("the deletion", check.delete(&owner, &other).await, false);
        }
        check.holds(check.owns(&owner, &Scopes::any(), &id).await, "no longer owned");
    }
}

/// An explanation has the true status of each id, in the order of the query. A backend may answer
/// `Unsupported`.
pub(super) async fn explanation_is_true<B: MediaBackend>(check: &Checker<'_, B>) {
    let cases = Cases::new(check);
    let asked = scopes([ASKED]);
    let mut ids = Vec::new();
    for case in Case::ALL {
        ids.push(cases.make(case).await);
    }
    let question = OwnershipQuestion::new(&cases.owner, &asked, &ids);
    match check.backend.explain(&question).await {
        Ok(statuses) => check.equal("the statuses", statuses, Case::ALL.map(Case::status)),
        Err(error) => check.equal("the error", error.kind(), ErrorKind::Unsupported),
    }
}
