//! What must not compile, and what the compiler then tells its user (contract G15).

#[test]
#[ignore = "needs Rust 1.95, whose messages are recorded, and two minutes"]
fn what_must_not_compile_says_what_to_write_instead() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
