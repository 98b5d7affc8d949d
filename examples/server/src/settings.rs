//! The configuration, from environment variables.

use std::{
    collections::HashMap,
    fmt::Display,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
};

use axum::http::Uri;
use tower_media::routes::ServiceKeys;

use crate::{Result, compatible::Part};

pub(crate) struct Settings {
    pub(crate) address: SocketAddr,
    pub(crate) public_url: Option<String>,
    pub(crate) origins: Vec<String>,
    pub(crate) storage: PathBuf,
    pub(crate) max_bytes: u64,
    pub(crate) keys: Option<ServiceKeys>,
    pub(crate) compatible: Vec<Part>,
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
        let keys = keys(get("SERVICE_KEY"), get("SERVICE_KEY_PREVIOUS"), get("TRUSTED"))?;
        let port = parsed("PORT", get("PORT").unwrap_or("3015").parse())?;
        let host = match get("HOST") {
            Some(host) => parsed("HOST", host.parse::<IpAddr>())?,
            None if keys.is_some() => Ipv4Addr::UNSPECIFIED.into(),
            None => Ipv4Addr::LOCALHOST.into(),
        };
        if keys.is_none() && !host.is_loopback() {
            return Err(format!(
                "HOST: without SERVICE_KEY or TRUSTED, every client that can reach {host} could read and \
                 delete all media; set one of them, or listen on 127.0.0.1"
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
            compatible: Part::parse(get("COMPATIBLE").unwrap_or("0"))?,
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

fn keys(
    key: Option<&str>,
    previous: Option<&str>,
    networks: Option<&str>,
) -> Result<Option<ServiceKeys>> {
    let keys = match (key, previous) {
        (None, Some(_)) => return Err("SERVICE_KEY_PREVIOUS: set SERVICE_KEY too".into()),
        (None, None) => None,
        (Some(key), None) => Some(parsed("SERVICE_KEY", ServiceKeys::new(key))?),
        (Some(key), Some(previous)) => {
            let keys = parsed("SERVICE_KEY", ServiceKeys::new(key))?;
            Some(parsed("SERVICE_KEY_PREVIOUS", keys.or(previous))?)
        }
    };
    let Some(networks) = networks.map(items) else { return Ok(keys) };
    let keys = match keys {
        Some(keys) => keys.or_networks(networks),
        None => ServiceKeys::networks(networks),
    };
    parsed("TRUSTED", keys).map(Some)
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

fn origins(list: &str) -> Result<Vec<String>> {
    let origins = items(list).map(|origin| match origin {
        "*" => Err("CORS_ORIGINS: `*` is not allowed; list the origins".into()),
        origin => Ok(origin.to_owned()),
    });
    origins.collect()
}

/// Splits a comma-separated list.
fn items(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').map(str::trim).filter(|item| !item.is_empty())
}

/// Adds the name of the variable to the error of its value.
fn parsed<T, E: Display>(name: &str, value: Result<T, E>) -> Result<T> {
    value.map_err(|error| format!("{name}: {error}").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: (&str, &str) = ("SERVICE_KEY", "0123456789abcdef");

    fn parse(variables: &[(&str, &str)]) -> Result<Settings, String> {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Settings::parse(variables.iter().map(owned)).map_err(|error| error.to_string())
    }

    #[test]
    fn another_address_than_loopback_needs_a_key_or_networks() {
        let trusted = ("TRUSTED", "10.0.0.0/8, fd00::/8");
        for (variables, expected) in [
            (&[][..], "127.0.0.1:3015"),
            (&[KEY], "0.0.0.0:3015"),
            (&[trusted], "0.0.0.0:3015"),
            (&[KEY, trusted], "0.0.0.0:3015"),
            (&[("HOST", "::1"), ("PORT", "80")], "[::1]:80"),
            (&[("HOST", "::"), trusted], "[::]:3015"),
        ] {
            let settings = parse(variables).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(settings.address.to_string(), expected, "{variables:?}");
        }
        for host in ["0.0.0.0", "::", "10.0.0.1"] {
            for absent in [&[][..], &[("SERVICE_KEY", "")], &[("TRUSTED", "")]] {
                let error = parse(&[&[("HOST", host)], absent].concat()).err();
                let error = error.unwrap_or_else(|| panic!("{host} {absent:?}"));
                assert!(error.starts_with("HOST: without SERVICE_KEY or TRUSTED"), "{error}");
            }
        }
    }

    #[test]
    fn an_error_names_the_variable() {
        for (name, value) in [
            ("SERVICE_KEY", "short"),
            ("SERVICE_KEY_PREVIOUS", "0123456789abcdef"),
            ("TRUSTED", "example.org"),
            ("TRUSTED", "0.0.0.0/0"),
            ("TRUSTED", ","),
            ("COMPATIBLE", "yes"),
            ("COMPATIBLE", "app-owners,"),
            ("CORS_ORIGINS", "*"),
            ("PUBLIC_URL", "media.example.org"),
            ("PORT", "http"),
            ("HOST", "localhost"),
            ("MAX_BYTES", "-1"),
            ("LOG_FORMAT", "xml"),
            ("DATABASE_URL", "postgres://x"),
        ] {
            let error = parse(&[(name, value)]).err().unwrap_or_else(|| panic!("{name}={value}"));
            assert!(error.starts_with(&format!("{name}: ")), "{error}");
        }
    }

    #[test]
    fn compatible_is_everything_or_a_list_of_parts() {
        let parts =
            |value| parse(&[("COMPATIBLE", value)]).unwrap_or_else(|e| panic!("{e}")).compatible;
        assert_eq!(parts(""), []);
        assert_eq!(parts("0"), []);
        assert_eq!(parts("app-owners, large-images"), [Part::AppOwners, Part::LargeImages]);
        let has_heic = cfg!(feature = "heic");
        assert_eq!(parts("1").contains(&Part::HeicAsJpeg), has_heic);
        assert_eq!(parts("1").len(), 4 + usize::from(has_heic));
        assert_eq!(parse(&[("COMPATIBLE", "heic-as-jpeg")]).is_ok(), has_heic);
    }
}
