//! An application that keeps other people's pictures, and reaches all of tower-media from outside:
//! with payloads, extractors, a backend and a table of rights of its own.

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
