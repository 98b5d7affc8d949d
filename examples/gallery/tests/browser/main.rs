//! `examples/gallery` in a real browser. Needs `chromium` and `chromedriver`, so it is run by name:
//! `cargo test -p gallery --test browser -- --ignored`.
//!
//! Screenshots are left in the folder `tmp/gallery` of the target folder.

#![allow(missing_docs, unreachable_pub, clippy::unwrap_used, reason = "tests")]

mod browser;
#[allow(dead_code, reason = "its `main` is for the command line")]
#[path = "../../src/main.rs"]
mod gallery;
mod site;

use std::time::Duration;

use self::{
    browser::{Browser, ENTER, ESCAPE, TAB},
    site::{Site, drawing, page, picture},
};

/// The page of a user who has just signed in.
async fn signed_in(site: &Site, person: &str) -> Browser {
    let browser = Browser::open().await;
    browser.goto(&site.url).await;
    browser.until("!document.getElementById('welcome').hidden").await;
    browser.click(&format!("[data-person={person}]")).await;
    all_ready(&browser, 2).await;
    browser
}

/// Waits until so many cards are there, and every thumbnail is seen.
async fn all_ready(browser: &Browser, cards: usize) {
    browser.until(&format!("document.querySelectorAll('.card').length === {cards}")).await;
    // Images below the fold are loaded when they come into view.
    let seen = "[...document.querySelectorAll('.card')].every((card) => {
        card.querySelector('img')?.setAttribute('loading', 'eager');
        return card.querySelector('.file') || card.querySelector('img')?.naturalWidth === 200;
    })";
    browser.until(seen).await;
}

/// The first card of a picture with this name.
fn card(name: &str) -> String {
    format!(".card:has([title='{name}'])")
}

