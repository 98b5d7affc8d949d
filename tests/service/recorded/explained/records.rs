//! What a record says of a file, and how the file is delivered.

use super::Explained;
use crate::recorded::difference::Difference;

/// What the record of a picture has when variants can be made of it.
const MADE: [&str; 3] = ["metadata.*", "exif.*", "urls.*"];

/// The files of which the bytes begin like a picture and are none, or are beyond the limits of decoders.
const BROKEN: [&str; 5] =
    ["garbage.jpg", "truncated-header.jpg", "wide-17000x8.png", "bomb-17000x17000.png", "a.heic"];

/// The files of a JPEG that ends half way.
const CUT_JPEGS: [&str; 2] = ["truncated-half.jpg", "truncated-list.jpg"];

/// Whether a sorted list differs by the cut JPEG alone: one more in the total, or its id in the page.
fn counts_the_cut_jpeg(d: &Difference) -> bool {
    // A row of its own is about the end of a range of dates.
    if d.query.contains("dateTo") {
        return false;
    }
    if d.leaf() == "total" {
        let number = |text: &str| text.parse::<u64>().ok();
        return number(&d.is) == number(&d.was).map(|was| was + 1);
    }
    let was: Vec<&str> = d.was.split(' ').collect();
    let (known, new): (Vec<&str>, Vec<&str>) = d.is.split(' ').partition(|id| was.contains(id));
    // A full page loses its last item to the one that is in it now.
    d.leaf() == "items.order"
        && new.len() == 1
        && was.len() - known.len() <= 1
        && was.starts_with(&known)
}

pub const ROWS: &[Explained] = explained! {
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

    "a JPEG that is cut half way is `failed`, and its renditions are 500",
    "it is `ready`, counts in sorted lists, and shows the rows that are there",
    "browsers show it as well (promise P18)",
    |d| (CUT_JPEGS.iter().any(|file| d.is_of(file)) || d.at("get", &[18]) || d.at("transitions", &[14, 15, 16]))
        && (d.is("status", "\"failed\"", "\"ready\"") || d.adds("urls.*")
            || d.is("status", "500", "200") || d.is("bytes", "7587", "606"))
        || (d.topic == "list-all" || d.at("transitions", &[18])) && counts_the_cut_jpeg(d);

    "a PNG that is cut off half way is `failed`",
    "it is `ready`, and shows the rows that are there",
    "browsers show it as well (promise P18)",
    |d| d.is_of("truncated.png")
        && (d.is("status", "\"failed\"", "\"ready\"") || d.adds("urls.*"));

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
    "it is kept as it is; without the feature `heic` there are no renditions",
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
    "it is kept and delivered; without the feature `avif` to transform it, or into it, is 422",
    "not everybody needs it, and it is much to compile",
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

    "file names may be paths",
    "the last part stays; a backslash before a quote is read as RFC 7578 has it",
    "a name is for display (promise P9)",
    |d| ["passwd", "name.txt", "name", "a\\\"b.pdf"].iter()
        .any(|name| d.is("originalName", "*", &format!("\"{name}\"")));

    "the name of an empty file is null",
    "it has its name",
    "it was given one",
    |d| d.is("originalName", "null", "\"empty.bin\"");

    "a name beyond ASCII is 500, one in `filename*`, without quotes or with `FILENAME` in capitals 400",
    "it is taken; of a name that cannot be read the file has none",
    "these are file names",
    |d| d.at("upload", &[80, 81]) && d.is("status", "500", "201")
        || d.at("upload-types", &[48, 50, 51, 57]) && d.is("status", "400", "201");

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
};

/// Whether it is about a file that was uploaded with `skipProcessing`.
fn skips(d: &Difference) -> bool {
    d.at("setup-delivery", &[39, 78]) || d.at("upload", &[12, 13, 14, 15]) || d.at("file", &[58])
}
