//! Buckets by URL: S3, Google Cloud Storage and Azure, configured from the usual environment.

use std::{fmt, str::FromStr, sync::Arc, time::Duration};

use object_store::{
    BackoffConfig, ClientConfigKey, ClientOptions, ObjectStore, ObjectStoreScheme, RetryConfig,
    prefix::PrefixStore, signer::Url,
};

use super::presigner::Presigner;
use crate::error::{Error, ErrorKind, Result};

/// Time to connect to the object store.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Number of repetitions of a request that failed with 5xx or 429, or whose connection broke.
const RETRIES: usize = 3;

/// The maximum delay before a repetition.
const MAX_BACKOFF: Duration = Duration::from_secs(2);

/// The URL of a bucket, and settings that replace those of the environment.
#[derive(Clone)]
pub(in crate::store) struct BucketConfig {
    pub(in crate::store) url: String,
    pub(in crate::store) options: Vec<(String, String)>,
}

/// An object store, and what signs its URLs if it can.
pub(super) struct Bucket {
    pub(super) store: Arc<dyn ObjectStore>,
    pub(super) presigner: Option<Presigner>,
}

impl Bucket {
    /// Configures the client of a bucket; requests nothing of it.
    pub(super) fn open(config: &BucketConfig, idle_timeout: Duration) -> Result<Self> {
        let (url, scheme) = parse(&config.url)?;
        let name = format!("{}://{}", url.scheme(), url.host_str().unwrap_or_default());
        let client = Client { url: &url, options: &config.options, idle_timeout };
        let bucket = match scheme {
            #[cfg(feature = "s3")]
            ObjectStoreScheme::AmazonS3 => client.s3(),
            #[cfg(feature = "gcs")]
            ObjectStoreScheme::GoogleCloudStorage => client.gcs(),
            #[cfg(feature = "azure")]
            ObjectStoreScheme::MicrosoftAzure => client.azure(),
            _ => {
                let what = format!(
                    "{name} cannot be opened: use s3://, gs:// or az:// with the name of a bucket, and the \
                     feature `s3`, `gcs` or `azure` of tower-media"
                );
                return Err(Error::new(ErrorKind::Unsupported, what));
            }
        };
        let bucket = bucket.map_err(|error| {
            let what = format!("the configuration of the bucket {name} is not valid");
            Error::new(ErrorKind::InvalidInput, what).with_source(error)
        })?;
        tracing::info!(
            bucket = name,
            connect_timeout = ?CONNECT_TIMEOUT,
            ?idle_timeout,
            retries = RETRIES,
            "media are kept in a bucket"
        );
        Ok(bucket)
    }
}

impl fmt::Debug for Bucket {
    // The `Debug` output of an object store may contain its credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bucket").finish_non_exhaustive()
    }
}

/// Parses the URL of a bucket. The error does not repeat it, because it may contain a password.
fn parse(url: &str) -> Result<(Url, ObjectStoreScheme)> {
    let parsed = Url::parse(url).ok();
    let parsed = parsed.filter(|url| {
        url.password().is_none() && url.query().is_none() && url.fragment().is_none()
    });
    let parsed = parsed.and_then(|url| {
        let (scheme, _) = ObjectStoreScheme::parse(&url).ok()?;
        Some((url, scheme))
    });
    parsed.ok_or_else(|| {
        let what = "the URL of the bucket is not valid: use s3://bucket/prefix, gs://bucket/prefix or \
                    az://container/prefix, and the environment for keys and endpoints";
        Error::new(ErrorKind::InvalidInput, what)
    })
}

/// The client of one bucket, with the bounds of each request.
#[derive(Clone, Copy)]
struct Client<'a> {
    url: &'a Url,
    options: &'a [(String, String)],
    idle_timeout: Duration,
}

