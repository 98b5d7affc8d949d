//! Answers one case's request many times, so that a profiler can count the instructions.
//!
//! `benches/instructions.sh` makes the table. By hand: `instructions CASE ANSWERED PREPARED` prepares
//! PREPARED requests and answers the first ANSWERED of them, so that the difference of two runs does not
//! include the preparation. Without arguments it prints the names of all cases.

mod cases;

use std::{env, mem};

use tokio::runtime;

fn main() {
    // Cargo adds its own options.
    let arguments: Vec<_> = env::args().skip(1).filter(|text| !text.starts_with('-')).collect();
    let name = |case: &cases::Case| format!("{}/{}/{}", case.source, case.peer, case.ids);
    let mut cases = cases::all();
    let [wanted, answered, prepared] = &arguments[..] else {
        return cases.iter().for_each(|case| println!("{}", name(case)));
    };
    cases.retain(|case| name(case) == *wanted);
    let case = cases.first().expect("a case name; run without arguments for the list");
    let count = |text: &String| text.parse::<usize>().expect("a number");

    let runtime = runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let mut requests: Vec<_> = (0..count(prepared)).map(|_| case.request()).collect();
    runtime.block_on(async {
        for request in requests.drain(..count(answered)) {
            drop(case.answer(request).await);
        }
    });
    // Otherwise dropping them would count in the shorter run only.
    mem::forget(requests);
}
