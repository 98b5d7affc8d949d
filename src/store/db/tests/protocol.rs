//! Exhaustive model of the content protocol that [`Database`](crate::store::db::Database) describes.
//!
//! Two owners who upload the same bytes, deletions, two garbage collectors, verification, and crashes at every
//! step. An object counts as stored once its put is acknowledged; a delete that was sent may arrive at any later
//! time and more than once, so the object counts as lost from then on, even if it is put again. A lease may
//! expire at any moment, so safety depends on no clock. The invariant: every media row has its object (promises
//! M1, M2).

use std::collections::HashSet;

/// Generations that one run may use. Generation 0 is that of a folder from before there were generations.
const GENERATIONS: u8 = 3;

/// The rules whose absence must break the invariant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Broken {
    Nothing,
    KeysAreUsedAgain,
    InsertIgnoresGeneration,
    ClaimIgnoresReferences,
    StraysIgnoreContents,
}

/// A set of generations.
type Set = u8;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Upload {
    Reserve,
    Place(u8),
    Insert(u8),
    Ended,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Collector {
    Idle,
    Delete(u8),
    Forget(u8),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct World {
    content: Option<u8>,
    /// Whether the lease or grace period of the content has expired.
    expired: bool,
    dead: Set,
    /// The objects whose put was acknowledged.
    stored: Set,
    /// The objects whose delete was sent.
    lost: Set,
    /// The upload of each owner, and the generation that the owner's media row refers to.
    owners: [(Upload, Option<u8>); 2],
    collectors: [Collector; 2],
    next: u8,
    deletions: u8,
}

fn one(generation: u8) -> Set {
    1 << generation
}

fn members(set: Set) -> impl Iterator<Item = u8> {
    (0..=GENERATIONS).filter(move |generation| set & one(*generation) != 0)
}

impl World {
    /// Before the first upload, or with media of an earlier version.
    fn start(earlier: bool) -> Self {
        let generation = earlier.then_some(0);
        Self {
            content: generation,
            expired: false,
            dead: 0,
            stored: u8::from(earlier),
            lost: 0,
            owners: [(Upload::Reserve, generation), (Upload::Reserve, None)],
            collectors: [Collector::Idle; 2],
            next: 1,
            deletions: 2,
        }
    }

    fn has_all_bytes(&self) -> bool {
        let referenced = self.owners.iter().filter_map(|(_, generation)| *generation);
        referenced.into_iter().all(|generation| self.stored & !self.lost & one(generation) != 0)
    }

    fn is_referenced(&self) -> bool {
        self.owners.iter().any(|(_, generation)| generation.is_some())
    }

    /// Every world that is one step away.
    fn steps(&self, broken: Broken, next: &mut Vec<Self>) {
        for owner in 0..2 {
            self.upload(owner, broken, next);
            if self.owners[owner].1.is_some() && self.deletions > 0 {
                let mut world = *self;
                world.owners[owner].1 = None;
                world.deletions -= 1;
                world.expired = false;
                next.push(world);
            }
        }
        if !self.expired && self.content.is_some() {
            next.push(Self { expired: true, ..*self });
        }
        for collector in 0..2 {
            self.collect(collector, broken, next);
        }
        // Verification lists objects, perhaps long ago.
        for stray in members((1 << self.next) - 1) {
            if self.content != Some(stray) || broken == Broken::StraysIgnoreContents {
                next.push(Self { dead: self.dead | one(stray), ..*self });
            }
        }
    }

    fn upload(&self, owner: usize, broken: Broken, next: &mut Vec<Self>) {
        let mut step = |upload, change: &dyn Fn(&mut Self)| {
            let mut world = *self;
            world.owners[owner].0 = upload;
            change(&mut world);
            next.push(world);
        };
        let upload = self.owners[owner].0;
        if !matches!(upload, Upload::Reserve | Upload::Ended) {
            step(Upload::Ended, &|_| {}); // it crashes
        }
        match upload {
            Upload::Reserve => match self.content {
                Some(generation) => step(Upload::Place(generation), &|world| world.expired = false),
                None if self.next <= GENERATIONS => {
                    let reuse = broken == Broken::KeysAreUsedAgain;
                    let generation = if reuse { 1 } else { self.next };
                    step(Upload::Place(generation), &|world| {
                        world.content = Some(generation);
                        world.expired = false;
                        world.next += 1;
                    });
                }
                None => {}
            },
            Upload::Place(generation) => {
                step(Upload::Insert(generation), &|world| world.stored |= one(generation));
            }
            Upload::Insert(generation) => {
                let current = self.content == Some(generation);
                if current || broken == Broken::InsertIgnoresGeneration {
                    step(Upload::Ended, &|world| {
                        world.owners[owner].1.get_or_insert(generation);
                    });
                } else {
                    step(Upload::Reserve, &|world| world.dead |= one(generation));
                }
            }
            Upload::Ended => {}
        }
    }

    fn collect(&self, collector: usize, broken: Broken, next: &mut Vec<Self>) {
        let mut step = |state, change: &dyn Fn(&mut Self)| {
            let mut world = *self;
            world.collectors[collector] = state;
            change(&mut world);
            next.push(world);
        };
        match self.collectors[collector] {
            Collector::Idle => {
                let referenced = self.is_referenced() && broken != Broken::ClaimIgnoresReferences;
                if let Some(generation) = self.content.filter(|_| self.expired && !referenced) {
                    step(Collector::Idle, &|world| {
                        world.content = None;
                        world.dead |= one(generation);
                    });
                }
                for dead in members(self.dead) {
                    step(Collector::Delete(dead), &|_| {});
                }
            }
            Collector::Delete(dead) => {
                step(Collector::Forget(dead), &|world| world.lost |= one(dead));
            }
            Collector::Forget(dead) => {
                step(Collector::Idle, &|world| world.dead &= !one(dead));
                step(Collector::Idle, &|_| {}); // it crashes
            }
        }
    }

    /// Owners and collectors are interchangeable.
    fn normalized(mut self) -> Self {
        self.owners.sort_unstable();
        self.collectors.sort_unstable();
        self
    }
}

/// Returns the number of worlds, or the first one that breaks the invariant.
fn explore(broken: Broken) -> Result<usize, World> {
    let starts = [World::start(false), World::start(true)];
    let mut todo = starts.map(World::normalized).to_vec();
    let mut seen: HashSet<World> = todo.iter().copied().collect();
    let mut next = Vec::new();
    while let Some(world) = todo.pop() {
        if !world.has_all_bytes() {
            return Err(world);
        }
        world.steps(broken, &mut next);
        for world in next.drain(..).map(World::normalized) {
            if seen.insert(world) {
                todo.push(world);
            }
        }
    }
    Ok(seen.len())
}

#[test]
fn m02_the_protocol_holds_in_every_interleaving() {
    let worlds = explore(Broken::Nothing).expect("no world without bytes");
    assert!(worlds > 100_000, "only {worlds} worlds were reached");
}

#[test]
fn m01_the_protocol_needs_each_of_its_rules() {
    for broken in [
        Broken::KeysAreUsedAgain,
        Broken::InsertIgnoresGeneration,
        Broken::ClaimIgnoresReferences,
        Broken::StraysIgnoreContents,
    ] {
        explore(broken).expect_err("a rule that nothing needs");
    }
}
