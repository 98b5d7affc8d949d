//! Conversions between rows and values.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sqlx::{Decode, Row as _, Sqlite, Type, sqlite::SqliteRow};

use crate::{
    error::Result,
    id::{ContentHash, MediaId},
    media::{Exif, FailureReason, MediaStats, MediaStatus, Metadata},
    owner::Owner,
    store::db::{BlobRow, MediaRow, OwnerRow, RenditionRow},
};

/// Milliseconds since 1970; an earlier time is 0.
pub(super) fn to_millis(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

pub(super) fn now() -> i64 {
    to_millis(SystemTime::now())
}

/// A size as a SQLite integer, saturating at 2⁶³ − 1.
pub(super) fn to_integer(size: u64) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}

/// The tenant column: empty for an owner without tenant.
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

/// The digest as a parameter.
pub(super) fn hash_bytes(hash: ContentHash) -> Vec<u8> {
    hash.as_bytes().to_vec()
}

/// A list of values as one parameter for `json_each`, so that one statement serves any number of values.
/// Hashes are hexadecimal text in it, for `unhex`.
pub(super) fn json_list<T: serde::Serialize>(values: &[T]) -> String {
    serde_json::to_string(values).expect("strings and numbers serialize to JSON")
}

/// Reads columns of a row by name.
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
            _ => Err("unknown status"),
        })
    }

    /// An unknown name, which a newer version may have written, counts as none.
    fn failure_reason(&self) -> Result<Option<FailureReason>> {
        let name: Option<&str> = self.get("failure_reason")?;
        Ok(name.and_then(FailureReason::from_name))
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
    pub(super) fn media(&self) -> Result<MediaRow> {
        Ok(MediaRow {
            id: self.id("id")?,
            owner: self.owner()?,
            hash: self.hash()?,
            size: self.unsigned("size")?,
            mime_type: self.get("mime_type")?,
            file_name: self.get("file_name")?,
            status: self.status()?,
            failure_reason: self.failure_reason()?,
            metadata: self.metadata()?,
            exif: self.exif()?,
            created_at: self.time("created_at")?,
        })
    }

    /// A row of `owners`.
    pub(super) fn owner_row(&self) -> Result<OwnerRow> {
        let stats = MediaStats::new(self.unsigned("count")?, self.unsigned("bytes")?);
        Ok(OwnerRow {
            number: self.get("number")?,
            arrivals: self.get("arrivals")?,
            stats,
            ready: self.unsigned("ready")?,
        })
    }

    pub(super) fn blob(&self) -> Result<BlobRow> {
        Ok(BlobRow { hash: self.hash()?, size: self.unsigned("size")? })
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

/// The values at the positions that `json_group_array` returned.
pub(super) fn selected<T: Clone>(row: &SqliteRow, asked: &[T]) -> Result<Vec<T>> {
    let json: &str = Columns(row).get("positions")?;
    let positions: Vec<usize> = serde_json::from_str(json).map_err(super::error::damaged)?;
    let values = positions.into_iter().map(|position| asked.get(position).cloned());
    values.collect::<Option<_>>().ok_or_else(|| super::error::damaged("position out of range"))
}

/// Decodes an optional row.
pub(super) fn optional<'r, T>(
    row: &'r Option<SqliteRow>,
    decode: impl Fn(&Columns<'r>) -> Result<T>,
) -> Result<Option<T>> {
    row.as_ref().map(|row| decode(&Columns(row))).transpose()
}

/// Decodes every row.
pub(super) fn each<'r, T>(
    rows: &'r [SqliteRow],
    decode: impl Fn(&Columns<'r>) -> Result<T>,
) -> Result<Vec<T>> {
    rows.iter().map(|row| decode(&Columns(row))).collect()
}
