//! The media service as one binary: the whole protocol over a store in a folder of this machine.
//!
//! `server migrate --from STORE --to STORE [--dry-run]` copies a store, `server verify` reads and hashes it, and
//! `server gc` deletes what nothing refers to. Stop the server before. A `STORE` is a folder, and perhaps a database
//! and a bucket: `./media,postgres://host/media,s3://bucket/prefix`, with the features `postgres`, `s3`, `gcs`, `azure`.
//!
//! It needs no configuration. Environment variables:
//!
//! | variable | meaning | default |
//! |---|---|---|
//! | `PORT` | the port | 3015 |
//! | `HOST` | the address to listen on | `0.0.0.0` with `SERVICE_KEY` or `TRUSTED`, otherwise `127.0.0.1` |
//! | `PUBLIC_URL` | the base of URLs, before `/media/{id}/file` | `http://localhost:PORT/api/v1` |
//! | `CORS_ORIGINS` | comma-separated origins whose pages may call the service; pages of every origin can then embed files | empty |
//! | `STORAGE` | the folder of the store | `./media` |
//! | `MAX_BYTES` | the greatest size of a file in bytes | 104857600, which is 100 MiB |
//! | `SERVICE_KEY` | the key of callers | empty: without `TRUSTED`, only this machine may call |
//! | `SERVICE_KEY_PREVIOUS` | the previous key, accepted during a rotation | empty |
//! | `TRUSTED` | comma-separated networks, such as `10.0.0.0/8`, whose callers need no key; never that of a proxy | empty |
//! | `COMPATIBLE` | `1` for callers of the original service, or some of `app-owners`, `keep-small-formats`, `variant-names`, `heic-as-jpeg`, `large-images` | `0` |
//! | `LOG_FORMAT` | `text` or `json` | `text` |
//! | `RUST_LOG` | the filter of logs | `info` |
//!
//! The server refuses to start with `DATABASE_URL`, a variable of the original service, because its rows are in the
//! folder.

mod command;
mod compatible;
mod migrate;
mod place;
mod serve;
mod settings;
mod verify;

use std::{error::Error, time::Duration};

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

use self::{command::Command, settings::Settings};

type Result<T, E = Box<dyn Error>> = std::result::Result<T, E>;

/// The timeouts of connections: for the head of a request, and for running requests after a signal to stop.
const TIMEOUTS: serve::Timeouts =
    serve::Timeouts { head: Duration::from_secs(30), grace: Duration::from_secs(30) };

/// The interval of garbage collection.
const GC_INTERVAL: Duration = Duration::from_secs(10 * 60);

/// The buckets of durations in `/metrics`, in seconds.
const BUCKETS: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

#[tokio::main]
async fn main() -> std::process::ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let storage = std::env::var("STORAGE").ok().filter(|storage| !storage.is_empty());
    let done = match Command::parse(&arguments, storage.as_deref()) {
        Ok(command) => command.run().await,
        Err(error) => Err(error),
    };
    match done {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            std::process::ExitCode::FAILURE
        }
    }
}

async fn serve() -> Result<()> {
    let settings = Settings::parse(std::env::vars())?;
    let filter = EnvFilter::builder().with_default_directive(tracing::Level::INFO.into());
    let logs = tracing_subscriber::fmt().with_env_filter(filter.from_env()?);
    if settings.json_logs {
        logs.json().init()
    } else {
        logs.init()
    }

    let listener = TcpListener::bind(settings.address)
        .await
        .map_err(|error| format!("cannot listen on {}: {error}", settings.address))?;
    let address = listener.local_addr()?;
    let public_url = settings
        .public_url
        .unwrap_or_else(|| format!("http://localhost:{}/api/v1", address.port()));
    let store = Store::builder()
        .public_url(public_url)
        .max_bytes(settings.max_bytes)
        .variants(MakeVariants::Ahead)
        .image_limits(compatible::image_limits(&settings.compatible))
        .open(&settings.storage)
        .await?;
    store.spawn_gc(GC_INTERVAL);

    let callers = if settings.keys.is_some() { "for trusted callers" } else { "for every caller" };
    let folder = settings.storage.canonicalize()?;
    tracing::info!(
        "listening on http://{address} {callers}, storing media in {}",
        folder.display()
    );

    if !settings.compatible.is_empty() && !cfg!(feature = "heic") {
        tracing::warn!("built without the feature heic: HEIC originals are delivered as HEIC");
    }
    let keys = settings.keys.unwrap_or_else(ServiceKeys::insecure_without_key);
    let media = MediaState::new(store.clone());
    let routes = ServiceRoutes::new(media, keys)
        .max_bytes(settings.max_bytes)
        .spool_in(folder)
        .allowed_origins(&settings.origins)
        .map_err(|error| format!("CORS_ORIGINS: {error}"))?;
    let routes = settings.compatible.iter().fold(routes, |routes, part| part.apply(routes));
    let app = app(routes, &settings.origins)?;
    let stop = async {
        stop_signal().await;
        tracing::info!("stopping after the running requests");
    };
    if !serve::serve(listener, app, TIMEOUTS, stop).await {
        tracing::warn!("ending requests that took longer than {:?}", TIMEOUTS.grace);
    }
    // Completes uploads whose bytes have arrived, even if the client has disconnected.
    store.close().await?;
    tracing::info!("stopped");
    Ok(())
}

fn app(routes: ServiceRoutes, origins: &[String]) -> Result<Router> {
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
    let origins: Vec<HeaderValue> =
        origins.iter().map(|origin| origin.parse()).collect::<Result<_, _>>()?;
    let headers =
        [header::AUTHORIZATION, header::CONTENT_TYPE, HeaderName::from_static("x-service-key")];
    let methods = [Method::GET, Method::HEAD, Method::POST, Method::DELETE];
    let cors = CorsLayer::new().allow_origin(origins).allow_methods(methods).allow_headers(headers);
    Ok(routes.layer(cors))
}

async fn stop_signal() {
    #[cfg(unix)]
    let terminated = async {
        match signal::unix::signal(signal::unix::SignalKind::terminate()) {
            Ok(mut terminated) => drop(terminated.recv().await),
            Err(error) => {
                tracing::warn!(%error, "cannot wait for SIGTERM");
                std::future::pending().await
            }
        }
    };
    #[cfg(not(unix))]
    let terminated = std::future::pending::<()>();
    tokio::select! {
        interrupted = signal::ctrl_c() => {
            if let Err(error) = interrupted {
                tracing::warn!(%error, "cannot wait for ctrl-c");
                std::future::pending::<()>().await;
            }
        }
        () = terminated => {}
    }
}
