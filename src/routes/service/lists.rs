//! Lists of a user's media, and the ownership query.

use std::collections::HashSet;

use axum::{
    Json,
    extract::{State, rejection::JsonRejection},
    response::{IntoResponse as _, Response},
};

use super::{
    ServiceState, SharedState,
    error::ServiceError,
    query::{Query, owner},
};
use crate::{
    error::ErrorKind,
    id::UnverifiedId,
    media::{ListOptions, SearchOptions, SortBy},
    owner::{Owner, Scopes},
    protocol::{CursorPage, OffsetPage, OwnedQuery, OwnedResponse, Record, StatsResponse},
};

/// The longest list: it has no cursor to continue with. The backend is read in pages.
const MAX_LIST: usize = 10_000;

/// `GET /`: an array, newest first.
pub(super) async fn list(
    State(service): SharedState,
    query: Query,
) -> Result<Response, ServiceError> {
    let owner = service.compatibility.owner(query.first("userId"), query.first("app"))?;
    let limit = query.limit()?.min(MAX_LIST);
    let options = ListOptions::new().with_scopes(query.scopes("app")?);
    let (mut records, mut next_page) = (Vec::new(), options.clone());
    loop {
        let page = service.media.list(&owner, &next_page.with_limit(limit - records.len())).await?;
        records.extend(page.items);
        match page.next {
            Some(next) if records.len() < limit => next_page = options.clone().with_after(next),
            _ => break,
        }
    }
    Ok(Json(records.into_iter().map(Record::from).collect::<Vec<_>>()).into_response())
}

/// `GET /list/all`: a page of the media with status `ready`, filtered and sorted. With `after`, which the
/// original service does not have, a page of all media behind that cursor, newest first, with the next cursor.
pub(super) async fn list_all(
    State(service): SharedState,
    query: Query,
) -> Result<Response, ServiceError> {
    let owner = query.owner()?;
    if query.has("after") {
        return list_after(&service, &owner, &query).await;
    }
    let name = query.first("sortBy").unwrap_or_default();
    let sort_by = SortBy::ALL.into_iter().find(|by| by.as_str() == name).unwrap_or_default();
    let mut options = SearchOptions::new()
        .with_scopes(query.scopes("apps")?)
        .with_sort(sort_by, query.first("sortOrder") == Some("asc"))
        .with_limit(query.limit()?)
        .with_offset(query.count("offset")?.unwrap_or_default());
    if let Some(mime_type) = query.first("mimeType") {
        options = options.with_mime_type(mime_type);
    }
    if let Some(from) = query.time("dateFrom")? {
        options = options.with_from(from);
    }
    if let Some(to) = query.time("dateTo")? {
        options = options.with_to(to);
    }
    if query.first("hasLocation") == Some("true") {
        options = options.with_location();
    }
    let page = service.media.search(&owner, &options).await?;
    Ok(Json(OffsetPage::from(page)).into_response())
}

async fn list_after(
    service: &ServiceState,
    owner: &Owner,
    query: &Query,
) -> Result<Response, ServiceError> {
    let mut options =
        ListOptions::new().with_scopes(query.scopes("apps")?).with_limit(query.limit()?);
    if let Some(after) = query.first("after") {
        options = options.with_after(after);
    }
    let page = service.media.list(owner, &options).await?;
    Ok(Json(CursorPage::from(page)).into_response())
}

/// `GET /stats`: the number and the bytes of a user's media.
pub(super) async fn stats(
    State(service): SharedState,
    query: Query,
) -> Result<Response, ServiceError> {
    let stats = service.media.stats(&query.owner()?).await?;
    Ok(Json(StatsResponse::from(stats)).into_response())
}

/// `POST /owned`: those of the ids that the user owns in one of the apps, in request order, each once.
/// An invalid id is not owned.
pub(super) async fn owned(
    State(service): SharedState,
    query: Result<Json<OwnedQuery<'static>>, JsonRejection>,
) -> Result<Response, ServiceError> {
    let Json(OwnedQuery { user_id, apps, ids }) =
        query.map_err(|error| ServiceError::new(error.status(), error.body_text()))?;
    let owner = owner(Some(&user_id))?;
    let scopes = match apps {
        None => Scopes::any(),
        Some(apps) => Scopes::of(apps.iter().map(|app| &**app).collect::<Vec<_>>())
            .map_err(|error| ServiceError::bad_request(format!("apps: {error}")))?,
    };
    let mut seen = HashSet::new();
    let ids: Vec<UnverifiedId> = ids
        .iter()
        .filter_map(|id| UnverifiedId::parse(id).ok())
        .filter(|id| seen.insert(id.clone()))
        .collect();
    let missing: HashSet<String> = match service.media.verify(&owner, scopes, ids.clone()).await {
        Ok(_) => HashSet::new(),
        Err(error) if error.kind() == ErrorKind::NotOwned => {
            error.missing().map(str::to_owned).collect()
        }
        Err(error) => return Err(error.into()),
    };
    let owned = ids.iter().map(UnverifiedId::text).filter(|id| !missing.contains(*id));
    Ok(Json(OwnedResponse { owned: owned.map(Into::into).collect() }).into_response())
}
