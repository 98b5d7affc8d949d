//! Differences of responses: during outages, of lists, and to invalid requests.

use super::Explained;

pub const ROWS: &[Explained] = explained! {
    "known bytes are not stored again, even if they are lost",
    "they are restored, which needs the object store",
    "an acknowledged upload is complete (promise R1)",
    |d| d.at("lost-object", &[7]) && d.is("status", "404", "200")
        || d.at("outage", &[2]) && d.is("status", "201", "503");

    "a lost variant is 404",
    "it is made again",
    "the original exists",
    |d| d.at("lost-object", &[8]) && d.is("status", "404", "200");

    "a transform of a lost original is 500",
    "404, like the original",
    "the original is missing",
    |d| d.at("lost-object", &[4]) && d.is("status", "500", "404");

    "of simultaneous first uploads of equal bytes, some are 500",
    "all are 201, with one record",
    "each of them is valid (promise R3)",
    |d| d.topic == "race" && d.is_upload() && d.is("status", "500", "201");

    "while the object store is down, files are 404, and transforms and uploads 500",
    "503",
    "the file exists, and the client may retry (promise R4)",
    |d| d.at("outage", &[1, 5, 6, 7]) && (d.is("status", "404", "503") || d.is("status", "500", "503"));

    "while the object store does not respond, the service does not respond",
    "504 after 30 seconds",
    "the client knows that it may retry (promise R4)",
    |d| d.at("outage", &[55, 56]) && d.is("status", "none", "504");

    "while the database is down, everything is 500",
    "503",
    "the client may retry (promise R4)",
    |d| d.topic == "outage" && (17..=23).contains(&d.seq) && d.is("status", "500", "503");

    "lists have no order, and one record per upload",
    "newest first, each record once",
    "a limit then cuts off the oldest, instead of arbitrary records",
    |d| d.path == "/api/v1/media" && d.names_user() && d.leaf() == "order" && {
        let sorted = |ids: &str| {
            let mut ids: Vec<_> = ids.split(' ').map(str::to_owned).collect();
            ids.sort();
            ids.dedup();
            ids
        };
        // The records are the same, unless a limit cuts some off.
        sorted(&d.was) == sorted(&d.is) || d.query.contains("limit=") || d.at("list", &[30])
    };

    "records with equal sort keys have no order",
    "newest first, or oldest first if ascending",
    "pages do not overlap",
    |d| d.is("items.order", "*", "*") && d.query.contains("sortBy=dateTaken")
        || d.at("transitions", &[18]) && d.is("items.order", "*", "*");

    "a list without `userId` shows the files of all users",
    "400",
    "it is rarely intended, and reveals everything",
    |d| d.path == "/api/v1/media" && !d.names_user() && d.is("status", "200", "400");

    "a negative `limit` is unlimited",
    "400; a list has at most 10,000 records, a page of `list/all` 500",
    "a response is bounded",
    |d| d.query.contains("limit=-1") && d.is("status", "200", "400");

    "invalid dates, users and offsets, and numbers beyond 64 bits, are 500",
    "400; the number is clamped",
    "the client made the error",
    |d| (d.at("list", &[26]) || d.at("list-all", &[35, 37, 40, 41, 50])) && d.is("status", "500", "400")
        || d.at("list", &[22]) && d.is("status", "500", "200");

    "`apps` without a name lists nothing",
    "400",
    "an empty list of apps is a mistake",
    |d| d.query.contains("apps=,") && d.is("status", "200", "400");

    "`mimeType` filters by the type with `;charset=utf-8`, and SVG is an image",
    "it filters by the stored type",
    "the stored types differ, see above",
    |d| d.at("list-all", &[14, 16, 17]) && (d.is("items.order", "*", "*") || d.leaf() == "total");

    "`%` and `_` in `mimeType` are wildcards",
    "they are literal",
    "types do not contain them",
    |d| d.at("list-all", &[83, 84, 85]) && (d.is("items.order", "*", "") || d.is("total", "*", "0"));

    "`dateTo` with the date of a record excludes the record",
    "it includes the record",
    "dates are compared as they are shown",
    |d| d.at("list-all", &[34]) && (d.is("items.order", "*", "*") || d.is("total", "4", "5"));

    "`stats` is 500",
    "the number and the bytes of the user's media",
    "the route works",
    |d| d.path == "/api/v1/media/stats"
        && (d.is("status", "500", "200") || !d.names_user() && d.is("status", "500", "400"));

    "an id that is not a UUID is 500; a UUID has several spellings",
    "404",
    "an id has one spelling (promise G10)",
    |d| d.at("get", &[5, 6, 7]) && d.is("status", "200", "404")
        || d.is("status", "500", "404") && {
            let id = d.path.strip_prefix("/api/v1/media/").and_then(|rest| rest.split('/').next());
            // Also a segment of another route that is read as an id, and an invalid hash.
            id.is_some_and(|id| id.len() != 36) || d.at("get", &[8, 13, 14, 15])
        };

    "a method that a route does not have is 404, or 500 where the path is read as an id",
    "405",
    "RFC 9110, section 15.5.6",
    |d| d.method != "OPTIONS" && d.is("status", "404", "405") || d.at("upload", &[31]) && d.is("status", "500", "405");

    "`OPTIONS` is answered for all origins, and every origin is allowed",
    "405 or 404; the application adds CORS, and its middleware decides the status",
    "callers are servers by default",
    |d| d.method == "OPTIONS" && (d.is("status", "204", "405") || d.is("status", "204", "404"))
        || d.at("config", &[4, 5]) && d.is("status", "204", "200")
        || d.topic != "config" && d.is("allows", "*", "");

    "an unknown route is `404 Not Found` as text",
    "JSON below `/api/v1/media`, empty elsewhere",
    "like the other errors",
    |d| d.is("type", "text/plain; charset=UTF-8", "application/json") || d.is("bytes", "13", "21")
        || d.is("type", "text/plain; charset=UTF-8", "") || d.is("bytes", "13", "0");

    "`HEAD` reports 0 bytes",
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

    "a variant that does not exist, or has an unknown name, is the original",
    "the variant of a small image is re-encoded; a file that is not an image, and an unknown name, \
     are 404",
    "an original is never sent in place of a rendition (promise P5)",
    |d| d.path.contains("/file/") && (d.topic == "file" && d.is("status", "200", "404")
        || d.is("type", "image/jpeg", "image/webp") || d.is("picture", "JPEG *", "WEBP *")
        || d.at("lost-object", &[3]) && d.is("status", "404", "200")
        || d.at("transitions", &[4]) && d.is("picture", "WEBP 400x300", "WEBP 200x200"));

    "`thumb` enlarges small images to 200x200",
    "it is never larger than the image",
    "enlarging adds no detail",
    |d| d.path.ends_with("/file/thumb") && d.is("picture", "WEBP 200x200", "WEBP *");

    "photographs lie on their side, and `metadata` has the unrotated size",
    "renditions and sizes are upright",
    "the EXIF orientation is applied (promise P6)",
    |d| ["orientation-5.jpg", "orientation-6.jpg", "orientation-8.jpg"].iter().any(|file| d.is_of(file))
        && (d.is("metadata.height", "200", "320") || d.is("metadata.width", "320", "200")
            || d.is("picture", "PNG 320x200", "PNG 200x320") || d.is("picture", "JPEG 100x63", "JPEG 100x160"));

    "an unknown `format` gives the format of the original, or 500",
    "400",
    "the response is always in the requested format",
    |d| d.topic == "transform" && d.query.contains("format=") && d.is("status", "200", "400")
        || d.at("transform", &[89]) && d.is("status", "500", "400");

    "an invalid `w`, `h`, `fit` or `q` is 500, and so is 0 for one side",
    "400; 0 leaves that side free",
    "the client made the error",
    |d| d.topic == "transform" && d.is_of("plain-1000x700.jpg")
        && (d.is("status", "500", "400") || d.is("status", "500", "200"));

    "an image that is broken or cannot be decoded is 500",
    "422, or 400 if it is not an image",
    "the server works as intended",
    |d| d.path.ends_with("/transform") && (d.is("status", "500", "422") || d.is("status", "500", "400"));

    "`health` names another service",
    "`\"service\":\"tower-media\"`",
    "it is another service",
    |d| d.path == "/health" && d.is("service", "\"mana-media\"", "\"tower-media\"");

    "a slash at the end of the public URL is doubled",
    "it is removed",
    "a URL with two slashes is 404",
    |d| d.at("config", &[7]) && d.is("urls.*", "\"http://localhost:3015/api/v1//*", "*");

    "`metrics` has the costs of the process besides the requests, and the exporter's version of \
     the type",
    "the requests under the same names and labels, and everything else that the application counts",
    "the application has its own exporter",
    |d| d.path == "/metrics" && (d.is("media_process_*", "*", "") || d.is("media_nodejs_*", "*", "")
        || d.adds("tower_media_*") || d.is("type", "text/plain; charset=UTF-8", "text/plain; version=0.0.4*"));
};
