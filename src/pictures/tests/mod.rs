//! What is made of pictures, seen at the door itself.

use super::*;

/// A file of `tests/fixtures/images`.
fn fixture(name: &str) -> Bytes {
    let path = format!("{}/tests/fixtures/images/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}")).into()
}

fn door() -> Pictures {
    Pictures::new(PictureLimits::new())
}

#[tokio::test]
async fn p05_a_broken_picture_has_no_rendition() {
    for name in ["garbage.jpg", "truncated-header.jpg", "truncated-half.jpg", "truncated.png"] {
        let source = PictureSource::Bytes(fixture(name));
        let rendered = door().render(source, &[Rendition::png(64)]).await;
        assert_eq!(rendered.unwrap_err().kind(), ErrorKind::Failed, "{name}");
    }
}