async fn names(browser: &Browser) -> Vec<String> {
    let names = "[...document.querySelectorAll('.card .name')].map((name) => name.textContent)";
    serde_json::from_value(browser.eval(names).await).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn pictures_are_uploaded_seen_and_made_into_a_collage() {
    let site = Site::open().await;
    let ana = signed_in(&site, "ana").await;

    let files = ["plain-2400x1600.jpg", "exif-gps.jpg", "orientation-6.jpg", "lossy.webp"];
    ana.choose(&files.map(picture)).await;
    all_ready(&ana, 6).await;
    assert_eq!(ana.text("#status").await, "4 of 4 uploaded.");
    let progress = "[...document.querySelectorAll('progress')].map((bar) => bar.value)";
    assert_eq!(ana.eval(progress).await, serde_json::json!([1, 1, 1, 1]));
    assert!(ana.text(&card("plain-2400x1600.jpg")).await.contains("2400 × 1600 · 64 kB"));
    assert!(ana.text(&card("exif-gps.jpg")).await.contains("Canon EOS Test 5D"));
    // It lies in the file as 320 × 200.
    assert!(ana.text(&card("orientation-6.jpg")).await.contains("200 × 320"));

    ana.click(&format!("{} .open", card("plain-2400x1600.jpg"))).await;
    ana.until("document.querySelector('#view[open] img').naturalWidth === 800").await;
    ana.click("#view button").await;
    ana.click(&format!("{} .open", card("exif-gps.jpg"))).await;
    ana.until("document.querySelector('#view[open] img').naturalWidth === 320").await;
    let facts = ana.text("#view-facts").await;
    assert!(facts.contains("47.6603, 9.1758 (only you see this)"), "{facts}");
    ana.shoot("light-box").await;
    ana.press(ESCAPE).await;

    for name in ["dunes.png", "lake.png", "plain-2400x1600.jpg", "exif-gps.jpg"] {
        ana.click(&format!("{} [type=checkbox]", card(name))).await;
    }
    assert_eq!(ana.text("#selected").await, "4 of 8 selected");
    ana.click("#make").await;
    all_ready(&ana, 7).await;
    assert_eq!(ana.text("#status").await, "collage.png is made, 848 × 848.");
    ana.eval("scrollTo(0, 0)").await;
    ana.shoot("collage").await;
    ana.resize(390, 844).await;
    ana.shoot("collage-telephone").await;
    assert_eq!(ana.complaints().await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn u01_an_upload_is_paused_and_continues_after_a_reload() {
    let site = Site::open().await;
    let ana = signed_in(&site, "ana").await;
    let mut bytes = std::fs::read(picture("plain-2400x1600.jpg")).unwrap();
    bytes.resize(20 << 20, 0);
    let file = site.folder.path().join("large.jpg");
    std::fs::write(&file, &bytes).unwrap();
    ana.limit_uploads(4 << 20).await;
    ana.choose(std::slice::from_ref(&file)).await;
    ana.until("document.querySelector('.uploads progress')?.value > 0.3").await;
    ana.click(".uploads button").await;
    assert_eq!(ana.text(".uploads .says").await, "paused");
    ana.click(".uploads button").await;
    ana.until("document.querySelector('.uploads progress')?.value > 0.5").await;
    ana.click(".uploads button").await;
    ana.limit_uploads(-1).await;
    ana.refresh().await;
    all_ready(&ana, 2).await;
    ana.choose(&[file]).await;
    all_ready(&ana, 3).await;
    assert_eq!(ana.text("#status").await, "1 of 1 uploaded.");
    let requests = ana.text("#wire").await;
    assert!(!requests.contains("POST /uploads/tus"), "the same upload continues: {requests}");
    assert!(ana.text(&card("large.jpg")).await.contains("2400 × 1600 · 21 MB"));
    assert_eq!(ana.complaints().await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn pictures_are_dropped_onto_the_page() {
    let site = Site::open().await;
    let ana = signed_in(&site, "ana").await;
    let files = [picture("exif-gps.jpg"), picture("lossy.webp")];
    ana.drag("#drop", &files, false).await;
    ana.until("document.getElementById('drop').classList.contains('over')").await;
    ana.drag("#drop", &files, true).await;
    all_ready(&ana, 4).await;
    assert_eq!(ana.text("#status").await, "2 of 2 uploaded.");
    assert_eq!(ana.eval("document.getElementById('drop').className").await, "drop");
    assert_eq!(ana.eval("location.pathname").await, "/");
    let mut names = names(&ana).await;
    names.sort();
    assert_eq!(names, ["dunes.png", "exif-gps.jpg", "lake.png", "lossy.webp"]);
    assert_eq!(ana.complaints().await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn g05_foreign_ids_are_refused_and_the_handler_is_never_entered() {
    let site = Site::open().await;
    let ana = signed_in(&site, "ana").await;

    for name in ["dunes.png", "lake.png"] {
        ana.click(&format!("{} [type=checkbox]", card(name))).await;
    }
    ana.click("#make").await;
    all_ready(&ana, 3).await;
    ana.click("#steal").await;
    ana.until("!document.getElementById('refused').hidden").await;
    assert_eq!(ana.text("#verdict").await, "Refused with 404. The handler was not entered.");
    assert_eq!([ana.text("#before").await, ana.text("#after").await], ["1×", "1×"]);
    let asked = ana.text("#asked").await;
    assert!(asked.starts_with("POST /collage\ncontent-type: application/json\n"), "{asked}");
    let answered = ana.text("#answered").await;
    assert!(answered.contains("urn:problem:tower-media:media-not-found"), "{answered}");

    ana.eval("scrollTo(0, 0)").await;
    ana.shoot("desktop").await;
    ana.resize(390, 844).await;
    ana.eval("scrollTo(0, document.querySelector('.refusal').offsetTop - 8)").await;
    ana.shoot("telephone").await;

    // Both of Bob's are named as missing, and Ana's own is not.
    let (_, problem) = answered.split_once("\n\n").unwrap();
    let problem: serde_json::Value = serde_json::from_str(problem).unwrap();
    let missing = problem["missing"].as_array().unwrap().clone();
    let bob = signed_in(&site, "bob").await;
    assert_eq!(names(&bob).await, ["meadow.png", "night.png"]);
    let ids =
        bob.eval("[...document.querySelectorAll('.card')].map((card) => card.dataset.id)").await;
    assert_eq!(ids.as_array(), Some(&missing));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn g05_the_second_person_sees_nothing_of_the_first() {
    let site = Site::open().await;
    let browser = signed_in(&site, "ana").await;
    browser.choose(&[picture("exif-gps.jpg")]).await;
    all_ready(&browser, 3).await;
    let of_ana = "[...document.querySelectorAll('.card img')].map((image) => image.src)";
    let of_ana: Vec<String> = serde_json::from_value(browser.eval(of_ana).await).unwrap();

    browser.click("#switch").await;
    browser.until("document.getElementById('who').textContent === 'Signed in as Bob'").await;
    all_ready(&browser, 2).await;
    assert_eq!(names(&browser).await, ["meadow.png", "night.png"]);
    assert!(!browser.text("#wire").await.contains("exif-gps"));
    // Though the browser has them in its cache.
    for url in of_ana {
        browser.goto(&url).await;
        assert_eq!(browser.eval("document.contentType").await, "application/problem+json");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn p08_uploaded_pages_and_drawings_do_not_run() {
    let site = Site::open().await;
    let ana = signed_in(&site, "ana").await;
    let script = "fetch('/ran')";
    let files = [
        site.write("page.html", &page()),
        site.write("drawing.svg", &drawing()),
        site.write("script.txt", script),
        // A browser says that this is a script, and no byte of it says otherwise.
        site.write("script.js", &format!("{script};")),
    ];
    ana.choose(&files).await;
    all_ready(&ana, 6).await;
    let urls = "[...document.querySelectorAll('.card a')].map((link) => link.href)";
    let urls: Vec<String> = serde_json::from_value(ana.eval(urls).await).unwrap();
    assert_eq!(urls.len(), 4);

    for url in &urls {
        ana.goto(url).await;
        ana.goto(&format!("{}/embedding?{url}", site.url)).await;
    }
    assert_eq!(site.scripts_that_ran(), 0);

    // The same bytes do run where they are served without care.
    ana.goto(&format!("{}/careless", site.url)).await;
    ana.until(
        "performance.getEntriesByType('resource').some((entry) => entry.name.endsWith('/ran'))",
    )
    .await;
    assert_eq!(site.scripts_that_ran(), 1);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn p14_a_link_opens_without_login_until_it_expires() {
    let site = Site::open().await;
    let ana = signed_in(&site, "ana").await;
    ana.click(&format!("{} .actions button", card("dunes.png"))).await;
    ana.until("document.getElementById('share').open").await;
    let link = ana.eval("document.getElementById('share-link').value").await;
    let left = "new Date(document.getElementById('share-until').dateTime) - Date.now()";
    let minutes = ana.eval(left).await.as_f64().unwrap() / 60_000.0;
    assert!((9.0..=11.0).contains(&minutes), "{minutes}");
    ana.shoot("share").await;

    ana.allow_clipboard(&site.url).await;
    ana.click("#share-copy").await;
    ana.until("document.getElementById('share-copy').textContent === 'Copied'").await;
    assert_eq!(ana.clipboard().await, link.as_str().unwrap());
    ana.click("#share form button").await;
    ana.until("!document.getElementById('share').open").await;
    assert_eq!(ana.eval("document.getElementById('share-copy').textContent").await, "Copy");

    let visitor = Browser::open().await;
    visitor.goto(link.as_str().unwrap()).await;
    assert_eq!(visitor.eval("document.images[0].naturalWidth").await, 960);
    site.later(Duration::from_secs(12 * 60));
    visitor.refresh().await;
    assert!(visitor.text("body").await.contains("The link has expired"));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn deleted_pictures_are_not_listed() {
    let site = Site::open().await;
    let ana = signed_in(&site, "ana").await;
    let delete = format!("{} .actions button:last-child", card("lake.png"));
    ana.click(&delete).await;
    ana.click("#remove [value=no]").await;
    assert_eq!(names(&ana).await, ["lake.png", "dunes.png"]);
    ana.click(&delete).await;
    ana.click("#remove-yes").await;
    all_ready(&ana, 1).await;
    assert_eq!(ana.text("#status").await, "lake.png is deleted.");
    ana.refresh().await;
    all_ready(&ana, 1).await;
    assert_eq!(names(&ana).await, ["dunes.png"]);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn it_works_by_keyboard_and_everything_has_a_name() {
    let site = Site::open().await;
    let browser = Browser::open().await;
    browser.goto(&site.url).await;
    browser.until("!document.getElementById('welcome').hidden").await;
    assert!(browser.nameless().await.is_empty());
    browser.press(TAB).await;
    browser.press(ENTER).await;
    all_ready(&browser, 2).await;
    assert!(browser.nameless().await.is_empty());

    // From the title, where the focus is set: choose files, two cards, and the buttons beside them.
    let mut passed = Vec::new();
    while passed.last().is_none_or(|last| last != "On the wire") && passed.len() < 30 {
        browser.press(TAB).await;
        let label = "(() => { const at = document.activeElement;
            if (at.closest('#wire')) return 'On the wire';
            return at.ariaLabel ?? at.labels?.[0]?.textContent ?? at.textContent; })()";
        passed.push(browser.eval(label).await.as_str().unwrap().to_owned());
        if passed.last().is_some_and(|last| last == "Select lake.png") {
            browser.press(' ').await;
        }
    }
    assert_eq!(
        passed,
        [
            "Choose pictures",
            "View lake.png",
            "Select lake.png",
            "Share lake.png",
            "Delete lake.png",
            "View dunes.png",
            "Select dunes.png",
            "Share dunes.png",
            "Delete dunes.png",
            "Use a picture of Bob",
            "On the wire",
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn it_fits_a_telephone() {
    let site = Site::open().await;
    let ana = signed_in(&site, "ana").await;
    ana.resize(360, 780).await;
    ana.choose(&[
        picture("exif-gps.jpg"),
        site.write(&format!("{}.txt", "long".repeat(40)), "hello"),
    ])
    .await;
    all_ready(&ana, 4).await;
    ana.click("#steal").await;
    ana.until("!document.getElementById('refused').hidden").await;
    let too_wide = "[...document.querySelectorAll('body *')].filter((element) =>
        !element.closest('pre, summary, .name, dialog')
        && element.getBoundingClientRect().right > innerWidth).map((element) => element.outerHTML)";
    assert_eq!(ana.eval(too_wide).await, serde_json::json!([]));
    assert_eq!(ana.eval("document.documentElement.scrollWidth").await, 360);
}
