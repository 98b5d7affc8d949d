//! Differences of records, and of the delivery of files.

use super::Explained;
use crate::recorded::difference::Difference;

/// The fields of the record of an image that can be decoded.
const MADE: [&str; 3] = ["metadata.*", "exif.*", "urls.*"];

/// Files that start like an image but cannot be decoded, or exceed the limits of decoding.
const BROKEN: [&str; 5] =
    ["garbage.jpg", "truncated-header.jpg", "wide-17000x8.png", "bomb-17000x17000.png", "a.heic"];

/// JPEG files that are cut off half way.
const CUT_JPEGS: [&str; 2] = ["truncated-half.jpg", "truncated-list.jpg"];

/// Returns true if a sorted list differs by the cut JPEG only: one more in the total, or its id in the page.
fn counts_the_cut_jpeg(d: &Difference) -> bool {
    // Another row is about `dateTo`.
    if d.query.contains("dateTo") {
        return false;
    }
    if d.leaf() == "total" {
        let number = |text: &str| text.parse::<u64>().ok();
        return number(&d.is) == number(&d.was).map(|was| was + 1);
    }
    let was: Vec<&str> = d.was.split(' ').collect();
    let (known, new): (Vec<&str>, Vec<&str>) = d.is.split(' ').partition(|id| was.contains(id));
    // A full page loses its last item to the new one.
    d.leaf() == "items.order"
        && new.len() == 1
        && was.len() - known.len() <= 1
        && was.starts_with(&known)
}

