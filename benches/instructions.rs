//! Answers one case's request many times, for a profiler to count the instructions.
//!
//! `benches/instructions.sh` makes the table. By hand: `instructions CASE ANSWERED PREPARED`, where
//! all of PREPARED requests are made and the first ANSWERED are answered, so that the difference of
//! two runs holds no making of requests. Without a case it prints the names of all.

mod cases;

use std::{env, mem};

use tokio::runtime;

fn main() {
    // Cargo adds options of its own.
    let arguments: Vec<_> = env::args().skip(1).filter(|text| !text.starts_with('-')).collect();
    let name = |case: &cases::Case| format!("{}/{}/{}", case.source, case.peer, case.ids);
    let mut cases = cases::all();
    let [wanted, answered, prepared] = &arguments[..] else {
        return cases.iter().for_each(|case| println!("{}", name(case)));
    };
    cases.retain(|case| name(case) == *wanted);
    let case = cases.first().expect("a name that is printed without arguments");
    let count = |text: &String| text.parse::<usize>().expect("a number");

    let runtime = runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let mut requests: Vec<_> = (0..count(prepared)).map(|_| case.request()).collect();
    runtime.block_on(async {
        for request in requests.drain(..count(answered)) {
            drop(case.answer(request).await);
        }
    });
    // Dropping them would count for the shorter run only.
    mem::forget(requests);
}
