//! What differs from the recorded service on purpose, and why. The docs of `ServiceRoutes` say the same.
//!
//! A row covers exactly the fields, values and files that it is about: anything else fails the test.

use super::difference::Difference;

/// A row of the table, and the differences that it is about.
pub struct Explained {
    pub was: &'static str,
    pub is: &'static str,
    pub why: &'static str,
    pub covers: fn(&Difference) -> bool,
}

macro_rules! explained {
    ($($was:literal, $is:literal, $why:literal, $covers:expr;)*) => {
        &[$(Explained { was: $was, is: $is, why: $why, covers: $covers }),*]
    };
}

/// What the record of a picture has when variants can be made of it.
const MADE: [&str; 3] = ["metadata.*", "exif.*", "urls.*"];

/// The files of which the bytes begin like a picture and are none, or are beyond the limits of decoders.
const BROKEN: [&str; 5] =
    ["garbage.jpg", "truncated-header.jpg", "wide-17000x8.png", "bomb-17000x17000.png", "a.heic"];

/// The first row that covers a difference explains it.
pub const EXPLAINED: &[Explained] = explained! {
    "a new file is `processing`, whatever it is",
    "what is no picture that can be decoded is `ready` at once, what only begins like one `failed`",
    "there is nothing to wait for",
    |d| d.is_upload() && match &d.record {
        _ if d.is("status", "\"processing\"", "\"failed\"") => BROKEN.iter().any(|file| d.is_of(file)),
        Some(record) if d.is("status", "\"processing\"", "\"ready\"") && !d.in_memory => {
            let undecoded = ["image/heif", "image/avif", "image/bmp", "image/tiff"];
            !record.mime_type.starts_with("image/") || undecoded.contains(&&*record.mime_type)
        }
        _ => false,
    };

    "a picture is `processing` until its variants are made, and has no URLs of them before",
    "over a store that makes them when they are asked for it is `ready` at once, and has the URLs",
    "nobody waits for what nobody asked for",
    |d| d.in_memory && d.was_not_processed()
        && (d.is("status", "\"processing\"", "\"ready\"") || d.adds("urls.*"));

    "a picture that is cut off half way is `failed`",
    "over a store that makes variants when they are asked for it is `ready` until then",
    "only decoding tells",
    |d| d.in_memory && d.is("status", "\"failed\"", "\"ready\"")
        && ["truncated-half.jpg", "truncated.png", "truncated-list.jpg"].iter().any(|f| d.is_of(f));

    "`metadata` and `exif` come with processing",
    "they are in the answer to the upload, and in the record of what cannot be decoded",
    "they are read from the head of the file",
    |d| (d.adds("metadata.*") || d.adds("exif.*")) && !d.is_of("exif-nul.jpg")
        && (d.was_not_processed() && !skips(d) || skips(d));

    "with `skipProcessing` there never are variants",
    "they are made when they are asked for",
    "only the work ahead is skipped",
    |d| skips(d) && (d.adds("urls.*") || d.is("picture", "WEBP 400x300", "WEBP 200x200"));

    "a record may be `processing` right after the upload",
    "it is here as well; this test waits before it goes on",
    "nothing differs",
    |d| (d.at("upload", &[2]) || d.at("delete", &[14]))
        && (d.is("status", "\"processing\"", "\"ready\"") || d.adds("urls.*"));

    "uploads wait for the queue while it is down; what was in it when it is lost stays `processing`",
    "what is to be done is in the rows, and taken up again after a restart",
    "there is no queue to lose",
    |d| d.topic == "outage" && (33..=63).contains(&d.seq)
        && (d.at("outage", &[33]) && d.is("status", "none", "201")
            || d.is("status", "\"processing\"", "\"ready\"") || d.adds("urls.*"));

    "HEIC is turned into a JPEG of another name, size and hash, without its EXIF",
    "it is kept as it is; without a decoder for it there are no renditions",
    "a client that asks for the hash of its file finds it, and date and place are not lost",
    |d| d.is_of(".heic") && (d.is("mimeType", "\"image/jpeg\"", "\"image/heif\"")
            || d.is("originalName", "*.jpg\"", "*") || d.is("hash", "*", "*") || d.is("size", "*", "*")
            || MADE.iter().any(|field| d.is(field, "*", "")))
        || d.at("file", &[16]) && (d.is("type", "image/jpeg", "image/heif") || d.is("bytes", "3009", "667"))
        || d.at("file", &[54]) && d.is("status", "200", "404")
        || d.at("transform", &[166, 167]) && d.is("status", "200", "422")
        || d.at("legacy", &[4]) && d.is("status", "500", "422");

    "a row of an older version may call a HEIC `application/octet-stream`, and transforming it is 500",
    "400: what a record says is no picture is not transformed, if it cannot be decoded either",
    "it is no fault of the server",
    |d| d.at("legacy", &[3]) && d.is("status", "500", "400");

    "AVIF is decoded, and made",
    "it is kept and delivered; to transform it, or into it, is 422",
    "a decoder is a feature to come",
    |d| d.is_of(".avif") && MADE.iter().any(|field| d.is(field, "*", ""))
        || d.is_of("quad.avif") && d.path.ends_with("/file/thumb") && d.is("status", "200", "404")
        || d.path.ends_with("/transform") && (d.query.contains("format=avif") || d.is_of("quad.avif"))
            && (d.is("status", "200", "422") || d.is("status", "none", "422"));

    "sides beyond 16,383 are decoded",
    "a picture with a side beyond 16,384 is `failed`, and has no renditions",
    "a decoder has limits (promise P2)",
    |d| d.is_of("wide-17000x8.png") && (d.is("mimeType", "\"image/png\"", "\"application/octet-stream\"")
            || d.is("status", "\"ready\"", "\"failed\"")
            || d.is("status", "200", "404") || d.is("status", "200", "400") || d.is("status", "500", "400")
            || MADE.iter().any(|field| d.is(field, "*", "")));

    "TIFF is decoded by transforms",
    "422",
    "there is no decoder for it",
    |d| d.topic == "transform" && d.is_of("quad.tiff") && d.is("status", "200", "422");

    "SVG is stored as `image/svg+xml`, served inline and drawn",
    "it is `application/octet-stream`, saved and not drawn",
    "it is a document that can run scripts (promise P4)",
    |d| d.is("mimeType", "\"image/svg+xml\"", "\"application/octet-stream\"")
        || d.is("type", "image/svg+xml", "application/octet-stream")
        || d.is_of("drawing.svg") && (d.path.ends_with("/file/thumb") && d.is("status", "200", "404")
            || d.path.ends_with("/transform") && d.is("status", "200", "400"));

    "HTML is served as such",
    "it is `application/octet-stream`, like scripts, styles and all else that a browser acts upon; a record \
     may say what it is",
    "an upload must never run (promise P8)",
    |d| d.at("file", &[20]) && d.is("type", "text/html;charset=utf-8", "application/octet-stream");

    "what is no picture is taken for one by the ending of its name",
    "it is `application/octet-stream`",
    "only bytes make a picture (promise P4)",
    |d| ["\"image/jpeg\"", "\"image/png\"", "\"image/avif\""]
            .iter().any(|was| d.is("mimeType", was, "\"application/octet-stream\""))
        || d.at("file", &[19, 22]) && d.is("type", "image/*", "application/octet-stream")
        || d.at("upload", &[68]) && d.is("status", "\"failed\"", "\"ready\"");

    "`.xml` is `application/xml`",
    "`text/xml`",
    "both mean the same (RFC 7303, section 9.1)",
    |d| d.is("mimeType", "\"application/xml\"", "\"text/xml\"");

    "a file named `.heic` or `.heif` that is none is 500",
    "it is stored as what it is",
    "its bytes are no picture (promise P4)",
    |d| (d.at("upload", &[69, 183]) || d.at("upload-types", &[38, 47])) && d.is("status", "500", "201");

    "`;charset=utf-8` is added to the type of texts",
    "it is not, unless the client says so",
    "nobody knows",
    |d| {
        let bare = d.was.replace(";charset=utf-8", "");
        d.was != bare && (d.is == bare && (d.leaf() == "mimeType" || d.leaf() == "type")
            || d.at("upload", &[57, 58]) && d.is("mimeType", "*", "\"text/plain; charset=iso-8859-1\""))
    };

    "a type that the name does not tell is empty",
    "it is what the client says, or `application/octet-stream`",
    "no type is none that HTTP has; endings are read in any case",
    |d| d.is("mimeType", "\"\"", "*") || d.at("file", &[21]) && d.is("type", "", "application/octet-stream");

    "dates of EXIF are in the time of the server; dates that do not exist roll over",
    "the offset and the fraction in the file count; what is no date is left out",
    "the same file has the same date everywhere",
    |d| d.is_of("exif-offset-sw.jpg")
            && d.is("exif.dateTaken", "\"2023-12-31T2*", "\"2023-12-31T21:59:59.123Z\"")
        || (d.is_of("exif-zero-date.jpg") || d.is_of("exif-odd.jpg")) && d.is("exif.dateTaken", "*", "");

    "a file with NUL in its EXIF is `failed`",
    "it is a picture like any other",
    "it can be decoded",
    |d| d.is_of("exif-nul.jpg") && (d.is("status", "\"failed\"", "\"ready\"")
        || MADE.iter().any(|field| d.adds(field)));

    "`exif` is left out if only a model, an exposure or a sensitivity is known; that of WebP is not read",
    "what is known is there",
    "nobody is better off without",
    |d| (d.is_of("exif-model-only.jpg") || d.is_of("exif.webp")) && d.adds("exif.*");

    "the same bytes have one record, whoever uploads them",
    "each user has a record, an id and a name of their own",
    "one user's upload tells nothing of another's (promise P15)",
    |d| d.at("upload", &[6, 82]) && (d.is("id", "*", "*") || d.is("urls.*", "*", "*")
            || d.is("status", "\"ready\"", "\"processing\"")
            || d.is("originalName", "\"gray.jpg\"", "\"größe-日本.jpg\""))
        || d.at("delete", &[1]) && d.leaf() == "order";

    "removing takes the file from all of its users",
    "from one of them",
    "what others have is theirs (promise P15)",
    |d| d.at("delete", &[13]) && d.is("order", "", "*");

    "known bytes are not stored again, even if they are lost",
    "they are put in place again, for which the store must be there",
    "an upload that was acknowledged is whole (promise R1)",
    |d| d.at("lost-object", &[7]) && d.is("status", "404", "200")
        || d.at("outage", &[2]) && d.is("status", "201", "503");

    "a file that could not be decoded is not processed again when it is uploaded again",
    "it is",
    "the limits may be others by now",
    |d| d.at("transitions", &[13]) && d.is("status", "\"failed\"", "\"processing\"");

    "a variant that is lost is 404",
    "it is made anew",
    "the original is there",
    |d| d.at("lost-object", &[8]) && d.is("status", "404", "200");

    "a transform of an original that is lost is 500",
    "404, like the original",
    "it is gone",
    |d| d.at("lost-object", &[4]) && d.is("status", "500", "404");

    "of simultaneous first uploads of the same bytes some are 500",
    "all are 201, with one record",
    "nothing is wrong with them (promise R3)",
    |d| d.topic == "race" && d.is_upload() && d.is("status", "500", "201");

    "while the store is down files are 404, and transforms and uploads 500",
    "503",
    "the file is not gone, and a client may try again (promise R4)",
    |d| d.at("outage", &[1, 5, 6, 7]) && (d.is("status", "404", "503") || d.is("status", "500", "503"));

    "while the store does not answer there is no answer",
    "504 after 30 seconds",
    "a client knows what to do then (promise R4)",
    |d| d.at("outage", &[55, 56]) && d.is("status", "none", "504");

    "while the database is down everything is 500",
    "503",
    "a client may try again (promise R4)",
    |d| d.topic == "outage" && (17..=23).contains(&d.seq) && d.is("status", "500", "503");

    "file names may be paths",
    "the last part stays; a backslash before a quote is read as RFC 7578 has it",
    "a name is for display (promise P9)",
    |d| ["passwd", "name.txt", "name", "a\\\"b.pdf"].iter()
        .any(|name| d.is("originalName", "*", &format!("\"{name}\"")));

    "the name of an empty file is null",
    "it has its name",
    "it was given one",
    |d| d.is("originalName", "null", "\"empty.bin\"");

    "a name beyond ASCII is 500, one in `filename*` or without quotes 400",
    "it is taken; of a name that cannot be read the file has none",
    "these are file names",
    |d| d.at("upload", &[80, 81]) && d.is("status", "500", "201")
        || d.at("upload-types", &[48, 50, 51]) && d.is("status", "400", "201");

    "uploads without `app` or `userId` are stored, and in no list",
    "400",
    "media that belong to nobody can be found by nobody",
    |d| d.is_upload() && d.is("status", "201", "400") && (d.at("upload", &[7, 8, 9, 10])
            || d.at("config", &[6]) || d.at("limits", &[13]))
        || d.at("outage", &[54]) && d.is("status", "none", "400");

    "a form may have any number of parts, and users and apps names of any length",
    "400 beyond 64 parts and 255 bytes",
    "what is read has a bound (promise P10)",
    |d| d.at("limits", &[12, 14]) && d.is("status", "201", "400");

    "a body that is too large is 413 without a text",
    "it has one",
    "like every other error",
    |d| d.at("limits", &[4, 5, 10]) && (d.is("type", "", "application/json") || d.is("bytes", "0", "*"));

    "a path beyond 16 KiB is 431",
    "it is a path like any other, up to the bounds of the server that these routes run in",
    "what carries the routes has bounds of its own",
    |d| d.at("limits", &[11, 16]) && d.is("status", "431", "404");

    "a form that cannot be read is 500",
    "400",
    "it is the client's fault",
    |d| d.at("upload", &[28, 29, 30]) && d.is("status", "500", "400");

    "lists have no order, and a record for each upload",
    "newest first, and each record once",
    "a limit then cuts off what is old, and nothing at random",
    |d| d.path == "/api/v1/media" && d.names_user() && d.leaf() == "order" && {
        let sorted = |ids: &str| {
            let mut ids: Vec<_> = ids.split(' ').map(str::to_owned).collect();
            ids.sort();
            ids.dedup();
            ids
        };
        // All are there, unless a limit cuts some off.
        sorted(&d.was) == sorted(&d.is) || d.query.contains("limit=")
    };

    "what sorts equal comes in no order",
    "it comes newest first, or last if ascending",
    "pages do not overlap",
    |d| d.is("items.order", "*", "*") && d.query.contains("sortBy=dateTaken")
        || d.at("transitions", &[18]) && d.is("items.order", "*", "*");

    "a list without `userId` shows everybody's files",
    "400",
    "nobody needs it, and it is a mistake in most",
    |d| d.path == "/api/v1/media" && !d.names_user() && d.is("status", "200", "400");

    "a negative `limit` is none",
    "400; a list has 10,000 records at most, a page of `list/all` 500",
    "an answer has a bound",
    |d| d.query.contains("limit=-1") && d.is("status", "200", "400");

    "dates, users and offsets that are none, and numbers beyond 64 bits, are 500",
    "400; the number is clamped",
    "it is the client's fault",
    |d| (d.at("list", &[26]) || d.at("list-all", &[35, 37, 40, 41, 50])) && d.is("status", "500", "400")
        || d.at("list", &[22]) && d.is("status", "500", "200");

    "`apps` without a name lists nothing",
    "400",
    "a list of none is a mistake",
    |d| d.query.contains("apps=,") && d.is("status", "200", "400");

    "the type in `mimeType` is the one with `;charset=utf-8`, and SVG is an image",
    "it is the one that is stored",
    "as the rows above have it",
    |d| d.at("list-all", &[14, 16, 17]) && (d.is("items.order", "*", "*") || d.leaf() == "total");

    "`dateTo` with the date of a record excludes it",
    "it includes it",
    "dates count as they are shown",
    |d| d.at("list-all", &[34]) && (d.is("items.order", "*", "*") || d.is("total", "4", "5"));

    "`stats` is 500",
    "`{\"count\",\"bytes\"}` of the user",
    "the route works",
    |d| d.path == "/api/v1/media/stats"
        && (d.is("status", "500", "200") || !d.names_user() && d.is("status", "500", "400"));

    "what is no UUID is 500; a UUID has several spellings",
    "404",
    "an id has one spelling (promise G10)",
    |d| d.at("get", &[5, 6, 7]) && d.is("status", "200", "404")
        || d.is("status", "500", "404") && {
            let id = d.path.strip_prefix("/api/v1/media/").and_then(|rest| rest.split('/').next());
            // Also where what is meant for another route is taken for one, and a hash that is none.
            id.is_some_and(|id| id.len() != 36) || d.at("get", &[8, 13, 14, 15])
        };

    "a method that a route does not have is 404, or 500 where the path is taken for an id",
    "405",
    "RFC 9110, section 15.5.6",
    |d| d.method != "OPTIONS" && d.is("status", "404", "405") || d.at("upload", &[31]) && d.is("status", "500", "405");

    "`OPTIONS` is answered for everybody, and every origin allowed",
    "405 or 404; CORS is for the application to add, and then has the status that this gives it",
    "callers are servers",
    |d| d.method == "OPTIONS" && (d.is("status", "204", "405") || d.is("status", "204", "404"))
        || d.at("config", &[4, 5]) && d.is("status", "204", "200")
        || d.topic != "config" && d.is("allows", "*", "");

    "an unknown route is `404 Not Found` as text",
    "JSON below `/api/v1/media`, and empty elsewhere",
    "like every other error",
    |d| d.is("type", "text/plain; charset=UTF-8", "application/json") || d.is("bytes", "13", "21")
        || d.is("type", "text/plain; charset=UTF-8", "") || d.is("bytes", "13", "0");

    "`HEAD` says that there are 0 bytes",
    "the length that `GET` has",
    "RFC 9110, section 9.3.2",
    |d| d.method == "HEAD" && d.is("length", "0", "*");

    "`Range`, `If-None-Match` and `If-Modified-Since` are ignored",
    "206, 304 and 416",
    "RFC 9110, sections 13 and 14",
    |d| d.at("file", &[3, 4]) && d.is("status", "200", "206")
        || d.at("file", &[5]) && d.is("status", "200", "416")
        || d.at("file", &[6, 7, 8]) && d.is("status", "200", "304")
        || d.at("transform", &[225]) && d.is("status", "200", "206")
        || d.at("transform", &[226]) && d.is("status", "200", "304");

    "a variant that does not exist, or has another name, is the original",
    "a small picture is made anew; what is no picture, and any other name, is 404",
    "an original is never sent for a rendition (promise P5)",
    |d| d.path.contains("/file/") && (d.topic == "file" && d.is("status", "200", "404")
        || d.is("type", "image/jpeg", "image/webp") || d.is("picture", "JPEG *", "WEBP *")
        || d.at("lost-object", &[3]) && d.is("status", "404", "200")
        || d.at("transitions", &[4]) && d.is("picture", "WEBP 400x300", "WEBP 200x200"));

    "`thumb` enlarges small pictures to 200x200",
    "it is never larger than the picture",
    "nothing is gained",
    |d| d.path.ends_with("/file/thumb") && d.is("picture", "WEBP 200x200", "WEBP *");

    "photographs lie on their side, and `metadata` has their sides as they lie",
    "renditions and sides are upright",
    "the orientation is applied (promise P6)",
    |d| ["orientation-5.jpg", "orientation-6.jpg", "orientation-8.jpg"].iter().any(|file| d.is_of(file))
        && (d.is("metadata.height", "200", "320") || d.is("metadata.width", "320", "200")
            || d.is("picture", "PNG 320x200", "PNG 200x320") || d.is("picture", "JPEG 100x63", "JPEG 100x160"));

    "an unknown `format` gives the format of the input, or 500",
    "400",
    "an answer is what was asked for",
    |d| d.topic == "transform" && d.query.contains("format=") && d.is("status", "200", "400")
        || d.at("transform", &[89]) && d.is("status", "500", "400");

    "a bad `w`, `h`, `fit` or `q` is 500, and so is 0 for one side",
    "400; 0 leaves that side free",
    "it is the client's fault",
    |d| d.topic == "transform" && d.is_of("plain-1000x700.jpg")
        && (d.is("status", "500", "400") || d.is("status", "500", "200"));

    "a picture that is broken or of a kind that cannot be decoded is 500",
    "422, and 400 if it is none at all",
    "it is no fault of the server",
    |d| d.path.ends_with("/transform") && (d.is("status", "500", "422") || d.is("status", "500", "400"));

    "`health` names another service",
    "`\"service\":\"tower-media\"`",
    "it is another",
    |d| d.path == "/health" && d.is("service", "\"mana-media\"", "\"tower-media\"");

    "a slash at the end of the public URL is doubled",
    "it is left out",
    "such URLs lead nowhere",
    |d| d.at("config", &[7]) && d.is("urls.*", "\"http://localhost:3015/api/v1//*", "*");

    "`metrics` has what the process costs beside the requests, and the exporter's version of the type",
    "the requests under the same names and labels, and what else the application counts",
    "the application has an exporter of its own, and says what is in it",
    |d| d.path == "/metrics" && (d.is("media_process_*", "*", "") || d.is("media_nodejs_*", "*", "")
        || d.adds("tower_media_*") || d.is("type", "text/plain; charset=UTF-8", "text/plain; version=0.0.4*"));
};

/// Whether it is about a file that was uploaded with `skipProcessing`.
fn skips(d: &Difference) -> bool {
    d.at("setup-delivery", &[39, 78]) || d.at("upload", &[12, 13, 14, 15]) || d.at("file", &[58])
}