pub const ROWS: &[Explained] = explained! {
    "a new upload is `processing`, whatever its type",
    "a file that is not a decodable image is `ready` at once; a file that only starts like an \
     image is `failed`",
    "the client does not have to wait",
    |d| d.is_upload() && match &d.record {
        _ if d.is("status", "\"processing\"", "\"failed\"") => BROKEN.iter().any(|file| d.is_of(file)),
        Some(record) if d.is("status", "\"processing\"", "\"ready\"") && !d.in_memory => {
            let undecoded = ["image/heif", "image/avif", "image/bmp", "image/tiff"];
            !record.mime_type.starts_with("image/") || undecoded.contains(&&*record.mime_type)
        }
        _ => false,
    };

    "an image is `processing`, without URLs of variants, until its variants are made",
    "over a store that makes variants on request, it is `ready` at once and has the URLs",
    "the client does not have to wait for variants that it may never request",
    |d| d.in_memory && d.was_not_processed()
        && (d.is("status", "\"processing\"", "\"ready\"") || d.adds("urls.*"));

    "a JPEG that is cut off half way is `failed`, and its renditions are 500",
    "it is `ready` and in sorted lists, and its renditions show the rows that are left",
    "browsers show it too (promise P18)",
    |d| (CUT_JPEGS.iter().any(|file| d.is_of(file)) || d.at("get", &[18]) || d.at("transitions", &[14, 15, 16]))
        && (d.is("status", "\"failed\"", "\"ready\"") || d.adds("urls.*")
            || d.is("status", "500", "200") || d.is("bytes", "7587", "606"))
        || (d.topic == "list-all" || d.at("transitions", &[18])) && counts_the_cut_jpeg(d);

    "a PNG that is cut off half way is `failed`",
    "it is `ready`, and its renditions show the rows that are left",
    "browsers show it too (promise P18)",
    |d| d.is_of("truncated.png")
        && (d.is("status", "\"failed\"", "\"ready\"") || d.adds("urls.*"));

    "`metadata` and `exif` appear after processing",
    "they are in the response to the upload, and in the record of an image that cannot be decoded",
    "they are read from the header of the file",
    |d| (d.adds("metadata.*") || d.adds("exif.*")) && !d.is_of("exif-nul.jpg")
        && (d.was_not_processed() && !skips(d) || skips(d));

    "with `skipProcessing` there are never variants",
    "they are made on request",
    "only the work ahead is skipped",
    |d| skips(d) && (d.adds("urls.*") || d.is("picture", "WEBP 400x300", "WEBP 200x200"));

    "a record may be `processing` right after the upload",
    "the same; the replay waits before it continues",
    "the protocol does not differ",
    |d| (d.at("upload", &[2]) || d.at("delete", &[14]))
        && (d.is("status", "\"processing\"", "\"ready\"") || d.adds("urls.*"));

    "uploads wait while the queue is down; jobs of a queue that is lost stay `processing`",
    "jobs are kept in the rows and continue after a restart",
    "there is not a queue to lose",
    |d| d.topic == "outage" && (33..=63).contains(&d.seq)
        && (d.at("outage", &[33]) && d.is("status", "none", "201")
            || d.is("status", "\"processing\"", "\"ready\"") || d.adds("urls.*"));

    "a HEIC is converted to a JPEG with another name, size and hash, and without EXIF",
    "it is stored unchanged; without the feature `heic` it has no renditions",
    "a client finds its file by its hash, and keeps date and location",
    |d| d.is_of(".heic") && (d.is("mimeType", "\"image/jpeg\"", "\"image/heif\"")
            || d.is("originalName", "*.jpg\"", "*") || d.is("hash", "*", "*") || d.is("size", "*", "*")
            || MADE.iter().any(|field| d.is(field, "*", "")))
        || d.at("file", &[16]) && (d.is("type", "image/jpeg", "image/heif") || d.is("bytes", "3009", "667"))
        || d.at("file", &[54]) && d.is("status", "200", "404")
        || d.at("transform", &[166, 167]) && d.is("status", "200", "422")
        || d.at("legacy", &[4]) && d.is("status", "500", "422");

    "a row of an older version may give a HEIC the type `application/octet-stream`; its transform \
     is 500",
    "400: media whose recorded type is not an image, and that cannot be decoded, is not \
     transformed",
    "the server works as intended",
    |d| d.at("legacy", &[3]) && d.is("status", "500", "400");

    "AVIF is decoded and encoded",
    "it is stored and delivered; without the feature `avif`, a transform of it or into it is 422",
    "the codec is optional: it takes long to compile",
    |d| d.is_of(".avif") && MADE.iter().any(|field| d.is(field, "*", ""))
        || d.is_of("quad.avif") && d.path.ends_with("/file/thumb") && d.is("status", "200", "404")
        || d.path.ends_with("/transform") && (d.query.contains("format=avif") || d.is_of("quad.avif"))
            && (d.is("status", "200", "422") || d.is("status", "none", "422"));

    "sides beyond 16,383 pixels are decoded",
    "an image with a side beyond 16,384 pixels is `failed` and has no renditions",
    "decoding has limits (promise P2)",
    |d| d.is_of("wide-17000x8.png") && (d.is("status", "\"ready\"", "\"failed\"")
            || d.is("status", "200", "404") || d.is("status", "200", "422")
            || MADE.iter().any(|field| d.is(field, "*", "")));

    "the record of an image that cannot be processed, and the error of its renditions, have no reason",
    "they have `failureReason` and `reason`",
    "a page can show the owner what to change",
    |d| d.adds("failureReason") || d.adds("reason");

    "TIFF is decoded by transforms",
    "422",
    "the default build has no decoder for it",
    |d| d.topic == "transform" && d.is_of("quad.tiff") && d.is("status", "200", "422");

    "SVG is stored as `image/svg+xml`, served inline and rendered",
    "it is `application/octet-stream`, served as an attachment and not rendered",
    "it is a document that can run scripts (promise P4)",
    |d| d.is("mimeType", "\"image/svg+xml\"", "\"application/octet-stream\"")
        || d.is("type", "image/svg+xml", "application/octet-stream")
        || d.is_of("drawing.svg") && (d.path.ends_with("/file/thumb") && d.is("status", "200", "404")
            || d.path.ends_with("/transform") && d.is("status", "200", "400"));

    "HTML is served as HTML",
    "it is served as `application/octet-stream`, like scripts, styles and everything else that a \
     browser executes; the record has the declared type",
    "an upload must never run (promise P8)",
    |d| d.at("file", &[20]) && d.is("type", "text/html;charset=utf-8", "application/octet-stream");

    "a file that is not an image gets an image type by its file extension",
    "it is `application/octet-stream`",
    "only the bytes make an image (promise P4)",
    |d| ["\"image/jpeg\"", "\"image/png\"", "\"image/avif\""]
            .iter().any(|was| d.is("mimeType", was, "\"application/octet-stream\""))
        || d.at("file", &[19, 22]) && d.is("type", "image/*", "application/octet-stream")
        || d.at("upload", &[68]) && d.is("status", "\"failed\"", "\"ready\"");

    "`.xml` is `application/xml`",
    "`text/xml`",
    "both mean the same (RFC 7303, section 9.1)",
    |d| d.is("mimeType", "\"application/xml\"", "\"text/xml\"");

    "a file named `.heic` or `.heif` with other content is 500",
    "it is stored with the type of its content",
    "only the bytes make an image (promise P4)",
    |d| (d.at("upload", &[69, 183]) || d.at("upload-types", &[38, 47])) && d.is("status", "500", "201");

    "`;charset=utf-8` is appended to text types",
    "it is not, unless the client declares it",
    "the charset is unknown",
    |d| {
        let bare = d.was.replace(";charset=utf-8", "");
        d.was != bare && (d.is == bare && (d.leaf() == "mimeType" || d.leaf() == "type")
            || d.at("upload", &[57, 58]) && d.is("mimeType", "*", "\"text/plain; charset=iso-8859-1\""))
    };

    "a type that the file extension does not give is empty",
    "it is the declared type, or `application/octet-stream`",
    "HTTP has no empty type; extensions are matched in any case",
    |d| d.is("mimeType", "\"\"", "*") || d.at("file", &[21]) && d.is("type", "", "application/octet-stream");

    "EXIF dates are in the time zone of the server; dates that do not exist roll over",
    "the file's offset and fraction count; an invalid date is left out",
    "the same file has the same date everywhere",
    |d| d.is_of("exif-offset-sw.jpg")
            && d.is("exif.dateTaken", "\"2023-12-31T2*", "\"2023-12-31T21:59:59.123Z\"")
        || (d.is_of("exif-zero-date.jpg") || d.is_of("exif-odd.jpg")) && d.is("exif.dateTaken", "*", "");

    "a file with NUL in its EXIF is `failed`",
    "it is processed like other images",
    "it can be decoded",
    |d| d.is_of("exif-nul.jpg") && (d.is("status", "\"failed\"", "\"ready\"")
        || MADE.iter().any(|field| d.adds(field)));

    "`exif` is left out if only the model, the exposure or the ISO speed is known; the EXIF of \
     WebP is not read",
    "`exif` has every known field",
    "a client loses nothing",
    |d| (d.is_of("exif-model-only.jpg") || d.is_of("exif.webp")) && d.adds("exif.*");

    "equal bytes share one record, regardless of the uploader",
    "each user has a record, an id and a file name of their own",
    "the upload of one user reveals nothing about another's (promise P15)",
    |d| d.at("upload", &[6, 82]) && (d.is("id", "*", "*") || d.is("urls.*", "*", "*")
            || d.is("status", "\"ready\"", "\"processing\"")
            || d.is("originalName", "\"gray.jpg\"", "\"größe-日本.jpg\""))
        || d.at("delete", &[1]) && d.leaf() == "order";

    "a delete takes the file from all of its users",
    "it takes the file from one user",
    "other users keep their copy (promise P15)",
    |d| d.at("delete", &[13]) && d.is("order", "", "*");

    "file names may be paths",
    "the last segment is kept; a backslash before a quote is read as RFC 7578 defines",
    "a file name is for display (promise P9)",
    |d| ["passwd", "name.txt", "name", "a\\\"b.pdf"].iter()
        .any(|name| d.is("originalName", "*", &format!("\"{name}\"")));

    "the name of an empty file is null",
    "it keeps its name",
    "the client sent one",
    |d| d.is("originalName", "null", "\"empty.bin\"");

    "a non-ASCII name is 500; a name in `filename*`, without quotes, or with `FILENAME` in \
     capitals is 400",
    "it is accepted; a name that cannot be read is left out",
    "these are valid file names",
    |d| d.at("upload", &[80, 81]) && d.is("status", "500", "201")
        || d.at("upload-types", &[48, 50, 51, 57]) && d.is("status", "400", "201");

    "uploads without `app` or `userId` are stored, but in no list",
    "400",
    "without an owner, no list could find them",
    |d| d.is_upload() && d.is("status", "201", "400") && (d.at("upload", &[7, 8, 9, 10])
            || d.at("config", &[6]) || d.at("limits", &[13]))
        || d.at("outage", &[54]) && d.is("status", "none", "400");

    "a form may have any number of parts, and user and app names any length",
    "400 beyond 64 parts or 255 bytes",
    "reading is bounded (promise P10)",
    |d| d.at("limits", &[12, 14]) && d.is("status", "201", "400");

    "a body that is too large is 413 without a text",
    "it has a text",
    "every error has one",
    |d| d.at("limits", &[4, 5, 10]) && (d.is("type", "", "application/json") || d.is("bytes", "0", "*"));

    "a path beyond 16 KiB is 431",
    "it is routed like other paths, within the limits of the server that runs these routes",
    "the HTTP server has its own limits",
    |d| d.at("limits", &[11, 16]) && d.is("status", "431", "404");

    "a form that cannot be parsed is 500",
    "400",
    "the client made the error",
    |d| d.at("upload", &[28, 29, 30]) && d.is("status", "500", "400");
};

/// Returns true for a file that was uploaded with `skipProcessing`.
fn skips(d: &Difference) -> bool {
    d.at("setup-delivery", &[39, 78]) || d.at("upload", &[12, 13, 14, 15]) || d.at("file", &[58])
}
