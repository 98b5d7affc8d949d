//! The configuration, from environment variables.

use std::{
    collections::HashMap,
    fmt::Display,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
};

use axum::http::{HeaderValue, Uri};
use tower_media::routes::ServiceKeys;

use crate::Result;

pub(crate) struct Settings {
    pub(crate) address: SocketAddr,
    pub(crate) public_url: Option<String>,
    pub(crate) origins: Vec<HeaderValue>,
    pub(crate) storage: PathBuf,
    pub(crate) max_bytes: u64,
    pub(crate) keys: Option<ServiceKeys>,
    pub(crate) json_logs: bool,
}

impl Settings {
    /// Parses the variables. An empty value counts as absent; unknown variables are ignored.
    pub(crate) fn parse(variables: impl Iterator<Item = (String, String)>) -> Result<Self> {
        let set: HashMap<_, _> = variables.filter(|(_, value)| !value.is_empty()).collect();
        let get = |name| set.get(name).map(String::as_str);
        if get("DATABASE_URL").is_some() {
            return Err("DATABASE_URL: the rows are in the folder of STORAGE, not in a database \
                        server; unset the variable"
                .into());
        }
        let keys = keys(get("SERVICE_KEY"), get("SERVICE_KEY_PREVIOUS"))?;
        let port = parsed("PORT", get("PORT").unwrap_or("3015").parse())?;
        let host = match get("HOST") {
            Some(host) => parsed("HOST", host.parse::<IpAddr>())?,
            None if keys.is_some() => Ipv4Addr::UNSPECIFIED.into(),
            None => Ipv4Addr::LOCALHOST.into(),
        };
        if keys.is_none() && !host.is_loopback() {
            return Err(format!(
                "HOST: without SERVICE_KEY, every client that can reach {host} could read and delete \
                 all media; set a key, or listen on 127.0.0.1"
            )
            .into());
        }
        Ok(Self {
            address: SocketAddr::new(host, port),
            public_url: get("PUBLIC_URL").map(public_url).transpose()?,
            origins: origins(get("CORS_ORIGINS").unwrap_or_default())?,
            storage: get("STORAGE").unwrap_or("./media").into(),
            max_bytes: parsed("MAX_BYTES", get("MAX_BYTES").unwrap_or("104857600").parse())?,
            keys,
            json_logs: match get("LOG_FORMAT") {
                None | Some("text") => false,
                Some("json") => true,
                Some(other) => {
                    return Err(format!("LOG_FORMAT: {other} is neither text nor json").into());
                }
            },
        })
    }
}

fn keys(key: Option<&str>, previous: Option<&str>) -> Result<Option<ServiceKeys>> {
    let Some(key) = key else {
        return match previous {
            Some(_) => Err("SERVICE_KEY_PREVIOUS: set SERVICE_KEY too".into()),
            None => Ok(None),
        };
    };
    let keys = parsed("SERVICE_KEY", ServiceKeys::new(key))?;
    Ok(Some(match previous {
        Some(previous) => parsed("SERVICE_KEY_PREVIOUS", keys.or(previous))?,
        None => keys,
    }))
}

fn public_url(url: &str) -> Result<String> {
    match url.parse::<Uri>() {
        Ok(uri) if uri.scheme().is_some() && uri.host().is_some() => Ok(url.to_owned()),
        _ => {
            Err(format!("PUBLIC_URL: {url} is not valid; use a URL such as http://host/api/v1")
                .into())
        }
    }
}

fn origins(list: &str) -> Result<Vec<HeaderValue>> {
    let origins = list.split(',').map(str::trim).filter(|origin| !origin.is_empty());
    let origins = origins.map(|origin| match origin {
        "*" => Err("CORS_ORIGINS: `*` is not allowed; list the origins".into()),
        origin => parsed("CORS_ORIGINS", HeaderValue::from_str(origin)),
    });
    origins.collect()
}

/// Adds the name of the variable to the error of its value.
fn parsed<T, E: Display>(name: &str, value: Result<T, E>) -> Result<T> {
    value.map_err(|error| format!("{name}: {error}").into())
}
