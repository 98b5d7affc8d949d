//! Callers of the original service, written from their descriptions. They send no key.

use std::time::Duration;

use reqwest::{
    Client, Response,
    header::HeaderMap,
    multipart::{Form, Part},
};
use serde_json::Value;
use tower_media::{
    MediaState,
    routes::{ServiceKeys, ServiceRoutes},
};

use crate::support::{Home, Server, image};

/// A caller, and a service that is compatible with it and trusts this machine.
struct Caller {
    http: Client,
    media: String,
    _server: Server,
    _home: Home,
}

impl Caller {
    async fn with(headers: &[(&'static str, &str)]) -> Self {
        let home = Home::new().await;
        let keys = ServiceKeys::networks(["127.0.0.0/8"]).unwrap();
        let routes = ServiceRoutes::new(MediaState::new(home.store.clone()), keys)
            .spool_in(home.folder.path())
            .allowed_origins(["https://app.example.org"])
            .unwrap()
            .compatible();
        let server = Server::start(routes.into_router()).await;
        let headers = headers.iter().map(|(name, value)| (*name, *value));
        let headers: HeaderMap =
            headers.map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
        let http = Client::builder().default_headers(headers).build().unwrap();
        Self { http, media: format!("{}/api/v1/media", server.url), _server: server, _home: home }
    }

    async fn get(&self, path: &str) -> Response {
        self.http.get(format!("{}{path}", self.media)).send().await.unwrap()
    }

    async fn json(&self, path: &str) -> Value {
        let response = self.get(path).await;
        assert_eq!(response.status(), 200, "{path}");
        response.json().await.unwrap()
    }

    /// Uploads a fixture, and returns its id.
    async fn upload(&self, file: &'static str, fields: &[(&'static str, &'static str)]) -> String {
        let part = Part::bytes(image(file)).file_name(file);
        let form = fields
            .iter()
            .fold(Form::new().part("file", part), |form, (name, value)| form.text(*name, *value));
        let request = self.http.post(format!("{}/upload", self.media)).multipart(form);
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 201, "{file}");
        let record: Value = response.json().await.unwrap();
        assert!(record["urls"]["original"].is_string());
        record["id"].as_str().unwrap().to_owned()
    }

    /// Polls until media is ready, as the helper does.
    async fn wait(&self, id: &str) {
        let ready = async {
            while self.json(&format!("/{id}")).await["status"] != "ready" {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), ready).await.unwrap();
    }
}

fn content_type(response: &Response) -> &str {
    response.headers()["content-type"].to_str().unwrap()
}

#[tokio::test]
async fn the_helper_of_a_server_works_unmodified() {
    let helper = Caller::with(&[]).await;
    let user = [("app", "me"), ("userId", "ana")];
    let ids = [helper.upload("exif-gps.jpg", &user).await, helper.upload("alpha.png", &user).await];
    for id in &ids {
        helper.wait(id).await;
    }
    // It takes the ids in the list of an app as the owned set.
    let owned = helper.json("?userId=ana&app=me&limit=500").await;
    let owned = owned.as_array().unwrap().iter().map(|media| media["id"].as_str().unwrap());
    assert_eq!(owned.collect::<Vec<_>>(), [&*ids[1], &*ids[0]]);
    let original = helper.get(&format!("/{}/file", ids[0])).await;
    assert_eq!(original.bytes().await.unwrap(), image("exif-gps.jpg"));
    let png =
        helper.get(&format!("/{}/transform?format=png&w=1024&h=1024&fit=inside", ids[0])).await;
    assert_eq!((png.status().as_u16(), content_type(&png)), (200, "image/png"));
    let url = format!("{}/{}", helper.media, ids[0]);
    assert!(helper.http.delete(&url).send().await.unwrap().status().is_success());
    assert!(!helper.http.delete(&url).send().await.unwrap().status().is_success());
    assert_eq!(helper.get(&format!("/hash/{}", "0".repeat(64))).await.status(), 404);
}

#[tokio::test]
async fn a_page_uploads_and_lists_by_app_without_a_user() {
    let origin = [("origin", "https://app.example.org"), ("sec-fetch-site", "cross-site")];
    let page = Caller::with(&origin).await;
    for app in ["photos", "wallpapers", "logos", "broadcasts", "website"] {
        let id = page.upload("alpha.png", &[("app", app)]).await;
        let list = page.json(&format!("?app={app}")).await;
        assert_eq!(list.as_array().map(Vec::len), Some(1), "{app}");
        assert_eq!(list[0]["id"], id, "{app}");
        // An `<img>` of the page.
        let shown = page.get(&format!("/{id}/file")).await;
        assert_eq!(shown.headers()["cross-origin-resource-policy"], "cross-origin", "{app}");
    }
}

#[tokio::test]
async fn an_invoice_shows_a_logo_in_png_or_jpeg() {
    let invoice = Caller::with(&[("accept", "image/png, image/jpeg")]).await;
    for (file, expected) in [("alpha.png", "image/png"), ("exif-gps.jpg", "image/jpeg")] {
        let logo = invoice.upload(file, &[("app", "logos")]).await;
        for variant in ["large", "medium", "small", "original"] {
            let shown = invoice.get(&format!("/{logo}/file/{variant}")).await;
            assert_eq!(content_type(&shown), expected, "{file} {variant}");
        }
    }
}

#[tokio::test]
async fn a_gallery_searches_by_app_and_shows_stats() {
    let gallery = Caller::with(&[]).await;
    for (file, app) in [("exif-gps.jpg", "photos"), ("alpha.png", "photos"), ("gray.jpg", "me")] {
        let id = gallery.upload(file, &[("app", app), ("userId", "ana")]).await;
        gallery.wait(&id).await;
    }
    let stats = gallery.json("/stats?userId=ana").await;
    let size: usize =
        ["exif-gps.jpg", "alpha.png", "gray.jpg"].iter().map(|name| image(name).len()).sum();
    assert_eq!((&stats["totalCount"], &stats["totalSize"]), (&3.into(), &size.into()));
    let page = gallery.json("/list/all?userId=ana&apps=photos,website&sortBy=dateTaken").await;
    assert_eq!(page["items"].as_array().map(Vec::len), Some(2));
    assert_eq!((&page["total"], &page["hasMore"]), (&2.into(), &false.into()));
}
