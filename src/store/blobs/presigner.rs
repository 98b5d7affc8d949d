//! URLs that an object store has signed: clients read an object without this server in between.

use std::time::Duration;

use object_store::{Result, path::Path};

#[cfg(any(feature = "s3", feature = "gcs", feature = "azure"))]
pub(crate) use self::signing::Presigner;

/// Without a feature that brings an object store which signs.
#[cfg(not(any(feature = "s3", feature = "gcs", feature = "azure")))]
#[derive(Debug, Clone)]
pub(crate) enum Presigner {}

#[cfg(not(any(feature = "s3", feature = "gcs", feature = "azure")))]
impl Presigner {
    pub(super) async fn url(&self, _: &Path, _: &str, _: &str, _: Duration) -> Result<String> {
        match *self {}
    }
}

#[cfg(any(feature = "s3", feature = "gcs", feature = "azure"))]
mod signing {
    use std::{fmt, sync::Arc};

    use object_store::signer::{Method, SignedUrlOptions, Signer};

    use super::{Duration, Path, Result};

    /// Signs URLs of objects.
    #[derive(Clone)]
    pub(crate) struct Presigner(Arc<dyn Signer>);

    impl Presigner {
        pub(crate) fn new(signer: Arc<dyn Signer>) -> Self {
            Self(signer)
        }

        /// Signs `GET` of an object, with the headers of its response.
        pub(in crate::store) async fn url(
            &self,
            key: &Path,
            content_type: &str,
            disposition: &str,
            expires_in: Duration,
        ) -> Result<String> {
            let options = SignedUrlOptions::new().with_query([
                ("response-content-type", content_type),
                ("response-content-disposition", disposition),
            ]);
            let url = self.0.signed_url_opts(Method::GET, key, expires_in, &options).await?;
            Ok(url.into())
        }
    }

    impl fmt::Debug for Presigner {
        // The `Debug` output of an object store may contain its credentials.
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.debug_struct("Presigner").finish_non_exhaustive()
        }
    }
}
