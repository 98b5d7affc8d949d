//! What is answered to a request: while something is down, to lists, and to what cannot be.

use super::Explained;

pub const ROWS: &[Explained] = explained! {
    "known bytes are not stored again, even if they are lost",
    "they are put in place again, for which the store must be there",
    "an upload that was acknowledged is whole (promise R1)",
    |d| d.at("lost-object", &[7]) && d.is("status", "404", "200")
        || d.at("outage", &[2]) && d.is("status", "201", "503");

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
        sorted(&d.was) == sorted(&d.is) || d.query.contains("limit=") || d.at("list", &[30])
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

    "`%` and `_` in `mimeType` stand for any characters",
    "they are what they are",
    "no type has them",
    |d| d.at("list-all", &[83, 84, 85]) && (d.is("items.order", "*", "") || d.is("total", "*", "0"));

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
