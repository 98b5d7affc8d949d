//! The places that the commands name: a folder with its database, and a bucket for the bytes.

use std::{path::PathBuf, str::FromStr};

use tower_media::{Store, store::StoreBuilder};

use crate::Result;

/// Where a store is: `FOLDER`, or `FOLDER,BUCKET` with the URL of a bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) folder: PathBuf,
    pub(crate) bucket: Option<String>,
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (folder, bucket) = match text.split_once(',') {
            Some((folder, bucket)) => (folder, Some(bucket.to_owned())),
            None => (text, None),
        };
        let is_valid = !folder.is_empty()
            && !folder.contains("://")
            && bucket.as_ref().is_none_or(|url| url.contains("://"));
        if !is_valid {
            return Err(
                "a store is FOLDER, or FOLDER,BUCKET such as ./media,s3://bucket/prefix".into()
            );
        }
        Ok(Self { folder: folder.into(), bucket })
    }
}

impl Place {
    /// Opens a store that exists.
    pub(crate) async fn open_existing(&self) -> Result<Store> {
        if !self.exists() {
            return Err(format!("{} is not the folder of a store", self.folder.display()).into());
        }
        self.open().await
    }

    /// Opens the store, creating it if it is missing.
    pub(crate) async fn open(&self) -> Result<Store> {
        Ok(self.builder()?.open(&self.folder).await?)
    }

    pub(crate) fn exists(&self) -> bool {
        self.folder.join("media.sqlite").exists()
    }

    #[cfg(any(feature = "s3", feature = "gcs", feature = "azure"))]
    fn builder(&self) -> Result<StoreBuilder> {
        let builder = Store::builder();
        Ok(match &self.bucket {
            Some(url) => builder.bucket(url),
            None => builder,
        })
    }

    #[cfg(not(any(feature = "s3", feature = "gcs", feature = "azure")))]
    fn builder(&self) -> Result<StoreBuilder> {
        match &self.bucket {
            Some(_) => Err("buckets need a build with the feature s3, gcs or azure".into()),
            None => Ok(Store::builder()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_folder_and_perhaps_a_bucket() {
        for (text, folder, bucket) in [
            ("./media", "./media", None),
            ("/srv/media,s3://bucket/a", "/srv/media", Some("s3://bucket/a")),
        ] {
            let place = Place { folder: folder.into(), bucket: bucket.map(str::to_owned) };
            assert_eq!(text.parse(), Ok(place));
        }
        for text in ["", ",s3://bucket", "s3://bucket", "./media,", "./media,other"] {
            assert!(text.parse::<Place>().is_err(), "{text}");
        }
    }
}
