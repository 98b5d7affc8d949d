//! g05_no_oracle
