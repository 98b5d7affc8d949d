//! g08_seeing_grants_nothing
