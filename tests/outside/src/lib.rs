//! An application that uses the public API of tower-media from outside, with its own payloads, extractors,
//! backend and table of rights.

pub mod app;
pub mod auth;
pub mod grants;
pub mod payload;
pub mod shelf;

pub use self::{
    app::{AppState, routes},
    grants::Grants,
    shelf::Shelf,
};
