//! The media service as one binary: the whole protocol, kept in a folder of this machine.
//!
//! It starts without any configuration. What can be set, by environment variables:
//!
//! | variable | sets | at first |
//! |---|---|---|
//! | `PORT` | the port | 3015 |
//! | `HOST` | the address | `0.0.0.0` with a key, `127.0.0.1` without |
//! | `PUBLIC_URL` | what stands before `/media/{id}/file` in URLs | `http://localhost:PORT/api/v1` |
//! | `CORS_ORIGINS` | origins whose pages may call, with commas between | none |
//! | `STORAGE` | the folder | `./media` |
//! | `MAX_BYTES` | how many bytes a file may have | 104857600, which is 100 MiB |
//! | `SERVICE_KEY` | the key that callers send | none: this machine only |
//! | `SERVICE_KEY_PREVIOUS` | another, while callers change over | none |
//! | `LOG_FORMAT` | `text` or `json` | `text` |
//! | `RUST_LOG` | what is logged | `info` |
//!
//! `DATABASE_URL` of the service that it replaces is refused: rows are in the folder.

use std::{
    collections::HashMap,
    error::Error,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use axum::{
    Router,
    http::{HeaderName, HeaderValue, Method, header},
};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder};
use tokio::{net::TcpListener, signal};
use tower_http::cors::CorsLayer;
use tower_media::{
    MediaState, Store,
    routes::{ServiceKeys, ServiceRoutes},
    store::MakeVariants,
};
use tracing_subscriber::EnvFilter;

type Result<T, E = Box<dyn Error>> = std::result::Result<T, E>;

/// How long requests under way may take once the server is told to stop.
const GRACE: Duration = Duration::from_secs(30);

/// How often bytes are deleted that nobody refers to any more.
const GC_INTERVAL: Duration = Duration::from_secs(10 * 60);

/// The bounds of the durations in `/metrics`, in seconds.
const BUCKETS: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

struct Settings {
    address: SocketAddr,
    public_url: Option<String>,
    origins: Vec<HeaderValue>,
    storage: PathBuf,
    max_bytes: u64,
    keys: Option<ServiceKeys>,
    json_logs: bool,
}

