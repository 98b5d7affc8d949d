//! Delivery to owners and to holders of signed URLs.

mod address;
mod answer;
mod conditions;
mod observe;
mod routes;
mod serve;
mod transform;

pub use self::routes::{DeliveryRoutes, ResourcePolicy};
pub(super) use self::{
    answer::{Access, Order, cannot_be_made},
    conditions::Conditions,
};
