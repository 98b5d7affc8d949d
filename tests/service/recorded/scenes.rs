//! Recordings with an event between two exchanges.

use std::{fs, path::Path};

use axum::http::HeaderValue;
use metrics_exporter_prometheus::PrometheusBuilder;
use serde_json::Value;
use sqlx::{Connection as _, SqliteConnection, sqlite::SqliteConnectOptions};
use tower_http::cors::CorsLayer;

use super::{exchange::recording, stage::Stage};
use crate::support::{Home, files};

/// The records in a recorded response, each once.
pub fn records(topic: &str, line: usize) -> Vec<Value> {
    let answers = recording(topic)[line - 1].answers();
    let json: Value = serde_json::from_str(answers[0].text.as_ref().unwrap()).unwrap();
    let mut records: Vec<Value> = match json {
        Value::Array(records) => records,
        mut page if page["items"].is_array() => {
            serde_json::from_value(page["items"].take()).unwrap()
        }
        record => vec![record],
    };
    let mut seen = Vec::new();
    records.retain(|record| {
        let is_new = !seen.contains(&record["id"]);
        seen.push(record["id"].clone());
        is_new
    });
    records
}

pub fn record(topic: &str, line: usize) -> Value {
    records(topic, line).remove(0)
}

/// Two users have equal files, and one of them deletes its own.
pub async fn delete(mut stage: Stage) -> Stage {
    let shared = record("delete", 1);
    stage.stored(&shared, "test", "owner").await;
    stage.stored(&shared, "test", "co-owner").await;
    stage.lines("delete", 1..=13).await;
    stage.stored(&record("delete", 14), "test", "owner").await;
    stage.lines("delete", 14..=15).await;
    stage.hurries = true;
    stage.stored(&records("transitions", 7)[3], "test", "slow").await;
    stage.lines("delete", 16..=18).await;
    stage
}

/// The service restarts with other settings.
pub async fn config() -> Stage {
    let elsewhere = Home::builder().public_url("http://localhost:8080/cdn/api/v1");
    let mut home = Home::with(elsewhere).await;
    let mut stage = Stage::over(&home);
    let origins = ["http://localhost:5171", "http://localhost:5172"];
    let cors = CorsLayer::new().allow_origin(origins.map(HeaderValue::from_static));
    stage.app = stage.app.layer(cors);
    stage.stored(&record("config", 1), "test", "user").await;
    stage.lines("config", 1..=6).await;

    stage.stop();
    home = home.reopened(Home::builder().public_url("http://localhost:3015/api/v1/")).await;
    stage.start(&home);
    stage.lines("config", 7..=14).await;
    stage
}

/// Rows that contradict the bytes, as an older version may have written them.
pub async fn legacy() -> Stage {
    let mut home = Home::new().await;
    let mut stage = Stage::over(&home);
    // The recorded rows have wrong sizes and hashes.
    let mut heic = record("legacy", 1);
    stage.known.means("\"size\":16", "\"size\":667");
    let hash = "56cd7d5f03dc32a7fa3cbd8f388136d4c0d99f63beac1176725d2947772327fe";
    stage.known.means(heic["hash"].as_str().unwrap(), hash);
    (heic["hash"], heic["size"]) = (hash.into(), 667.into());
    stage.stored(&heic, "test", "user").await;
    let mut same = heic.clone();
    same["id"] = "ef09f371-2db2-431a-81e1-a0d144b96f7d".into();
    stage.stored(&same, "test", "another").await;
    let mut jpeg = record("config", 1);
    jpeg["id"] = "6171fc3f-0e51-40df-ad33-309f25550a5d".into();
    stage.stored(&jpeg, "test", "user").await;

    stage.stop();
    home.store.close().await.unwrap();
    forget_types(home.folder.path()).await;
    home = home.reopened(Home::builder()).await;
    stage.start(&home);
    stage.lines("legacy", 1..=6).await;
    stage
}

async fn forget_types(folder: &Path) {
    let options = SqliteConnectOptions::new().filename(folder.join("media.sqlite"));
    let mut rows = SqliteConnection::connect_with(&options).await.unwrap();
    let forget = "UPDATE media SET mime_type = 'application/octet-stream'
                  WHERE owner IN (SELECT number FROM owners WHERE subject = 'user')";
    assert_eq!(sqlx::query(forget).execute(&mut rows).await.unwrap().rows_affected(), 2);
    rows.close().await.unwrap();
}

/// Sizes of files, forms and paths.
pub async fn limits() -> Stage {
    let home = Home::new().await;
    let mut stage = Stage::over(&home);
    stage.play("limits").await;
    stage
}

/// Files disappear from the disk.
pub async fn lost_object() -> Stage {
    let home = Home::new().await;
    let mut stage = Stage::over(&home);
    stage.stored(&record("lost-object", 5), "test", "lost").await;
    let gray = stage.stored(&record("config", 1), "test", "lost").await;
    let lose = |what: &str| {
        let lost = |path: &&std::path::PathBuf| path.to_string_lossy().contains(what);
        let lost: Vec<_> = files(home.folder.path()).iter().filter(lost).cloned().collect();
        assert!(!lost.is_empty(), "{what} is not there");
        lost.iter().for_each(|path| fs::remove_file(path).unwrap());
    };
    lose("blobs/84/d9d90d2edf1f36b4089c58dca055f30c39efe41e3c9ea45cb8782b54aca8e6");
    stage.lines("lost-object", 1..=7).await;
    lose(&format!("renditions/{gray}"));
    stage.lines("lost-object", 8..=10).await;
    stage
}

/// A user with more files than the default limit of a list, and a user with files of several types.
pub async fn many() -> Stage {
    let home = Home::new().await;
    let mut stage = Stage::over(&home);
    for record in records("list", 34) {
        stage.stored(&record, "many", "many").await;
    }
    stage.lines("list", 30..=35).await;
    stage.lines("list-all", 79..=82).await;
    for record in records("list-all", 83).iter().rev() {
        stage.stored(record, "wild", "wild").await;
    }
    stage.lines("list-all", 83..=86).await;
    stage
}

/// The metrics of some requests.
pub async fn metrics() -> Stage {
    let recorder = PrometheusBuilder::new()
        .set_buckets(&[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0])
        .unwrap()
        .build_recorder();
    let counted = recorder.handle();
    let _guard = ::metrics::set_default_local_recorder(&recorder);
    let home = Home::new().await;
    let mut stage = Stage::over(&home);
    stage.app = home.routes().metrics(move || counted.render()).into_router();
    stage.lines("health", [1]).await;
    stage.stored(&record("delete", 1), "test", "owner").await;
    stage.lines("delete", 2..=11).await;
    stage.lines("transitions", [18]).await;
    stage.differences.clear();
    stage.lines("metrics", [1]).await;
    stage
}

/// Simultaneous uploads of equal bytes.
pub async fn race(mut stage: Stage) -> Stage {
    stage.lines("race", [2, 1, 4, 3]).await;
    stage
}

/// An image of 12 megapixels.
pub async fn slow_transform() -> Stage {
    let home = Home::new().await;
    let mut stage = Stage::over(&home);
    let mut big = records("transitions", 7).remove(0);
    big["id"] = "ba49672b-7cf9-4b8d-8ddd-2c8853701a73".into();
    stage.stored(&big, "test", "slow").await;
    stage.play("slow-transform").await;
    stage
}