impl Settings {
    /// Reads what is set; an empty value is as good as none, and unknown variables do not matter.
    fn of(variables: impl Iterator<Item = (String, String)>) -> Result<Self> {
        let set: HashMap<_, _> = variables.filter(|(_, value)| !value.is_empty()).collect();
        let get = |name| set.get(name).map(String::as_str);
        if get("DATABASE_URL").is_some() {
            return Err(
                "DATABASE_URL: this server keeps its rows in the folder of STORAGE and uses \
                        no other database; unset it"
                    .into(),
            );
        }
        let keys = match (get("SERVICE_KEY"), get("SERVICE_KEY_PREVIOUS")) {
            (None, None) => None,
            (None, Some(_)) => return Err("SERVICE_KEY_PREVIOUS: there is no SERVICE_KEY".into()),
            (Some(key), previous) => {
                let keys = named("SERVICE_KEY", ServiceKeys::new(key))?;
                Some(match previous {
                    Some(previous) => named("SERVICE_KEY_PREVIOUS", keys.or(previous))?,
                    None => keys,
                })
            }
        };
        let port = named("PORT", get("PORT").unwrap_or("3015").parse())?;
        let host = match get("HOST") {
            Some(host) => named("HOST", host.parse::<IpAddr>())?,
            None if keys.is_some() => Ipv4Addr::UNSPECIFIED.into(),
            None => Ipv4Addr::LOCALHOST.into(),
        };
        if keys.is_none() && !host.is_loopback() {
            return Err(format!(
                "HOST: without SERVICE_KEY everybody who reaches {host} could read and remove all \
                 media; set one, or listen on 127.0.0.1"
            )
            .into());
        }
        let public_url = get("PUBLIC_URL").map(str::to_owned);
        if let Some(url) = &public_url
            && !matches!(url.parse::<axum::http::Uri>(), Ok(uri) if uri.scheme().is_some() && uri.host().is_some())
        {
            return Err(format!("PUBLIC_URL: {url} is no URL such as http://host/api/v1").into());
        }
        let origins = get("CORS_ORIGINS").unwrap_or_default().split(',').map(str::trim);
        let origins = origins.filter(|origin| !origin.is_empty()).map(|origin| match origin {
            "*" => Err("CORS_ORIGINS: name the origins; `*` is none".into()),
            origin => named("CORS_ORIGINS", HeaderValue::from_str(origin)),
        });
        Ok(Self {
            address: SocketAddr::new(host, port),
            public_url,
            origins: origins.collect::<Result<_>>()?,
            storage: get("STORAGE").unwrap_or("./media").into(),
            max_bytes: named("MAX_BYTES", get("MAX_BYTES").unwrap_or("104857600").parse())?,
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

/// A value that cannot be used, told with the name of its variable.
fn named<T, E: std::fmt::Display>(name: &str, value: Result<T, E>) -> Result<T> {
    value.map_err(|error| format!("{name}: {error}").into())
}

#[tokio::main]
async fn main() -> std::process::ExitCode {
    match serve().await {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            std::process::ExitCode::FAILURE
        }
    }
}

async fn serve() -> Result<()> {
    let settings = Settings::of(std::env::vars())?;
    let filter = EnvFilter::builder().with_default_directive(tracing::Level::INFO.into());
    let logs = tracing_subscriber::fmt().with_env_filter(filter.from_env()?);
    if settings.json_logs {
        logs.json().init()
    } else {
        logs.init()
    }

    let listener = TcpListener::bind(settings.address)
        .await
        .map_err(|error| format!("{} cannot be listened on: {error}", settings.address))?;
    let address = listener.local_addr()?;
    let public_url = settings
        .public_url
        .unwrap_or_else(|| format!("http://localhost:{}/api/v1", address.port()));
    let store = Store::builder()
        .public_url(public_url)
        .max_bytes(settings.max_bytes)
        .variants(MakeVariants::Ahead)
        .open(&settings.storage)
        .await?;
    store.spawn_gc(GC_INTERVAL);

    let who = if settings.keys.is_some() { "with a service key" } else { "without a key" };
    let folder = settings.storage.canonicalize()?;
    tracing::info!("listening on http://{address} {who}, keeping media in {}", folder.display());

    let keys = settings.keys.unwrap_or_else(ServiceKeys::insecure_without_key);
    let media = MediaState::new(store.clone());
    let routes = ServiceRoutes::new(media, keys).max_bytes(settings.max_bytes).spool_in(folder);
    let app = app(routes, settings.origins)?;
    let (stop, stopped) = tokio::sync::oneshot::channel();
    let server = axum::serve(listener, app).with_graceful_shutdown(async {
        told_to_stop().await;
        tracing::info!("finishing what is under way");
        let _ = stop.send(());
    });
    let too_long = async {
        let _ = stopped.await;
        tokio::time::sleep(GRACE).await;
    };
    tokio::select! {
        served = server => served?,
        () = too_long => tracing::warn!("some requests took longer than {GRACE:?} and are broken off"),
    }
    // Uploads that are complete are kept, whether or not somebody still waits for the answer.
    store.close().await?;
    tracing::info!("stopped");
    Ok(())
}

fn app(routes: ServiceRoutes, origins: Vec<HeaderValue>) -> Result<Router> {
    let durations = Matcher::Full("media_http_request_duration_seconds".to_owned());
    let recorder = PrometheusBuilder::new().set_buckets_for_metric(durations, &BUCKETS)?;
    let metrics = recorder.install_recorder()?;
    let render = move || {
        metrics.run_upkeep();
        metrics.render()
    };
    let routes = routes.metrics(render).into_router();
    if origins.is_empty() {
        return Ok(routes);
    }
    let headers =
        [header::AUTHORIZATION, header::CONTENT_TYPE, HeaderName::from_static("x-service-key")];
    let methods = [Method::GET, Method::HEAD, Method::POST, Method::DELETE];
    let cors = CorsLayer::new().allow_origin(origins).allow_methods(methods).allow_headers(headers);
    Ok(routes.layer(cors))
}

async fn told_to_stop() {
    #[cfg(unix)]
    let terminated = async {
        match signal::unix::signal(signal::unix::SignalKind::terminate()) {
            Ok(mut terminated) => drop(terminated.recv().await),
            Err(error) => {
                tracing::warn!(%error, "SIGTERM cannot be waited for");
                std::future::pending().await
            }
        }
    };
    #[cfg(not(unix))]
    let terminated = std::future::pending::<()>();
    tokio::select! {
        interrupted = signal::ctrl_c() => {
            if let Err(error) = interrupted {
                tracing::warn!(%error, "ctrl-c cannot be waited for");
                std::future::pending::<()>().await;
            }
        }
        () = terminated => {}
    }
}
