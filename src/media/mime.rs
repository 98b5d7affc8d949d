//! MIME types: sniffing magic bytes, and the allow list of raster images.

/// Returns whether a MIME type names a known raster image format, which a browser shows without running it.
///
/// Case and parameters are ignored. SVG and other XML can run scripts and are not raster images, and
/// neither is an unknown `image/…` type.
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

/// Longer declared types are ignored, in bytes, because records and responses carry the type.
const MAX_DECLARED: usize = 255;

/// Returns the type that the first bytes of a file show, else the type that the client declared.
///
/// The declared type counts only if it names something other than an image: a file counts as an image only
/// if its magic bytes say so (promise P4).
pub(crate) fn media_type(bytes: &[u8], declared: Option<&str>) -> String {
    if let Some(shown) = sniff(bytes) {
        return shown.to_owned();
    }
    declared
        .filter(|declared| declared.len() <= MAX_DECLARED)
        .and_then(|declared| declared.parse::<mime::Mime>().ok())
        .filter(|mime| mime.type_() != mime::IMAGE)
        .map_or_else(|| mime::APPLICATION_OCTET_STREAM.to_string(), |mime| mime.to_string())
}

/// Returns the type that magic bytes show.
pub(crate) fn sniff(bytes: &[u8]) -> Option<&'static str> {
    sniff_heif(bytes).or_else(|| infer::get(bytes).map(|found| found.mime_type()))
}

/// Returns HEIC or AVIF by the brands in the `ftyp` box (ISO/IEC 23008-12 and 23000-22).
fn sniff_heif(bytes: &[u8]) -> Option<&'static str> {
    const CODED: [&[u8]; 6] = [b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx"];
    const STRUCTURAL: [&[u8]; 3] = [b"mif1", b"mif2", b"msf1"];
    const AVIF: [&[u8]; 2] = [b"avif", b"avis"];
    let (size, rest) = bytes.split_first_chunk()?;
    let rest = rest.strip_prefix(b"ftyp")?;
    let brands = (u32::from_be_bytes(*size) as usize).checked_sub(8)?;
    let (major, rest) = rest.get(..brands.min(rest.len()))?.split_at_checked(4)?;
    let mut compatible = rest.get(4..)?.chunks_exact(4);
    // The major brands `mif1`, `mif2` and `msf1` name the structure only, so the codec is that of a
    // compatible brand.
    if AVIF.contains(&major)
        || !CODED.contains(&major) && compatible.any(|brand| AVIF.contains(&brand))
    {
        return Some("image/avif");
    }
    (CODED.contains(&major) || STRUCTURAL.contains(&major)).then_some("image/heif")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p04_declared_type_never_makes_an_image() {
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
