//! The places that the commands name: a folder, and perhaps a database and a bucket.

use std::{path::PathBuf, str::FromStr};

use tower_media::{Store, store::StoreBuilder};

use crate::Result;

/// Where a store is: `FOLDER[,postgres://…][,BUCKET]`.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) folder: PathBuf,
    /// The URL of a PostgreSQL database that has the records.
    pub(crate) database: Option<String>,
    /// The URL of a bucket that has the bytes.
    pub(crate) bucket: Option<String>,
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut parts = text.split(',');
        let folder = parts.next().filter(|part| !part.is_empty() && !part.contains("://"));
        let mut place = folder.map(Self::folder);
        for part in parts {
            place = place.filter(|_| part.contains("://"));
            let Some(place) = &mut place else { break };
            let slot = match part.starts_with("postgres") {
                true => &mut place.database,
                false => &mut place.bucket,
            };
            if slot.replace(part.to_owned()).is_some() {
                return Err("a store has one database and one bucket".into());
            }
        }
        place.ok_or_else(|| {
            "a store is a folder, and perhaps a database and a bucket: \
             ./media,postgres://host/media,s3://bucket/prefix"
                .into()
        })
    }
}

impl std::fmt::Debug for Place {
    // The URL of a database may contain a password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Place").field("folder", &self.folder).finish_non_exhaustive()
    }
}

impl Place {
    /// A store whose records and bytes are in the folder.
    pub(crate) fn folder(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into(), database: None, bucket: None }
    }

    /// Opens a store that exists.
    pub(crate) async fn open_existing(&self) -> Result<Store> {
        if !self.exists() {
            return Err(format!("{} is not the folder of a store", self.folder.display()).into());
        }
        self.open().await
    }

    /// Opens the store, creating it if it is missing.
    pub(crate) async fn open(&self) -> Result<Store> {
        let builder = with_database(Store::builder(), self.database.as_deref())?;
        Ok(with_bucket(builder, self.bucket.as_deref())?.open(&self.folder).await?)
    }

    /// Returns whether the store has records. A database is taken to have some.
    pub(crate) fn exists(&self) -> bool {
        self.database.is_some() || self.folder.join("media.sqlite").exists()
    }
}

#[cfg(feature = "postgres")]
fn with_database(builder: StoreBuilder, url: Option<&str>) -> Result<StoreBuilder> {
    Ok(match url {
        Some(url) => builder.postgres(url),
        None => builder,
    })
}

#[cfg(not(feature = "postgres"))]
fn with_database(builder: StoreBuilder, url: Option<&str>) -> Result<StoreBuilder> {
    match url {
        Some(_) => Err("PostgreSQL needs a build with the feature postgres".into()),
        None => Ok(builder),
    }
}

#[cfg(any(feature = "s3", feature = "gcs", feature = "azure"))]
fn with_bucket(builder: StoreBuilder, url: Option<&str>) -> Result<StoreBuilder> {
    Ok(match url {
        Some(url) => builder.bucket(url),
        None => builder,
    })
}

#[cfg(not(any(feature = "s3", feature = "gcs", feature = "azure")))]
fn with_bucket(builder: StoreBuilder, url: Option<&str>) -> Result<StoreBuilder> {
    match url {
        Some(_) => Err("buckets need a build with the feature s3, gcs or azure".into()),
        None => Ok(builder),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_folder_a_database_and_a_bucket() {
        let (database, bucket) = ("postgres://host/media", "s3://bucket/a");
        for (text, has_database, has_bucket) in [
            ("./media", false, false),
            ("./media,s3://bucket/a", false, true),
            ("./media,postgres://host/media", true, false),
            ("./media,postgres://host/media,s3://bucket/a", true, true),
            ("./media,s3://bucket/a,postgres://host/media", true, true),
        ] {
            let place = text.parse::<Place>().expect(text);
            let expected = Place {
                folder: "./media".into(),
                database: has_database.then(|| database.to_owned()),
                bucket: has_bucket.then(|| bucket.to_owned()),
            };
            assert!(place == expected, "{text}");
        }
        for text in [
            "",
            ",s3://bucket",
            "s3://bucket",
            "./media,",
            "./media,other",
            "./media,s3://a,s3://b",
        ] {
            assert!(text.parse::<Place>().is_err(), "{text}");
        }
    }
}
