//! Conversions between rows and values, the same for every engine.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::{BlobId, BlobRow, Generation, MediaRow, OwnerRow, RenditionRow, error::damaged};
use crate::{
    error::Result,
    id::{ContentHash, MediaId},
    media::{Exif, FailureReason, MediaStats, MediaStatus, Metadata},
    owner::Owner,
    ownership::OwnershipStatus,
};

/// Milliseconds since 1970; an earlier time is 0.
pub(super) fn to_millis(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// A size as a signed integer, saturating at 2⁶³ − 1.
pub(super) fn to_integer(size: u64) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}

/// The tenant column: empty for an owner without tenant.
pub(super) fn tenant(owner: &Owner) -> &str {
    owner.tenant().unwrap_or_default()
}

/// The status column.
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

/// The EXIF column: JSON with the names of the media protocol.
pub(super) fn exif_json(exif: Option<&Exif>) -> Option<String> {
    exif.map(|exif| serde_json::to_string(exif).expect("EXIF serializes to JSON"))
}

/// The arrival number in a page token, if the owner ever had media with exactly that token.
pub(super) fn parse_token(owner: &OwnerRow, token: &str) -> Option<i64> {
    let arrival = token.parse().ok()?;
    ((1..=owner.arrivals).contains(&arrival) && arrival.to_string() == token).then_some(arrival)
}

/// The values at the positions that a query selected.
pub(super) fn at_positions<T: Clone>(positions: &[usize], asked: &[T]) -> Result<Vec<T>> {
    let values = positions.iter().map(|position| asked.get(*position).cloned());
    values.collect::<Option<_>>().ok_or_else(|| damaged("position out of range"))
}

/// A row of an engine: columns by name, in the types that every engine has.
pub(super) trait EngineRow {
    fn text(&self, name: &str) -> Result<Option<&str>>;
    fn integer(&self, name: &str) -> Result<Option<i64>>;
    fn flag(&self, name: &str) -> Result<Option<bool>>;
    fn bytes(&self, name: &str) -> Result<Option<&[u8]>>;
}

/// Implements [`EngineRow`] for a row of sqlx, with the error of the engine.
macro_rules! engine_row {
    ($row:ty, $failed:path) => {
        impl crate::store::db::decode::EngineRow for $row {
            fn text(&self, name: &str) -> crate::error::Result<Option<&str>> {
                sqlx::Row::try_get(self, name).map_err($failed)
            }

            fn integer(&self, name: &str) -> crate::error::Result<Option<i64>> {
                sqlx::Row::try_get(self, name).map_err($failed)
            }

            fn flag(&self, name: &str) -> crate::error::Result<Option<bool>> {
                sqlx::Row::try_get(self, name).map_err($failed)
            }

            fn bytes(&self, name: &str) -> crate::error::Result<Option<&[u8]>> {
                sqlx::Row::try_get(self, name).map_err($failed)
            }
        }
    };
}
pub(super) use engine_row;

/// Reads the records of this crate from a row.
pub(super) struct Columns<'r, R>(pub(super) &'r R);

