//! The service routes on which recorded exchanges are replayed.

use std::{
    collections::BTreeSet,
    time::{Duration, SystemTime},
};

use axum::{Router, body::to_bytes};
use futures_util::future::join_all;
use serde_json::{Value, json};
use tower::ServiceExt as _;
use tower_media::{
    ErrorKind, InMemory, Media, MediaId, MediaState, Owner, Upload, media::ContentHash,
    routes::ServiceRoutes,
};

use super::{
    compare::{Ours, compare},
    difference::Difference,
    exchange::{Answer, Exchange, file, recording},
    known::Known,
};
use crate::support::{Home, KEY, PUBLIC_URL, keys};

pub struct Stage {
    pub media: MediaState,
    pub app: Router,
    pub known: Known,
    pub differences: Vec<Difference>,
    /// The replayed lines.
    pub made: BTreeSet<(&'static str, usize)>,
    /// True to continue while an image is being processed.
    pub hurries: bool,
    in_memory: bool,
}

impl Stage {
    /// Over a store in a folder.
    pub fn over(home: &Home) -> Self {
        Self::of(MediaState::new(home.store.clone()), home.routes().into_router())
    }

    /// Over a store in a folder, with [`ServiceRoutes::compatible`].
    pub fn compatible_over(home: &Home) -> Self {
        let app = home.routes().compatible().into_router();
        Self::of(MediaState::new(home.store.clone()), app)
    }

    pub fn in_memory() -> Self {
        let media = MediaState::new(InMemory::new());
        let mut stage = Self::of(media.clone(), ServiceRoutes::new(media, keys()).into_router());
        // Its URLs have no base.
        stage.known.means(PUBLIC_URL, "");
        stage.in_memory = true;
        stage
    }

    fn of(media: MediaState, app: Router) -> Self {
        let (known, differences, made) = Default::default();
        Self { media, app, known, differences, made, hurries: false, in_memory: false }
    }

    /// Drops the service.
    pub fn stop(&mut self) {
        self.media = MediaState::in_memory();
        self.app = Router::new();
    }

    /// Continues with a restarted service.
    pub fn start(&mut self, home: &Home) {
        self.media = MediaState::new(home.store.clone());
        self.app = home.routes().into_router();
    }

    /// Replays a whole recording.
    pub async fn play(&mut self, topic: &'static str) {
        let elsewhere = super::ELSEWHERE.into_iter().filter(|(of, _)| *of == topic);
        let elsewhere = elsewhere.flat_map(|(_, lines)| lines);
        let skipped: Vec<usize> = super::not_made(topic).chain(elsewhere).collect();
        for exchange in recording(topic).iter().filter(|line| !skipped.contains(&line.seq)) {
            self.make(topic, exchange).await;
        }
    }

    /// Replays some lines of a recording.
    pub async fn lines(&mut self, topic: &'static str, lines: impl IntoIterator<Item = usize>) {
        let recording = recording(topic);
        for line in lines {
            self.make(topic, &recording[line - 1]).await;
        }
    }

    /// Replays one exchange, simultaneous requests simultaneously.
    async fn make(&mut self, topic: &'static str, exchange: &Exchange) {
        let answers = exchange.answers();
        let asked = answers.iter().map(|_| {
            let request = exchange.request(&self.known, KEY).unwrap_or_else(|| {
                panic!("{topic} {}: the request of {} cannot be built", exchange.seq, exchange.name)
            });
            self.app.clone().oneshot(request)
        });
        let responses = join_all(asked).await;
        for (was, response) in answers.iter().zip(responses) {
            let (parts, body) = response.unwrap().into_parts();
            let body = to_bytes(body, 128 << 20).await.unwrap().to_vec();
            let is = Ours { status: parts.status.as_u16(), headers: parts.headers, body };
            self.is_as(topic, exchange, was, &is).await;
        }
        self.made.insert((topic, exchange.seq));
        next_millisecond();
    }

    async fn is_as(&mut self, topic: &'static str, exchange: &Exchange, was: &Answer, is: &Ours) {
        if is.status == 201 {
            self.known.learn_hash(exchange);
        }
        if (was.status, is.status) == (201, 201) {
            let was = serde_json::from_str(was.text.as_ref().unwrap()).unwrap();
            let is: Value = serde_json::from_slice(&is.body).unwrap();
            self.known.learn(&was, &is);
            if !self.hurries {
                self.is_processed(is["id"].as_str().unwrap()).await;
            }
        }
        let found = compare(exchange, was, is, &self.known);
        let in_memory = self.in_memory;
        self.differences.extend(found.into_iter().map(|found| Difference {
            topic,
            in_memory,
            ..found
        }));
    }

    /// Stores the file of a recorded record whose upload was not recorded.
    pub async fn stored(&mut self, was: &Value, app: &str, user: &str) -> MediaId {
        let text = |field: &str| was[field].as_str().unwrap();
        let length = was["size"].as_u64().unwrap() as usize;
        let bytes = file(text("originalName"), text("hash"), length);
        let hash = ContentHash::of(&bytes).to_string();
        if hash != text("hash") {
            self.known.means(text("hash"), hash);
        }
        let owner = Owner::new(user).unwrap();
        let upload = Upload::new(bytes)
            .file_name(text("originalName"))
            .content_type(text("mimeType"))
            .scope(app);
        let media = self.media.upload(&owner, upload).await.unwrap();
        self.known.learn(was, &of_record(&media));
        if !self.hurries {
            self.is_processed(media.id.as_str()).await;
        }
        next_millisecond();
        media.id
    }

    /// Finds the file of a record by its hash, and learns its id and date.
    pub async fn known_by_hash(&mut self, was: &Value) -> bool {
        let hash = self.known.translate(was["hash"].as_str().unwrap()).parse().unwrap();
        let Some(media) = self.media.admin().find_by_hash(hash).await.unwrap() else {
            return false;
        };
        self.known.learn(was, &of_record(&media));
        self.is_processed(media.id.as_str()).await;
        true
    }

    /// Waits for the end of processing, so that the result does not depend on its duration.
    pub async fn is_processed(&self, id: &str) {
        let id = MediaId::from_trusted(id).unwrap();
        let processed = self.media.wait_until_ready(&id, Duration::from_secs(600)).await;
        if let Err(error) = processed {
            assert_eq!(error.kind(), ErrorKind::Failed);
        }
    }
}

/// The fields of a record that always differ from the recording.
fn of_record(media: &Media) -> Value {
    let created = jiff::Timestamp::try_from(media.created_at).unwrap();
    json!({ "id": media.id, "createdAt": format!("{created:.3}") })
}

/// Waits until the next upload has another date, because recorded dates differ too.
fn next_millisecond() {
    let now = || SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis();
    let begin = now();
    while now() == begin {
        std::hint::spin_loop();
    }
}
