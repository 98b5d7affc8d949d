//! What the answer about ownership promises.

use futures_util::{StreamExt as _, stream};

use super::lab::{Lab, new_owner, new_picture, scopes};
use crate::{
    backend::MediaBackend,
    error::ErrorKind,
    id::MediaId,
    owner::{Owner, Scopes},
    ownership::{OwnershipQuestion, OwnershipStatus},
    upload::Upload,
};

/// The scope that questions are about, and one that they are not about.
const ASKED: &str = "asked";
const OTHER: &str = "other";

/// Round the sizes at which scans, chunks, pages and parameter lists tend to end.
const SIZES: [usize; 12] = [0, 1, 2, 15, 16, 17, 255, 256, 257, 500, 501, 1_000];

/// Why an id is owned, or is not.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Case {
    Owned,
    OwnedTwice,
    OtherScope,
    OtherOwner,
    OtherTenant,
    Removed,
    Unknown,
}

impl Case {
    const ALL: [Self; 7] = [
        Self::Owned,
        Self::OwnedTwice,
        Self::OtherScope,
        Self::OtherOwner,
        Self::OtherTenant,
        Self::Removed,
        Self::Unknown,
    ];

    fn standing(self) -> OwnershipStatus {
        match self {
            Self::Owned | Self::OwnedTwice => OwnershipStatus::Owned,
            Self::OtherScope => OwnershipStatus::WrongScope,
            Self::OtherOwner | Self::OtherTenant => OwnershipStatus::Foreign,
            Self::Removed | Self::Unknown => OwnershipStatus::Absent,
        }
    }

    fn is_owned(self) -> bool {
        self.standing() == OwnershipStatus::Owned
    }
}

/// An id for each case, in questions of one owner.
struct Cases<'a, B> {
    lab: &'a Lab<'a, B>,
    owner: Owner,
    namesake: Owner,
    stranger: Owner,
}

impl<'a, B: MediaBackend> Cases<'a, B> {
    fn new(lab: &'a Lab<'a, B>) -> Self {
        let owner = new_owner();
        let namesake = owner.clone().with_tenant("elsewhere").expect("a tenant");
        Self { lab, owner, namesake, stranger: new_owner() }
    }

    async fn make(&self, case: Case) -> MediaId {
        let Self { lab, owner, namesake, stranger } = self;
        match case {
            Case::Owned => lab.upload_new(owner, ASKED).await.id,
            Case::OwnedTwice => {
                let bytes = new_picture();
                let upload = |scope: &str| Upload::new(bytes.clone()).owned_by(owner).scope(scope);
                lab.upload(upload(OTHER)).await;
                lab.upload(upload(ASKED)).await.id
            }
            Case::OtherScope => lab.upload_new(owner, OTHER).await.id,
            Case::OtherOwner => lab.upload_new(stranger, ASKED).await.id,
            Case::OtherTenant => {
                let upload = Upload::new(new_picture()).owned_by(namesake).scope(ASKED);
                match lab.backend.upload(upload).await {
                    // A backend without tenants has nothing of an owner in one.
                    Err(error) if error.kind() == ErrorKind::Unsupported => MediaId::random(),
                    uploaded => lab.ok("an upload", uploaded).id,
                }
            }
            Case::Removed => {
                let id = lab.upload_new(owner, ASKED).await.id;
                lab.remove(owner, &id).await;
                id
            }
            Case::Unknown => MediaId::random(),
        }
    }
}

/// Of a question with any number of ids, exactly the owned ones are answered; whatever is wrong with
/// the others is no error.
pub async fn owned_answers_exactly(backend: &impl MediaBackend) {
    let lab = Lab::new(backend, "owned_answers_exactly");
    let cases = Cases::new(&lab);
    // Mostly owned, so that more are owned than are listed at once.
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
            let answer = lab.owned(&cases.owner, &asked, &asked_ids).await;
            let expected = question.iter().filter(|(n, _)| case(*n).is_owned()).map(|(_, id)| *id);
            lab.same_ids(
                format_args!("the answer about {} ids", question.len()),
                &answer,
                expected,
            );
        }
    }
}

/// Owned in one of the scopes asked is enough; without scopes any will do.
pub async fn owned_in_any_of_the_scopes(backend: &impl MediaBackend) {
    let lab = Lab::new(backend, "owned_in_any_of_the_scopes");
    let (owner, shared) = (new_owner(), new_picture());
    let a = lab.upload_new(&owner, "a").await.id;
    let b = lab.upload_new(&owner, "b").await.id;
    let upload = |scope: &str| Upload::new(shared.clone()).owned_by(&owner).scope(scope);
    let ab = lab.upload(upload("a")).await.id;
    lab.upload(upload("b")).await;
    for (asked, expected) in [
        (Scopes::any(), vec![&a, &b, &ab]),
        (scopes(["a"]), vec![&a, &ab]),
        (scopes(["b", "a"]), vec![&a, &b, &ab]),
        (scopes(["c", "b"]), vec![&b, &ab]),
        (scopes(["c", "d"]), vec![]),
    ] {
        let answer = lab.owned(&owner, &asked, &[&a, &b, &ab]).await;
        lab.same_ids(format_args!("the answer for {asked:?}"), &answer, expected);
    }
}

/// An id that stands in a question more than once is answered like one that stands there once.
pub async fn repeats_in_the_question_change_nothing(backend: &impl MediaBackend) {
    let lab = Lab::new(backend, "repeats_in_the_question_change_nothing");
    let cases = Cases::new(&lab);
    let owned = [cases.make(Case::Owned).await, cases.make(Case::OwnedTwice).await];
    let others = [cases.make(Case::OtherOwner).await, cases.make(Case::Unknown).await];
    for times in [2, 300] {
        let question: Vec<_> = (0..times).flat_map(|_| owned.iter().chain(&others)).collect();
        let answer = lab.owned(&cases.owner, &scopes([ASKED]), &question).await;
        lab.same_ids(format_args!("the answer to {times} repeats"), &answer, &owned);
    }
}

/// An id has one spelling: what a parser of UUIDs or a pattern match would take for it is another
/// id (promise G10).
pub async fn ids_are_compared_by_bytes(backend: &impl MediaBackend) {
    let lab = Lab::new(backend, "ids_are_compared_by_bytes");
    let owner = new_owner();
    // A second one, in case the letters of the first have no upper case.
    for _ in 0..2 {
        let id = lab.upload_new(&owner, ASKED).await.id;
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
            let answer = lab.owned(&owner, &Scopes::any(), &[&other, &id]).await;
            lab.same_ids(format_args!("the answer about {spelling} beside {text}"), &answer, [&id]);
            lab.is_unknown(&other).await;
            lab.equal("the removal", lab.remove(&owner, &other).await, false);
        }
        lab.holds(lab.owns(&owner, &Scopes::any(), &id).await, "no longer owned");
    }
}

/// What the operator is told of each id, in the order asked, is true; a backend may also not
/// explain itself.
pub async fn explanation_agrees_with_answer(backend: &impl MediaBackend) {
    let lab = Lab::new(backend, "explanation_agrees_with_answer");
    let cases = Cases::new(&lab);
    let asked = scopes([ASKED]);
    let mut ids = Vec::new();
    for case in Case::ALL {
        ids.push(cases.make(case).await);
    }
    let question = OwnershipQuestion::new(&cases.owner, &asked, &ids);
    match backend.explain(&question).await {
        Ok(standings) => lab.equal("the standings", standings, Case::ALL.map(Case::standing)),
        Err(error) => lab.equal("the error", error.kind(), ErrorKind::Unsupported),
    }
}
