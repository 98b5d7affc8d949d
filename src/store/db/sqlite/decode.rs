//! Values as the database holds them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sqlx::{Decode, Row as _, Sqlite, Type, sqlite::SqliteRow};

use crate::store::db::records::{Content, RenditionRow, Row};
use crate::{
    error::Result,
    id::{ContentHash, MediaId},
    media::{Exif, MediaStatus, Metadata},
    owner::Owner,
};

/// Milliseconds since 1970. A clock before that counts as then.
pub(super) fn to_millis(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

pub(super) fn now() -> i64 {
    to_millis(SystemTime::now())
}

/// A size as SQLite counts it. Nothing has more than 2⁶³ bytes.
pub(super) fn to_integer(size: u64) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}

/// The tenant's column: empty for none.
pub(super) fn tenant(owner: &Owner) -> &str {
    owner.tenant().unwrap_or_default()
}

pub(super) fn status(status: MediaStatus) -> &'static str {
    match status {
        MediaStatus::Processing => "processing",
        MediaStatus::Ready => "ready",
        MediaStatus::Failed => "failed",
    }
}

/// Any number of values as one, for `json_each`: one statement and one parameter however many.
/// Hashes are in it as text, for `unhex`.
pub(super) fn list<T: serde::Serialize>(values: &[T]) -> String {
    serde_json::to_string(values).expect("texts and numbers are JSON")
}

/// Reads columns of a row by their names.
pub(super) struct Columns<'r>(pub(super) &'r SqliteRow);

impl<'r> Columns<'r> {
    pub(super) fn get<T: Decode<'r, Sqlite> + Type<Sqlite>>(&self, name: &str) -> Result<T> {
        self.0.try_get(name).map_err(super::error::database)
    }

    fn convert<T, U, E>(&self, name: &str, convert: impl FnOnce(T) -> Result<U, E>) -> Result<U>
    where
        T: Decode<'r, Sqlite> + Type<Sqlite>,
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        convert(self.get(name)?).map_err(super::error::damaged)
    }

    pub(super) fn id(&self, name: &str) -> Result<MediaId> {
        self.convert(name, |text: &str| MediaId::from_trusted(text))
    }

    pub(super) fn hash(&self) -> Result<ContentHash> {
        self.convert("hash", |digest: &[u8]| digest.try_into().map(ContentHash::from_bytes))
    }

    pub(super) fn unsigned(&self, name: &str) -> Result<u64> {
        self.convert(name, |number: i64| u64::try_from(number))
    }

    fn pixels(&self, name: &str) -> Result<u32> {
        self.convert(name, |number: i64| u32::try_from(number))
    }

    fn time(&self, name: &str) -> Result<SystemTime> {
        Ok(UNIX_EPOCH + Duration::from_millis(self.unsigned(name)?))
    }

    fn owner(&self) -> Result<Owner> {
        let tenant: &str = self.get("tenant")?;
        self.convert("subject", |subject: &str| {
            let owner = Owner::new(subject)?;
            if tenant.is_empty() { Ok(owner) } else { owner.with_tenant(tenant) }
        })
    }

    fn status(&self) -> Result<MediaStatus> {
        self.convert("status", |text: &str| match text {
            "processing" => Ok(MediaStatus::Processing),
            "ready" => Ok(MediaStatus::Ready),
            "failed" => Ok(MediaStatus::Failed),
            _ => Err("a status that there is not"),
        })
    }

    fn metadata(&self) -> Result<Option<Metadata>> {
        if self.get::<Option<i64>>("width")?.is_none() {
            return Ok(None);
        }
        let mut metadata = Metadata::new(self.pixels("width")?, self.pixels("height")?);
        metadata.format = self.get("format")?;
        metadata.has_alpha = self.get("has_alpha")?;
        Ok(Some(metadata))
    }

    fn exif(&self) -> Result<Option<Exif>> {
        self.convert("exif", |json: Option<&str>| json.map(serde_json::from_str).transpose())
    }

    /// A row of the view `records`.
    pub(super) fn record(&self) -> Result<Row> {
        Ok(Row {
            id: self.id("id")?,
            owner: self.owner()?,
            hash: self.hash()?,
            size: self.unsigned("size")?,
            mime_type: self.get("mime_type")?,
            file_name: self.get("file_name")?,
            status: self.status()?,
            metadata: self.metadata()?,
            exif: self.exif()?,
            created_at: self.time("created_at")?,
        })
    }

    pub(super) fn content(&self) -> Result<Content> {
        Ok(Content { hash: self.hash()?, size: self.unsigned("size")? })
    }

    pub(super) fn rendition(&self) -> Result<RenditionRow> {
        Ok(RenditionRow {
            key: self.get("key")?,
            size: self.unsigned("size")?,
            hash: self.hash()?,
            mime_type: self.get("mime_type")?,
            width: self.pixels("width")?,
            height: self.pixels("height")?,
            used_at: self.time("used_at")?,
        })
    }
}

/// What `json_group_array` gave: the places of some values in the list that was asked about.
pub(super) fn places<T: Clone>(row: &SqliteRow, asked: &[T]) -> Result<Vec<T>> {
    let json: &str = Columns(row).get("places")?;
    let places: Vec<usize> = serde_json::from_str(json).map_err(super::error::damaged)?;
    let found = places.into_iter().map(|place| asked.get(place).cloned());
    found.collect::<Option<_>>().ok_or_else(|| super::error::damaged("a place that was not asked"))
}

/// Converts every row.
pub(super) fn each<'r, T>(
    rows: &'r [SqliteRow],
    convert: impl Fn(&Columns<'r>) -> Result<T>,
) -> Result<Vec<T>> {
    rows.iter().map(|row| convert(&Columns(row))).collect()
}
