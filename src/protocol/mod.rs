//! JSON bodies of the media service's HTTP protocol: one set of types for the client
//! ([`remote`](crate::remote)) and for the server ([`routes`](crate::routes)).

#[cfg(feature = "routes")]
mod deleted;
mod error_body;
#[cfg(feature = "routes")]
mod health;
mod list;
mod owned;
mod record;
#[cfg(feature = "routes")]
mod stats;

#[cfg(feature = "remote")]
pub(crate) use self::list::ListRow;
#[cfg(feature = "routes")]
pub(crate) use self::{
    deleted::DeletedResponse,
    health::{HealthResponse, ReadyResponse},
    stats::StatsResponse,
};
pub(crate) use self::{
    error_body::ErrorBody,
    list::{CursorPage, OffsetPage},
    owned::{OwnedQuery, OwnedResponse},
    record::Record,
};
