//! The queue in any order of calls, against its promises.

use std::pin::Pin;

use proptest::{collection::vec, prelude::*};

use super::*;

type Admitted<'q> = Pin<Box<dyn Future<Output = Result<Permit<usize>, Full>> + 'q>>;

const ALONE: std::ops::Range<u64> = 51..101;

const BUDGET: u64 = 10;

const KEYS: [usize; 5] = [0, 1, 2, 3, 4];

fn bounds() -> Bounds {
    Bounds { budget: BUDGET, budget_per_owner: 6, max_waiting: 40, max_waiting_per_owner: 12 }
}

/// Polls once, and returns the result if there is one.
fn poll(future: &mut Admitted<'_>) -> Option<Result<Permit<usize>, Full>> {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match future.as_mut().poll(&mut context) {
        std::task::Poll::Ready(result) => Some(result),
        std::task::Poll::Pending => None,
    }
}

/// Queues one work each, all behind a permit for the whole budget.
fn wait<'q>(
    queue: &'q FairQueue<usize>,
    work: &'q [(usize, u64)],
) -> Vec<(usize, u64, Admitted<'q>)> {
    let queued = work.iter().map(|(owner, cost)| {
        let mut admitted: Admitted<'q> = Box::pin(queue.admit(owner, *cost));
        assert!(poll(&mut admitted).is_none(), "the budget is in use");
        (*owner, *cost, admitted)
    });
    queued.collect()
}

/// Runs what is granted, one after the other, and returns owners and costs in the order of the grants.
fn run(mut waiting: Vec<(usize, u64, Admitted<'_>)>) -> Vec<(usize, u64)> {
    let mut order = Vec::new();
    while !waiting.is_empty() {
        let mut granted = None;
        waiting.retain_mut(|(owner, cost, admitted)| match poll(admitted) {
            Some(permit) => {
                assert!(granted.is_none(), "one at a time fits");
                granted = Some((*owner, *cost, permit.expect("it is granted")));
                false
            }
            None => true,
        });
        let (owner, cost, permit) = granted.expect("the budget is free, so one is granted");
        order.push((owner, cost));
        drop(permit);
    }
    order
}

/// A queue with its budget in use, of which [`ALONE`] work takes more than half.
fn serial() -> (FairQueue<usize>, Permit<usize>) {
    let queue = FairQueue::new(Bounds {
        budget: 100,
        budget_per_owner: 100,
        max_waiting: 1_000,
        max_waiting_per_owner: 1_000,
    });
    let mut first: Admitted<'_> = Box::pin(queue.admit(&usize::MAX, 100));
    let all = poll(&mut first).expect("it is free").expect("it is free");
    drop(first);
    (queue, all)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

    /// Any calls, drops and ends: bounds hold, and nothing is lost.
    #[test]
    fn p17_bounds_hold_in_any_order_of_calls(
        steps in vec((0..4_usize, 0..5_usize, 1..15_u64), 1..200),
    ) {
        let queue = FairQueue::new(bounds());
        let mut waiting: Vec<(usize, Admitted<'_>)> = Vec::new();
        let mut running: Vec<(usize, u64, Permit<usize>)> = Vec::new();
        for (action, owner, cost) in steps {
            match action {
                0 | 1 => {
                    waiting.push((owner, Box::pin(queue.admit(&KEYS[owner], cost))));
                }
                2 if !running.is_empty() => drop(running.swap_remove(owner % running.len())),
                3 if !waiting.is_empty() => drop(waiting.swap_remove(cost as usize % waiting.len())),
                _ => {}
            }
            waiting.retain_mut(|(owner, admitted)| match poll(admitted) {
                Some(Ok(permit)) => {
                    running.push((*owner, permit.cost, permit));
                    false
                }
                Some(Err(_)) => false,
                None => true,
            });
            let used: u64 = running.iter().map(|(_, cost, _)| cost).sum();
            prop_assert!(used <= BUDGET);
            prop_assert!(waiting.len() <= bounds().max_waiting);
            for key in 0..5 {
                let own = running.iter().filter(|(owner, ..)| *owner == key);
                let (count, used) = own.fold((0, 0), |(n, sum), (_, cost, _)| (n + 1, sum + cost));
                prop_assert!(used <= bounds().budget_per_owner || count == 1, "{key}: {used}");
                let queued = waiting.iter().filter(|(owner, _)| *owner == key).count();
                prop_assert!(queued <= bounds().max_waiting_per_owner);
            }
            let state = queue.state.lock();
            prop_assert_eq!((state.free, state.waiting), (BUDGET - used, waiting.len()));
        }
        drop((waiting, running));
        let state = queue.state.lock();
        prop_assert_eq!((state.free, state.waiting, state.owners.len()), (BUDGET, 0, 0));
    }

    /// Of k owners that wait, each is granted within k grants, whatever the others have queued.
    #[test]
    fn p17_no_owner_starves(work in vec((0..6_usize, ALONE), 1..60)) {
        let (queue, all) = serial();
        let waiting = wait(&queue, &work);
        drop(all);
        let order = run(waiting);
        let mut owners: Vec<usize> = work.iter().map(|(owner, _)| *owner).collect();
        owners.sort_unstable();
        owners.dedup();
        for owner in &owners {
            let first = order.iter().position(|(granted, _)| granted == owner).expect("granted");
            prop_assert!(first < owners.len(), "{owner} is granted after {first} others");
        }
    }

    /// Two owners that keep waiting get equal pixels, up to their largest image.
    #[test]
    fn p17_shares_are_equal_in_pixels(
        costs in (vec(ALONE, 30), vec(ALONE, 30)),
    ) {
        let (queue, all) = serial();
        let of = |owner: usize, costs: Vec<u64>| costs.into_iter().map(move |cost| (owner, cost));
        let work: Vec<_> = of(0, costs.0).chain(of(1, costs.1)).collect();
        let waiting = wait(&queue, &work);
        drop(all);
        let mut left = [30, 30];
        let mut granted = [0_u64, 0];
        for (owner, cost) in run(waiting) {
            granted[owner] += cost;
            left[owner] -= 1;
            if left.contains(&0) {
                break;
            }
            prop_assert!(granted[0].abs_diff(granted[1]) <= 100, "{granted:?}");
        }
    }
}

#[test]
fn p17_a_full_queue_refuses_its_owner_only() {
    let queue = FairQueue::new(bounds());
    let mut held: Admitted<'_> = Box::pin(queue.admit(&0, BUDGET));
    let _held = poll(&mut held).expect("it is free").expect("it is free");
    let waiting = wait(&queue, &[(0, 1); 12]);
    let mut refused: Admitted<'_> = Box::pin(queue.admit(&0, 1));
    assert_eq!(poll(&mut refused).expect("refused").expect_err("refused"), Full::Owner);
    let others = wait(&queue, &[(1, 1), (2, 1)]);
    drop(waiting);
    let mut again: Admitted<'_> = Box::pin(queue.admit(&0, 1));
    assert!(poll(&mut again).is_none(), "dropped callers leave the queue");
    drop(others);
}

#[test]
fn p17_a_grant_to_a_dropped_caller_returns_to_the_budget() {
    let queue = FairQueue::new(bounds());
    let mut held: Admitted<'_> = Box::pin(queue.admit(&0, BUDGET));
    let held = poll(&mut held).expect("it is free").expect("it is free");
    let mut waiting = wait(&queue, &[(1, BUDGET), (2, BUDGET)]);
    drop(held); // Owner 1 is granted, and does not look.
    drop(waiting.remove(0));
    assert!(poll(&mut waiting[0].2).expect("it is granted").is_ok());
}
