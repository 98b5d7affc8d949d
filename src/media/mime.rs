//! Which bytes and which MIME types are pictures made of pixels.

/// Returns whether a MIME type names a picture that is safe to treat as pixels.
///
/// The type is parsed and its essence compared without regard to case, so parameters and spelling
/// change nothing. Only known raster formats count: SVG and every other XML are documents that can
/// run scripts, and an unknown `image/…` is unknown.
///
/// ```
/// use tower_media::media::is_raster_image;
///
/// assert!(is_raster_image("image/PNG"));
/// assert!(is_raster_image("image/jpeg; charset=binary"));
/// assert!(!is_raster_image("image/svg+xml; charset=utf-8"));
/// assert!(!is_raster_image("image/SVG+xml"));
/// assert!(!is_raster_image("image"));
/// ```
pub fn is_raster_image(mime_type: &str) -> bool {
    const RASTER: [&str; 12] = [
        "image/jpeg",
        "image/png",
        "image/gif",
        "image/webp",
        "image/avif",
        "image/heic",
        "image/heif",
        "image/bmp",
        "image/tiff",
        "image/apng",
        "image/jxl",
        "image/x-icon",
    ];
    mime_type.parse::<mime::Mime>().is_ok_and(|mime| {
        RASTER.iter().any(|raster| mime.essence_str().eq_ignore_ascii_case(raster))
    })
}

/// The longest type that a client is believed, in bytes: records and answers carry it.
const MAX_HINT: usize = 255;

/// What a file is, by its first bytes, with the client's word as a hint where they say nothing.
///
/// A hint may name a document, never a picture: a picture that its own bytes do not show is none.
pub(crate) fn media_type(bytes: &[u8], hint: Option<&str>) -> String {
    if let Some(kind) = infer::get(bytes) {
        return kind.mime_type().to_owned();
    }
    hint.filter(|hint| hint.len() <= MAX_HINT)
        .and_then(|hint| hint.parse::<mime::Mime>().ok())
        .filter(|mime| mime.type_() != mime::IMAGE)
        .map_or_else(|| mime::APPLICATION_OCTET_STREAM.to_string(), |mime| mime.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_decide_and_a_hint_never_makes_a_picture() {
        let png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";
        let text = b"hello";
        assert_eq!(media_type(png, Some("text/html")), "image/png");
        assert_eq!(
            media_type(text, Some("text/plain; charset=utf-8")),
            "text/plain; charset=utf-8"
        );
        assert_eq!(media_type(text, Some("image/png")), "application/octet-stream");
        assert_eq!(media_type(text, None), "application/octet-stream");
        let long = format!("text/plain; x={}", "x".repeat(255));
        assert_eq!(media_type(text, Some(&long)), "application/octet-stream");
    }
}
