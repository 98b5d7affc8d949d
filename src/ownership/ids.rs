//! An insertion-ordered set of ids.

use std::collections::{HashMap, hash_map::Entry};

use crate::id::{MediaId, UnverifiedId};

/// Up to this length a linear scan is faster than hashing.
const SCAN: usize = 16;

/// The greatest initial capacity of the index. Growing rehashes all ids.
const ROOM: usize = 256;

/// Distinct ids in the order of their first occurrence.
#[derive(Debug, Clone, Default)]
pub(crate) struct IdSet {
    ids: Vec<MediaId>,
    // Positions by id, if there are more than SCAN ids.
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

    /// Inserts an id, unless the set contains it or has `max` ids. Returns whether the set contains it.
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

/// Collects the distinct ids of a payload, up to the limit of the check.
///
/// [`MediaIds`](crate::MediaIds) implementations receive one and [`add`](Self::add) to it. Its memory is
/// bounded, regardless of the number of ids that a payload adds (promise G6).
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

    /// Adds an id. Repeats have no effect.
    pub fn add(&mut self, id: &UnverifiedId) {
        if !self.overflowed {
            self.overflowed = !self.set.insert(id, self.max);
        }
    }

    /// Returns `true` once more ids were added than the check accepts. The request is then refused, so
    /// the remaining ids need not be added.
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
