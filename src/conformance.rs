//! The contract of a backend as runnable checks.
