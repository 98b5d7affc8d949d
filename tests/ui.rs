//! Code that must not compile, and the compiler messages for it (promise G15).

#[test]
#[ignore = "needs Rust 1.95, whose messages are recorded, and two minutes"]
fn compile_errors_name_the_correction() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
