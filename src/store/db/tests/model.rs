//! Property test: any sequence of writes, compared with a model in memory.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use proptest::{collection::vec, prelude::*};

use super::{Engine, TestDb, entry, in_scope, owner};
use crate::{
    id::{ContentHash, MediaId},
    media::{ListOptions, MediaStats},
    owner::{Owner, Scopes},
    ownership::{OwnershipQuestion, OwnershipStatus},
};

/// Owners and scopes that collide if they are joined with separators.
fn owners() -> Vec<Owner> {
    let tenant = |subject, name| owner(subject).with_tenant(name).expect("a tenant");
    vec![owner("a"), owner("a:b"), tenant("b", "a"), tenant("a", "b"), tenant("a:b", "a")]
}

const SCOPES: [&str; 4] = ["a", "a:b", "'", "a/b"];
const CONTENTS: [&str; 5] = ["", "x", "xx", "xxx", "xxxx"];

#[derive(Debug, Clone)]
enum Change {
    Insert {
        owner: usize,
        scope: usize,
        content: usize,
    },
    /// `owner` tries to delete media of `holder`.
    Delete {
        owner: usize,
        holder: usize,
        content: usize,
    },
    Erase {
        owner: usize,
    },
    Reserve {
        content: usize,
    },
    Collect,
}

fn change() -> impl Strategy<Value = Change> {
    let (owner, scope, content) = (0..5_usize, 0..4_usize, 0..5_usize);
    prop_oneof![
        8 => (owner.clone(), scope, content.clone())
            .prop_map(|(owner, scope, content)| Change::Insert { owner, scope, content }),
        4 => (owner.clone(), owner.clone(), content.clone(), any::<bool>()).prop_map(
            |(owner, holder, content, own)| {
                Change::Delete { owner: if own { holder } else { owner }, holder, content }
            }
        ),
        1 => owner.prop_map(|owner| Change::Erase { owner }),
        1 => content.prop_map(|content| Change::Reserve { content }),
        1 => Just(Change::Collect),
    ]
}

struct Item {
    id: MediaId,
    scopes: BTreeSet<usize>,
    arrival: usize,
}

#[derive(Default)]
struct Model {
    items: BTreeMap<(usize, usize), Item>,
    arrivals: usize,
    unreferenced: BTreeSet<usize>,
    deleted: Vec<MediaId>,
}

impl Model {
    async fn make(&mut self, db: &TestDb, change: Change) {
        match change {
            Change::Insert { owner, scope, content } => {
                let entry = entry(&owners()[owner], CONTENTS[content]);
                let row = db.insert(&in_scope(&entry, SCOPES[scope])).await;
                let item = self.items.entry((owner, content)).or_insert_with(|| {
                    self.arrivals += 1;
                    let (id, arrival) = (row.id.clone(), self.arrivals);
                    Item { id, scopes: BTreeSet::new(), arrival }
                });
                assert_eq!(row.id, item.id);
                item.scopes.insert(scope);
                self.unreferenced.remove(&content);
            }
            Change::Delete { owner, holder, content } => {
                let Some(item) = self.items.get(&(holder, content)) else { return };
                let removed = db.db.delete(&owners()[owner], &item.id).await;
                assert_eq!(removed.expect("no error").is_some(), owner == holder);
                if owner == holder {
                    self.drop_item(owner, content);
                }
            }
            Change::Erase { owner } => {
                let erased = db.db.erase_owner(&owners()[owner]).await.expect("no error");
                let had = self.library(owner, |_| true);
                assert_eq!(erased, had.into_iter().rev().collect::<Vec<_>>());
                (0..CONTENTS.len()).for_each(|content| self.drop_item(owner, content));
            }
            Change::Reserve { content } => {
                db.reserve(CONTENTS[content]).await;
                if !self.is_referenced(content) {
                    self.unreferenced.insert(content);
                }
            }
            Change::Collect => {
                let claimed = db.db.claim_unreferenced(Duration::ZERO, 9).await.expect("no error");
                assert_eq!(claimed, self.unreferenced.len());
                let dead = db.db.dead_blobs(Duration::ZERO, 9).await.expect("no error");
                assert_eq!(dead.len(), claimed);
                db.db.forget_dead(&dead).await.expect("no error");
                self.unreferenced.clear();
            }
        }
    }

