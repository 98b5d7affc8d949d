//! What differs from the recorded service on purpose, and why. The docs of `ServiceRoutes` say the same.

use super::compare::Difference;

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

/// The first row that covers a difference explains it.
pub const EXPLAINED: &[Explained] = explained! {
    "a new file is `processing`, whatever it is",
    "what is no picture is `ready` at once, what only begins like one `failed`",
    "there is nothing to wait for",
    |d| d.is_upload() && d.changes("status", "\"processing\"", &["\"ready\"", "\"failed\""]);

    "`metadata` and `exif` come with processing",
    "they are in the answer to the upload, and in the record of what cannot be decoded",
    "they are read from the head of the file",
    |d| d.was.is_empty() && (d.in_record("metadata") || d.in_record("exif") && d.is_upload());

    "with `skipProcessing` there never are variants",
    "they are made when they are asked for",
    "only the work ahead is skipped",
    |d| d.was.is_empty() && d.in_record("urls") && !d.name_has("immediately")
        || d.topic == "file" && d.name == "skip thumb";

    "a record may be `processing` right after the upload",
    "it is here as well; this test waits before it goes on",
    "nothing differs",
    |d| d.name_has("immediately");

    "HEIC is turned into a JPEG of another name, size and hash, without its EXIF",
    "it is kept as it is; without a decoder for it there are no renditions",
    "a client that asks for the hash of its file finds it, and date and place are not lost",
    |d| d.name_has("heic") && !d.name_has("claimed");

    "AVIF is decoded, and made",
    "it is kept and delivered; to transform it, or into it, is 422",
    "a decoder is a feature to come",
    |d| d.name_has("avif") && (d.changes("status", "200", &["422", "404"]) || d.is.is_empty());

    "sides beyond 16,383 are decoded",
    "a picture with a side beyond 16,384 is `failed`, and has no renditions",
    "a decoder has limits (promise P2)",
    |d| d.name_has("wide-17000");

    "TIFF is decoded by transforms",
    "422",
    "there is no decoder for it",
    |d| d.topic == "transform" && d.name_has("tiff") && d.changes("status", "200", &["422"]);

    "SVG is stored as `image/svg+xml`, served inline and drawn",
    "it is `application/octet-stream`, saved and not drawn",
    "it is a document that can run scripts (promise P4)",
    |d| d.was.contains("image/svg+xml") || d.name_has("svg")
        || d.path.contains("7aea94e3-67b1-40c9-809d-cd89c5cef007");

    "what is no picture is taken for one by the ending of its name",
    "it is `application/octet-stream`",
    "only bytes make a picture (promise P4)",
    |d| (d.field_is("mimeType") || d.field_is("type"))
        && d.was.contains("image/") && d.is.contains("application/octet-stream")
        || d.name_has("claimed image/png") && d.changes("status", "\"failed\"", &["\"ready\""]);

    "`.xml` is `application/xml`",
    "`text/xml`",
    "both mean the same (RFC 7303, section 9.1)",
    |d| d.field_is("mimeType") && d.was == "\"application/xml\"";

    "a file named `.heic` that is none is 500",
    "it is stored as what it is",
    "its bytes are no picture (promise P4)",
    |d| d.changes("status", "500", &["201"]) && (d.name_has("heic"));

    "`;charset=utf-8` is added to the type of texts",
    "it is not, unless the client says so",
    "nobody knows",
    |d| d.was.contains(";charset=utf-8");

    "a type that the name does not tell is empty",
    "it is what the client says, or `application/octet-stream`",
    "no type is none that HTTP has; endings are read in any case",
    |d| (d.field_is("mimeType") && d.was == "\"\"") || (d.field_is("type") && d.was.is_empty());

    "dates of EXIF are in the time of the server; dates that do not exist roll over",
    "the offset and the fraction in the file count; what is no date is left out",
    "the same file has the same date everywhere",
    |d| d.field_is("exif.dateTaken");

    "a file with NUL in its EXIF is `failed`",
    "it is a picture like any other",
    "it can be decoded",
    |d| d.name_has("exif-nul");

    "`exif` is left out if only a model, an exposure or a sensitivity is known; that of WebP is not read",
    "what is known is there",
    "nobody is better off without",
    |d| d.was.is_empty() && d.in_record("exif");

    "the same bytes have one record, whoever uploads them",
    "each user has a record, an id and a name of their own",
    "one user's upload tells nothing of another's (promise P15)",
    |d| d.name_has("other user") || d.name_has("bytes already stored");

    "file names may be paths",
    "the last part stays; a backslash before a quote is read as RFC 7578 has it",
    "a name is for display (promise P9)",
    |d| d.field_is("originalName") && (d.was.contains('/') || d.was.contains("\\\\"));

    "the name of an empty file is null",
    "it has its name",
    "it was given one",
    |d| d.field_is("originalName") && d.was == "null";

    "a name beyond ASCII is 500, one in `filename*` or without quotes 400",
    "it is taken; of a name that cannot be read the file has none",
    "these are file names",
    |d| d.is_upload() && d.field == "status" && d.is == "201"
        && (d.name_has("filename"));

    "uploads without `app` or `userId` are stored, and in no list",
    "400",
    "media that belong to nobody can be found by nobody",
    |d| d.is_upload() && d.changes("status", "201", &["400"]);

    "a form that cannot be read is 500",
    "400",
    "it is the client's fault",
    |d| d.is_upload() && d.changes("status", "500", &["400"]);

    "lists have no order, and a record for each upload",
    "newest first, and each record once",
    "a limit then cuts off what is old, and nothing at random",
    |d| d.topic != "list-all" && d.field == "order";

    "what sorts equal comes in no order",
    "it comes newest first, or last if ascending",
    "pages do not overlap",
    |d| d.field == "items.order" && d.query.contains("sortBy=dateTaken");

    "a list without `userId` shows everybody's files",
    "400",
    "nobody needs it, and it is a mistake in most",
    |d| d.path == "/api/v1/media" && !d.names_user() && d.changes("status", "200", &["400"]);

    "a negative `limit` is none",
    "400; a list has 10,000 records at most, a page of `list/all` 500",
    "an answer has a bound",
    |d| d.query.contains("limit=-1") && d.changes("status", "200", &["400"]);

    "dates, users and offsets that are none, and numbers beyond 64 bits, are 500",
    "400; the number is clamped",
    "it is the client's fault",
    |d| d.path.starts_with("/api/v1/media") && !d.query.is_empty() && d.method == "GET"
        && d.topic.starts_with("list") && d.changes("status", "500", &["400", "200"]);

    "`apps` without a name lists nothing",
    "400",
    "a list of none is a mistake",
    |d| d.query.contains("apps=,") && d.changes("status", "200", &["400"]);

    "the type in `mimeType` is the one with `;charset=utf-8`, and SVG is an image",
    "it is the one that is stored",
    "as the rows above have it",
    |d| d.topic == "list-all" && d.query.contains("mimeType=");

    "`dateTo` with the date of a record excludes it",
    "it includes it",
    "dates count as they are shown",
    |d| d.topic == "list-all" && d.query.contains("dateTo=");

    "`stats` is 500",
    "`{\"count\",\"bytes\"}` of the user",
    "the route works",
    |d| d.path.ends_with("/stats") && d.changes("status", "500", &["200", "400"]);

    "what is no UUID is 500; a UUID has several spellings",
    "404",
    "an id has one spelling (promise G10)",
    |d| d.field == "status" && d.is == "404" && (d.was == "500" || d.name_has("uuid"));

    "a method that a route does not have is 404, or 500 where the path is taken for an id",
    "405",
    "RFC 9110, section 15.5.6",
    |d| d.field == "status" && d.is == "405" && d.method != "OPTIONS";

    "`OPTIONS` is answered for everybody, and every origin allowed",
    "405 or 404; CORS is for the application to add",
    "callers are servers",
    |d| d.method == "OPTIONS";

    "an unknown route is `404 Not Found` as text",
    "JSON below `/api/v1/media`, and empty elsewhere",
    "like every other error",
    |d| (d.field == "type" || d.field == "bytes") && (d.was == "13" || d.was.starts_with("text/plain"))
        && d.is.parse::<usize>().is_ok_and(|is| is == 0 || is == 21) | d.is.contains("json") | d.is.is_empty();

    "`HEAD` says that there are 0 bytes",
    "the length that `GET` has",
    "RFC 9110, section 9.3.2",
    |d| d.method == "HEAD" && d.field == "length";

    "`Range`, `If-None-Match` and `If-Modified-Since` are ignored",
    "206, 304 and 416",
    "RFC 9110, sections 13 and 14",
    |d| d.changes("status", "200", &["206", "304", "416"]);

    "a variant that does not exist, or has another name, is the original",
    "a small picture is made anew; what is no picture, and any other name, is 404",
    "an original is never sent for a rendition (promise P5)",
    |d| d.topic == "file" && d.path.contains("/file/")
        && (d.changes("status", "200", &["404"]) || d.field == "type" || d.was.starts_with("JPEG"));

    "`thumb` enlarges small pictures to 200x200",
    "it is never larger than the picture",
    "nothing is gained",
    |d| d.field == "picture" && d.was == "WEBP 200x200";

    "photographs lie on their side, and `metadata` has their sides as they lie",
    "renditions and sides are upright",
    "the orientation is applied (promise P6)",
    |d| (d.field == "picture" || d.in_record("metadata")) && d.name_has("orientation");

    "an unknown `format` gives the format of the input, or 500",
    "400",
    "an answer is what was asked for",
    |d| d.topic == "transform" && d.query.contains("format=") && d.is == "400"
        && (d.was == "200" || d.query.contains("toString"));

    "a bad `w`, `h`, `fit` or `q` is 500, and so is 0 for one side",
    "400; 0 leaves that side free",
    "it is the client's fault",
    |d| d.topic == "transform" && d.was == "500" && (d.is == "400" || d.is == "200")
        && !d.is_of_no_picture();

    "a picture that is broken or of a kind that cannot be decoded is 500",
    "422, and 400 if it is none at all",
    "it is no fault of the server",
    |d| d.topic == "transform" && d.was == "500" && (d.is == "422" || d.is == "400");

    "`health` names another service",
    "`\"service\":\"tower-media\"`",
    "it is another",
    |d| d.topic == "health" && (d.field == "service" || d.field == "timestamp");
};

impl Difference {
    fn is_upload(&self) -> bool {
        self.method == "POST" && self.path == "/api/v1/media/upload"
    }

    fn name_has(&self, word: &str) -> bool {
        self.name.to_lowercase().contains(word)
    }

    /// Where in a record, in a list or alone.
    fn leaf(&self) -> &str {
        self.field.rsplit("].").next().unwrap()
    }

    fn field_is(&self, field: &str) -> bool {
        self.leaf() == field
    }

    fn in_record(&self, part: &str) -> bool {
        self.leaf().starts_with(part)
    }

    fn changes(&self, field: &str, was: &str, is: &[&str]) -> bool {
        self.leaf() == field && self.was == was && is.contains(&self.is.as_str())
    }

    fn names_user(&self) -> bool {
        self.query.contains("userId=") && !self.query.contains("userId=&")
    }

    /// Transforms of files that cannot be decoded, with parameters that are good.
    fn is_of_no_picture(&self) -> bool {
        self.query == "format=png&w=1024&h=1024&fit=inside" || self.query == "w=100&format=jpeg"
    }
}