impl<'r, R: EngineRow> Columns<'r, R> {
    fn convert<T, U, E>(
        &self,
        column: Result<Option<T>>,
        convert: impl FnOnce(T) -> Result<U, E>,
    ) -> Result<U>
    where
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        convert(column?.ok_or_else(|| damaged("unexpected NULL"))?).map_err(damaged)
    }

    pub(super) fn text(&self, name: &str) -> Result<&'r str> {
        self.0.text(name)?.ok_or_else(|| damaged("unexpected NULL"))
    }

    pub(super) fn integer(&self, name: &str) -> Result<i64> {
        self.0.integer(name)?.ok_or_else(|| damaged("unexpected NULL"))
    }

    pub(super) fn flag(&self, name: &str) -> Result<bool> {
        self.0.flag(name)?.ok_or_else(|| damaged("unexpected NULL"))
    }

    pub(super) fn id(&self, name: &str) -> Result<MediaId> {
        self.convert(self.0.text(name), MediaId::from_trusted)
    }

    pub(super) fn hash(&self) -> Result<ContentHash> {
        self.convert(self.0.bytes("hash"), |digest| digest.try_into().map(ContentHash::from_bytes))
    }

    pub(super) fn unsigned(&self, name: &str) -> Result<u64> {
        self.convert(self.0.integer(name), u64::try_from)
    }

    fn pixels(&self, name: &str) -> Result<u32> {
        self.convert(self.0.integer(name), u32::try_from)
    }

    fn time(&self, name: &str) -> Result<SystemTime> {
        Ok(UNIX_EPOCH + Duration::from_millis(self.unsigned(name)?))
    }

    fn owner(&self) -> Result<Owner> {
        let tenant = self.text("tenant")?;
        self.convert(self.0.text("subject"), |subject| {
            let owner = Owner::new(subject)?;
            if tenant.is_empty() { Ok(owner) } else { owner.with_tenant(tenant) }
        })
    }

    fn status(&self) -> Result<MediaStatus> {
        self.convert(self.0.text("status"), |text| match text {
            "processing" => Ok(MediaStatus::Processing),
            "ready" => Ok(MediaStatus::Ready),
            "failed" => Ok(MediaStatus::Failed),
            _ => Err("unknown status"),
        })
    }

    /// The status that the explanation of an ownership query selects.
    pub(super) fn ownership_status(&self) -> Result<OwnershipStatus> {
        self.convert(self.0.text("status"), |text| match text {
            "owned" => Ok(OwnershipStatus::Owned),
            "wrong scope" => Ok(OwnershipStatus::WrongScope),
            "foreign" => Ok(OwnershipStatus::Foreign),
            "absent" => Ok(OwnershipStatus::Absent),
            _ => Err("unknown ownership status"),
        })
    }

    /// An unknown name, which a newer version may have written, counts as absent.
    fn failure_reason(&self) -> Result<Option<FailureReason>> {
        Ok(self.0.text("failure_reason")?.and_then(FailureReason::from_name))
    }

    fn metadata(&self) -> Result<Option<Metadata>> {
        if self.0.integer("width")?.is_none() {
            return Ok(None);
        }
        let mut metadata = Metadata::new(self.pixels("width")?, self.pixels("height")?);
        metadata.format = self.0.text("format")?.map(str::to_owned);
        metadata.has_alpha = self.flag("has_alpha")?;
        Ok(Some(metadata))
    }

    fn exif(&self) -> Result<Option<Exif>> {
        self.0.text("exif")?.map(serde_json::from_str).transpose().map_err(damaged)
    }

    /// A row of the view `records`.
    pub(super) fn media(&self) -> Result<MediaRow> {
        Ok(MediaRow {
            id: self.id("id")?,
            owner: self.owner()?,
            hash: self.hash()?,
            generation: self.generation()?,
            size: self.unsigned("size")?,
            mime_type: self.text("mime_type")?.to_owned(),
            file_name: self.0.text("file_name")?.map(str::to_owned),
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
            number: self.integer("number")?,
            arrivals: self.integer("arrivals")?,
            stats,
            ready: self.unsigned("ready")?,
        })
    }

    fn generation(&self) -> Result<Generation> {
        self.integer("generation").map(Generation::from_number)
    }

    pub(super) fn blob_id(&self) -> Result<BlobId> {
        Ok(BlobId { hash: self.hash()?, generation: self.generation()? })
    }

    pub(super) fn blob_row(&self) -> Result<BlobRow> {
        Ok(BlobRow { id: self.blob_id()?, size: self.unsigned("size")? })
    }

    pub(super) fn rendition(&self) -> Result<RenditionRow> {
        Ok(RenditionRow {
            key: self.text("key")?.to_owned(),
            size: self.unsigned("size")?,
            hash: self.hash()?,
            mime_type: self.text("mime_type")?.to_owned(),
            width: self.pixels("width")?,
            height: self.pixels("height")?,
            used_at: self.time("used_at")?,
        })
    }
}

/// Decodes an optional row.
pub(super) fn optional<'r, R, T>(
    row: &'r Option<R>,
    decode: impl Fn(&Columns<'r, R>) -> Result<T>,
) -> Result<Option<T>> {
    row.as_ref().map(|row| decode(&Columns(row))).transpose()
}

/// Decodes every row.
pub(super) fn each<'r, R, T>(
    rows: &'r [R],
    decode: impl Fn(&Columns<'r, R>) -> Result<T>,
) -> Result<Vec<T>> {
    rows.iter().map(|row| decode(&Columns(row))).collect()
}