    fn drop_item(&mut self, owner: usize, content: usize) {
        let Some(item) = self.items.remove(&(owner, content)) else { return };
        self.deleted.push(item.id);
        if !self.is_referenced(content) {
            self.unreferenced.insert(content);
        }
    }

    fn is_referenced(&self, content: usize) -> bool {
        self.items.keys().any(|(_, held)| *held == content)
    }

    /// The ids of an owner, newest first.
    fn library(&self, owner: usize, is_in: impl Fn(&Item) -> bool) -> Vec<MediaId> {
        let mut items: Vec<&Item> = (self.items.iter())
            .filter(|((whose, _), item)| *whose == owner && is_in(item))
            .map(|(_, item)| item)
            .collect();
        items.sort_by_key(|item| std::cmp::Reverse(item.arrival));
        items.into_iter().map(|item| item.id.clone()).collect()
    }

    async fn compare(&self, db: &TestDb) {
        let all: Vec<MediaId> = self.items.values().map(|item| item.id.clone()).collect();
        let asked: Vec<MediaId> = all.iter().chain(&self.deleted).cloned().collect();
        let mut unreferenced = db.unreferenced().await;
        unreferenced.sort();
        let hash = |content: &usize| ContentHash::of(CONTENTS[*content].as_bytes());
        let mut expected: Vec<_> = self.unreferenced.iter().map(hash).collect();
        expected.sort();
        assert_eq!(unreferenced, expected);

        for (number, owner) in owners().iter().enumerate() {
            let held = self.items.keys().filter(|(whose, _)| *whose == number);
            let bytes = held.map(|(_, content)| CONTENTS[*content].len() as u64).sum();
            let count = self.library(number, |_| true).len() as u64;
            assert_eq!(db.stats(owner).await, MediaStats::new(count, bytes));
            for wanted in [vec![], vec![0], vec![1, 2], vec![3], vec![0, 1, 2, 3]] {
                let scopes = match &wanted[..] {
                    [] => Scopes::any(),
                    some => Scopes::of(some.iter().map(|n| SCOPES[*n])).expect("scopes"),
                };
                let is_in = |item: &Item| {
                    wanted.is_empty() || wanted.iter().any(|scope| item.scopes.contains(scope))
                };
                let library = self.library(number, is_in);
                let options = ListOptions::new().with_scopes(scopes.clone()).with_limit(2);
                let listed = db.list(owner, options).await;
                let listed: Vec<_> = listed.into_iter().map(|row| row.id).collect();
                assert_eq!(listed, library, "{owner:?} in {scopes:?}");

                let mut owned = db.owned(owner, &scopes, &asked).await;
                owned.sort();
                let mut expected = library.clone();
                expected.sort();
                assert_eq!(owned, expected, "{owner:?} in {scopes:?}");

                let question = OwnershipQuestion::new(owner, &scopes, &asked);
                let standings = db.db.explain(&question).await.expect("no error");
                let mine = self.library(number, |_| true);
                let expected = asked.iter().map(|id| match () {
                    () if library.contains(id) => OwnershipStatus::Owned,
                    () if mine.contains(id) => OwnershipStatus::WrongScope,
                    () if all.contains(id) => OwnershipStatus::Foreign,
                    () => OwnershipStatus::Absent,
                });
                assert_eq!(standings, expected.collect::<Vec<_>>());
            }
        }
    }
}

fn compare_with_model(engine: Engine, changes: Vec<Change>) {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_all().build().expect("a runtime").block_on(async {
        let (db, mut model) = (TestDb::new(engine).await, Model::default());
        for (n, change) in changes.into_iter().enumerate() {
            model.make(&db, change).await;
            if n % 10 == 0 {
                model.compare(&db).await;
            }
        }
        model.compare(&db).await;
        db.db.check().await.expect("a consistent database");
        db.db.close().await.expect("closed");
    });
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(24) })]

    #[test]
    fn any_sequence_of_writes_matches_the_model(changes in vec(change(), 0..60)) {
        compare_with_model(Engine::Sqlite, changes);
    }

    #[test]
    #[cfg(feature = "postgres")]
    #[ignore = "needs PostgreSQL"]
    fn any_sequence_of_writes_matches_the_model_on_postgres(changes in vec(change(), 0..60)) {
        compare_with_model(Engine::Postgres, changes);
    }
}
