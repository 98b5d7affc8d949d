//! The replay harness.

/// To be written.
#[derive(Debug)]
pub struct Replay;
/// To be written.
#[derive(Debug)]
pub struct Report;
/// To be written.
#[derive(Debug)]
pub struct Finding;
