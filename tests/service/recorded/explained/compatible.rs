//! Differences that remain with `ServiceRoutes::compatible`, in place of those without it.

use super::Explained;

pub const ROWS: &[Explained] = explained! {
    "`medium` and `large` of a smaller image are the original",
    "the image is re-encoded in the same format",
    "an original is never sent in place of a rendition (promise P5)",
    |d| d.topic == "file" && d.is("bytes", "*", "*")
        && (d.path.ends_with("/file/medium") || d.path.ends_with("/file/large"));

    "a list by `app` without `userId` has the media of all users in the app",
    "it has the media that was uploaded without `userId`",
    "it reveals nothing of users",
    |d| d.path == "/api/v1/media" && !d.names_user() && d.query.contains("app=") && d.is("order", "*", "");
};
