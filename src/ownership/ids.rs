//! Ids in the order in which they came, each once.

use std::collections::{HashMap, hash_map::Entry};

use crate::id::{MediaId, UnverifiedId};

/// Up to here looking through all ids beats hashing one.
const SCAN: usize = 16;

/// The most ids for which the index has room from the start. Growing hashes all of them again.
const ROOM: usize = 256;

/// Distinct ids in the order of their first occurrence.
#[derive(Debug, Clone, Default)]
pub(crate) struct IdSet {
    ids: Vec<MediaId>,
    // Positions by id, once there are more than SCAN.
    index: Option<HashMap<MediaId, usize>>,
}

impl IdSet {
    pub(crate) fn as_slice(&self) -> &[MediaId] {
        &self.ids
    }

    pub(crate) fn len(&self) -> usize {
        self.ids.len()
    }

    pub(crate) fn position(&self, id: &str) -> Option<usize> {
        match &self.index {
            None => self.ids.iter().position(|known| known.as_str() == id),
            Some(index) => index.get(id).copied(),
        }
    }

    /// Takes an id in, unless it is there or there are `max` already. Returns whether it is in.
    fn insert(&mut self, id: &UnverifiedId, max: usize) -> bool {
        let Some(index) = &mut self.index else {
            if self.position(id.text()).is_some() {
                return true;
            }
            if self.ids.len() >= max {
                return false;
            }
            self.ids.push(id.to_candidate());
            if self.ids.len() > SCAN {
                let mut index = HashMap::with_capacity(max.min(ROOM));
                index.extend(self.ids.iter().cloned().zip(0..));
                self.index = Some(index);
            }
            return true;
        };
        match index.entry(id.to_candidate()) {
            Entry::Occupied(_) => true,
            Entry::Vacant(_) if self.ids.len() >= max => false,
            Entry::Vacant(entry) => {
                self.ids.push(entry.key().clone());
                entry.insert(self.ids.len() - 1);
                true
            }
        }
    }
}

/// Gathers the ids that a payload carries, each once, and no more than a check may ask about.
///
/// [`MediaIds`](crate::MediaIds) implementations receive one and [`add`](Self::add) to it. What it
/// holds stays bounded whatever a payload adds (promise G6).
#[derive(Debug)]
pub struct IdCollector {
    set: IdSet,
    max: usize,
    overflowed: bool,
}

impl IdCollector {
    pub(crate) fn new(max: usize) -> Self {
        Self { set: IdSet::default(), max, overflowed: false }
    }

    /// Adds an id. Repeats change nothing.
    pub fn add(&mut self, id: &UnverifiedId) {
        if !self.overflowed {
            self.overflowed = !self.set.insert(id, self.max);
        }
    }

    /// Returns whether there were more ids than a check may ask about, so that the answer is
    /// decided and looking on is of no use.
    pub fn is_overflowed(&self) -> bool {
        self.overflowed
    }

    pub(crate) fn into_set(self) -> IdSet {
        self.set
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_and_positions_hold_on_both_sides_of_the_scan() {
        for count in [0, 1, SCAN - 1, SCAN, SCAN + 1, 300] {
            let mut ids = IdCollector::new(count);
            let given: Vec<_> =
                (0..count).map(|n| UnverifiedId::parse(format!("m-{n}")).expect("an id")).collect();
            given.iter().chain(given.iter().rev()).for_each(|id| ids.add(id));
            assert!(!ids.is_overflowed());
            let set = ids.into_set();
            assert_eq!(set.len(), count);
            for (n, id) in given.iter().enumerate() {
                assert_eq!(set.position(id.text()), Some(n));
                assert_eq!(set.as_slice()[n].as_str(), id.text());
            }
            assert_eq!(set.position("other"), None);
        }
    }

    #[test]
    fn one_more_than_allowed_overflows_and_is_not_kept() {
        for max in [0, 1, SCAN, SCAN + 1, 40] {
            let mut ids = IdCollector::new(max);
            (0..=max).for_each(|n| {
                assert!(!ids.is_overflowed());
                ids.add(&UnverifiedId::parse(format!("m-{n}")).expect("an id"));
            });
            assert!(ids.is_overflowed());
            assert_eq!(ids.into_set().len(), max);
        }
    }
}
