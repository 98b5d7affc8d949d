//! A browser of its own for each test: Debian's chromium, by chromedriver.
//!
//! WebDriver (W3C) is JSON over HTTP, and the tests need seven of its commands, so `reqwest` is all the
//! client there is.

use std::{
    io::{BufRead as _, BufReader},
    os::unix::process::CommandExt as _,
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Keys as WebDriver writes them (section 17.4.2).
pub const TAB: char = '\u{E004}';
pub const ENTER: char = '\u{E007}';
pub const ESCAPE: char = '\u{E00C}';

/// Ends with all of its processes when it is dropped, also by a test that fails.
pub struct Browser {
    http: reqwest::Client,
    session: String,
    _driver: Driver,
    _profile: TempDir,
}

impl Browser {
    pub async fn open() -> Self {
        let (driver, url) = Driver::start();
        let profile = tempfile::tempdir().unwrap();
        let capabilities = json!({ "capabilities": { "alwaysMatch": {
            "goog:loggingPrefs": { "browser": "ALL" },
            "goog:chromeOptions": { "args": [
                "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
                "--disable-background-networking", "--disable-component-update", "--disable-sync",
                "--disable-dev-shm-usage", "--hide-scrollbars", "--lang=en-GB",
                format!("--user-data-dir={}", profile.path().display()),
            ] },
        } } });
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let mut browser =
            Self { http, session: format!("{url}/session"), _driver: driver, _profile: profile };
        let id = browser.post("", capabilities).await["sessionId"].take();
        browser.session = format!("{url}/session/{}", id.as_str().unwrap());
        browser.resize(1280, 900).await;
        browser
    }

    /// Opens a URL, also if the response is not a page.
    pub async fn goto(&self, url: &str) {
        self.post("/url", json!({ "url": url })).await;
    }

    pub async fn refresh(&self) {
        self.post("/refresh", json!({})).await;
    }

    pub async fn click(&self, css: &str) {
        // Chromedriver does not scroll to what is within the window, though behind a bar that sticks.
        let script = "document.querySelector(arguments[0])?.scrollIntoView({ block: 'center' })";
        self.post("/execute/sync", json!({ "script": script, "args": [css] })).await;
        self.to_element(css, "click", json!({})).await;
    }

    /// Presses a key, wherever the focus is.
    pub async fn press(&self, key: char) {
        let actions = ["keyDown", "keyUp"].map(|kind| json!({ "type": kind, "value": key }));
        let source = json!({ "type": "key", "id": "keyboard", "actions": actions });
        self.post("/actions", json!({ "actions": [source] })).await;
    }

    /// Chooses files in the file field.
    pub async fn choose(&self, paths: &[PathBuf]) {
        let paths: Vec<_> = paths.iter().map(|path| path.display().to_string()).collect();
        self.to_element("input[type=file]", "value", json!({ "text": paths.join("\n") })).await;
    }

    /// Drags files over an element, as from a window beside, and drops them there or not yet.
    pub async fn drag(&self, css: &str, paths: &[PathBuf], drops: bool) {
        let script = "const at = document.querySelector(arguments[0]).getBoundingClientRect();
            return [at.x + at.width / 2, at.y + at.height / 2]";
        let at = self.post("/execute/sync", json!({ "script": script, "args": [css] })).await;
        let data = json!({ "items": [], "files": paths, "dragOperationsMask": 1 });
        for kind in if drops { &["drop"][..] } else { &["dragEnter", "dragOver"] } {
            let event = json!({ "type": kind, "x": at[0], "y": at[1], "data": data });
            self.devtools("Input.dispatchDragEvent", event).await;
        }
    }

    /// Lets pages of an origin use the clipboard, as if the user had agreed to it.
    pub async fn allow_clipboard(&self, origin: &str) {
        let permissions = ["clipboardReadWrite", "clipboardSanitizedWrite"];
        let granted = json!({ "origin": origin, "permissions": permissions });
        self.devtools("Browser.grantPermissions", granted).await;
    }

    /// The text in the clipboard.
    pub async fn clipboard(&self) -> String {
        let script = "navigator.clipboard.readText().then(arguments[0], String)";
        let text = self.post("/execute/async", json!({ "script": script, "args": [] })).await;
        text.as_str().unwrap().to_owned()
    }

    /// What an expression is in the page.
    pub async fn eval(&self, expression: &str) -> Value {
        let script = format!("return ({expression})");
        self.post("/execute/sync", json!({ "script": script, "args": [] })).await
    }

    /// The text of an element as it is shown.
    pub async fn text(&self, css: &str) -> String {
        let script = "return document.querySelector(arguments[0]).innerText";
        let text = self.post("/execute/sync", json!({ "script": script, "args": [css] })).await;
        text.as_str().unwrap().to_owned()
    }

    /// Waits until an expression is true in the page, for as long as chromedriver waits for scripts: 30 s.
    pub async fn until(&self, expression: &str) {
        let script = format!(
            "const done = arguments[0];
             const end = Date.now() + 29e3;
             const look = () => {{
                 if ({expression}) done(null);
                 else if (Date.now() > end) done(document.body.innerText);
                 else setTimeout(look, 20);
             }};
             look();"
        );
        let seen = self.post("/execute/async", json!({ "script": script, "args": [] })).await;
        assert_eq!(seen, Value::Null, "never became true: {expression}");
    }

    /// Limits the bytes per second that the page sends; -1 is unlimited.
    pub async fn limit_uploads(&self, bytes_per_second: i64) {
        let conditions = json!({
            "offline": false, "latency": 0, "downloadThroughput": -1,
            "uploadThroughput": bytes_per_second,
        });
        self.devtools("Network.enable", json!({})).await;
        self.devtools("Network.emulateNetworkConditions", conditions).await;
    }

    /// Makes the page as large as a screen, a telephone's too, which a window cannot be.
    pub async fn resize(&self, width: u32, height: u32) {
        let size =
            json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.devtools("Emulation.setDeviceMetricsOverride", size).await;
    }

    /// Keeps a picture of what is seen in the target folder.
    pub async fn shoot(&self, name: &str) {
        let shot = self
            .devtools("Page.captureScreenshot", json!({ "format": "webp", "quality": 75 }))
            .await;
        let bytes = STANDARD.decode(shot["data"].as_str().unwrap()).unwrap();
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("gallery");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(format!("{name}.webp")), bytes).unwrap();
    }

    /// What of the page can be operated and has no name that a screen reader could say.
    pub async fn nameless(&self) -> Vec<Value> {
        const OPERABLE: [&str; 7] =
            ["button", "link", "checkbox", "textbox", "image", "progressbar", "dialog"];
        let tree = self.devtools("Accessibility.getFullAXTree", json!({})).await;
        let is_nameless = |node: &&Value| {
            node["ignored"] == false
                && OPERABLE.iter().any(|role| node["role"]["value"] == *role)
                && node["name"]["value"].as_str().is_none_or(str::is_empty)
        };
        tree["nodes"].as_array().unwrap().iter().filter(is_nameless).cloned().collect()
    }

    /// What the browser complained about since the last time.
    pub async fn complaints(&self) -> Vec<String> {
        let entries = self.post("/se/log", json!({ "type": "browser" })).await;
        let messages = entries.as_array().unwrap().iter();
        messages.map(|entry| entry["message"].as_str().unwrap().to_owned()).collect()
    }

    async fn to_element(&self, css: &str, command: &str, parameters: Value) {
        let found = self.post("/element", json!({ "using": "css selector", "value": css })).await;
        let id = found.as_object().and_then(|found| found.values().next()).unwrap();
        let path = format!("/element/{}/{command}", id.as_str().unwrap());
        self.post(&path, parameters).await;
    }

    async fn devtools(&self, command: &str, parameters: Value) -> Value {
        self.post("/goog/cdp/execute", json!({ "cmd": command, "params": parameters })).await
    }

    async fn post(&self, path: &str, body: Value) -> Value {
        let request = self.http.post(format!("{}{path}", self.session)).json(&body);
        let mut answer: Value = request.send().await.unwrap().json().await.unwrap();
        assert!(answer["value"]["error"].is_null(), "{path} {body}: {answer:#}");
        answer["value"].take()
    }
}

/// chromedriver, which starts the browser.
struct Driver(Child);

impl Driver {
    /// Starts it on a free port, and returns its address.
    fn start() -> (Self, String) {
        let mut child = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .process_group(0)
            .spawn()
            .expect("chromedriver is installed");
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let driver = Self(child);
        let port = lines.map_while(Result::ok).find_map(|line| {
            let (_, port) = line.split_once("started successfully on port ")?;
            Some(port.trim_end_matches('.').to_owned())
        });
        (driver, format!("http://127.0.0.1:{}", port.expect("chromedriver listens")))
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // The browser is in the driver's group, and would go on without it.
        let group = format!("-{}", self.0.id());
        let killed = Command::new("kill").args(["-KILL", "--", &group]).status();
        let waited = self.0.wait();
        if !std::thread::panicking() {
            assert!(killed.unwrap().success());
            waited.unwrap();
        }
    }
}
