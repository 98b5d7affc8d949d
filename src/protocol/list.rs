//! Pages of media records.

use serde::{Deserialize, Deserializer, Serialize};

use super::record::Record;
use crate::media::{Page, SearchPage};

/// A page of `GET /list/all` that begins at an offset.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OffsetPage<T> {
    pub(crate) items: Vec<T>,
    /// The number of items on all pages.
    pub(crate) total: u64,
    pub(crate) has_more: bool,
}

impl From<SearchPage> for OffsetPage<Record> {
    fn from(page: SearchPage) -> Self {
        let items = page.items.into_iter().map(Record::from).collect();
        Self { items, total: page.total, has_more: page.has_more }
    }
}

/// A page of `GET /list/all?after=` that begins at a cursor.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CursorPage {
    pub(crate) items: Vec<Record>,
    pub(crate) has_more: bool,
    /// The cursor of the next page, null on the last page. Absent if the service does not know cursors.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub(crate) next: Option<Option<String>>,
}

impl From<Page> for CursorPage {
    fn from(page: Page) -> Self {
        let items = page.items.into_iter().map(Record::from).collect();
        Self { items, has_more: page.next.is_some(), next: Some(page.next) }
    }
}

/// Tells null, which is `Some(None)`, from an absent field, which is `None`.
fn present<'de, D: Deserializer<'de>>(next: D) -> Result<Option<Option<String>>, D::Error> {
    Deserialize::deserialize(next).map(Some)
}

/// The fields of a list item that decide ownership. The others are skipped, because such a list may have
/// 100,000 items.
#[cfg(feature = "remote")]
#[derive(Deserialize)]
pub(crate) struct ListRow<'a> {
    #[serde(borrow)]
    pub(crate) id: std::borrow::Cow<'a, str>,
    #[serde(borrow)]
    pub(crate) status: std::borrow::Cow<'a, str>,
}
