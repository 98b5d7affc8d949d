//! Delivers media to owners and to holders of signed URLs.

mod conditions;
mod config;
mod media_path;
mod observe;
mod respond;
mod routes;
mod serve;
mod transform;

pub(super) use self::{
    conditions::Conditions,
    config::redirect_expiry,
    respond::{Access, RenditionRequest, permanent_rendition_failure},
};
pub use self::{config::ResourcePolicy, routes::DeliveryRoutes};