impl Client<'_> {
    /// All repetitions of a request take at most the idle timeout.
    fn retry(self) -> RetryConfig {
        RetryConfig {
            max_retries: RETRIES,
            retry_timeout: self.idle_timeout,
            backoff: BackoffConfig { max_backoff: MAX_BACKOFF, ..BackoffConfig::default() },
        }
    }

    /// Sets the options, which take precedence over the environment.
    fn configure<B, K: FromStr>(self, builder: B, set: fn(B, K, String) -> B) -> Result<B, K::Err> {
        self.options.iter().try_fold(builder, |builder, (name, value)| {
            Ok(set(builder, name.to_ascii_lowercase().parse()?, value.clone()))
        })
    }

    /// The client options of the environment and of the configuration, with our timeouts. A timeout of the
    /// whole request would break off a download that a slow client reads.
    fn client_options<K: FromStr>(
        self,
        prefix: &str,
        client_key: fn(K) -> Option<ClientConfigKey>,
    ) -> ClientOptions {
        let environment = std::env::vars_os().filter_map(|(name, value)| {
            let (name, value) = (name.into_string().ok()?, value.into_string().ok()?);
            name.starts_with(prefix).then_some((name, value))
        });
        environment
            .chain(self.options.iter().cloned())
            .filter_map(|(name, value)| {
                Some((client_key(name.to_ascii_lowercase().parse().ok()?)?, value))
            })
            .fold(ClientOptions::new(), |options, (key, value)| options.with_config(key, value))
            .with_connect_timeout(CONNECT_TIMEOUT)
            .with_read_timeout(self.idle_timeout)
            .with_timeout_disabled()
    }

    #[cfg(feature = "s3")]
    fn s3(self) -> object_store::Result<Bucket> {
        use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
        let builder = AmazonS3Builder::from_env().with_url(self.url.as_str());
        let builder = self.configure(builder, AmazonS3Builder::with_config)?;
        let options = self.client_options("AWS_", |key: AmazonS3ConfigKey| match key {
            AmazonS3ConfigKey::Client(key) => Some(key),
            _ => None,
        });
        self.signing(builder.with_client_options(options).with_retry(self.retry()).build()?)
    }

    #[cfg(feature = "gcs")]
    fn gcs(self) -> object_store::Result<Bucket> {
        use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};
        let builder = GoogleCloudStorageBuilder::from_env().with_url(self.url.as_str());
        let builder = self.configure(builder, GoogleCloudStorageBuilder::with_config)?;
        let options = self.client_options("GOOGLE_", |key: GoogleConfigKey| match key {
            GoogleConfigKey::Client(key) => Some(key),
            _ => None,
        });
        self.signing(builder.with_client_options(options).with_retry(self.retry()).build()?)
    }

    #[cfg(feature = "azure")]
    fn azure(self) -> object_store::Result<Bucket> {
        use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
        let builder = MicrosoftAzureBuilder::from_env().with_url(self.url.as_str());
        let builder = self.configure(builder, MicrosoftAzureBuilder::with_config)?;
        let options = self.client_options("AZURE_", |key: AzureConfigKey| match key {
            AzureConfigKey::Client(key) => Some(key),
            _ => None,
        });
        let store = builder.with_client_options(options).with_retry(self.retry()).build()?;
        // Its signer cannot bind the headers of the response, so it presigns nothing.
        Ok(Bucket { store: Arc::new(PrefixStore::new(store, self.prefix()?)), presigner: None })
    }

    #[cfg(any(feature = "s3", feature = "gcs"))]
    fn signing<S: ObjectStore + object_store::signer::Signer>(
        self,
        store: S,
    ) -> object_store::Result<Bucket> {
        let store = Arc::new(PrefixStore::new(store, self.prefix()?));
        Ok(Bucket { presigner: Some(Presigner::new(store.clone())), store })
    }

    /// The path in the bucket under which all keys are.
    fn prefix(self) -> object_store::Result<object_store::path::Path> {
        let (_, prefix) = ObjectStoreScheme::parse(self.url)?;
        Ok(prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(url: &str, options: &[(&str, &str)]) -> Result<Bucket> {
        let options = options.iter().map(|&(name, value)| (name.to_owned(), value.to_owned()));
        let config = BucketConfig { url: url.to_owned(), options: options.collect() };
        Bucket::open(&config, Duration::from_secs(1))
    }

    #[test]
    fn an_invalid_url_is_refused_without_repeating_it() {
        for url in [
            "",
            "bucket",
            "ftp://bucket",
            "s3://",
            "s3://key:secret@bucket",
            "s3://bucket?secret=1",
            "s3://bucket#secret",
        ] {
            let refused = open(url, &[]).expect_err(url);
            assert_eq!(refused.kind(), ErrorKind::InvalidInput, "{url}: {refused}");
            assert!(!format!("{refused:?}").contains("secret"), "{url}: {refused:?}");
        }
        for url in ["file:///tmp", "memory:///", "http://host/bucket"] {
            let refused = open(url, &[]).expect_err(url);
            assert_eq!(refused.kind(), ErrorKind::Unsupported, "{url}: {refused}");
        }
    }

    #[cfg(feature = "s3")]
    #[test]
    fn debug_output_and_errors_of_a_bucket_have_no_keys() {
        let keys = [("access_key_id", "secret"), ("aws_secret_access_key", "secret")];
        let bucket = open("s3://bucket/below/this", &keys).expect("valid");
        assert!(bucket.store.to_string().contains("below/this"), "{}", bucket.store);
        assert_eq!(format!("{bucket:?}"), "Bucket { .. }");
        assert!(bucket.presigner.is_some());
        for options in [[("unknown", "secret")], [("aws_allow_http", "secret")]] {
            let refused = open("s3://bucket", &options).expect_err("not valid");
            assert_eq!(refused.kind(), ErrorKind::InvalidInput);
            assert!(!refused.to_string().contains("secret"), "{refused}");
        }
    }
}
