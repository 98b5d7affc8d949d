//! The form of an upload, whose parts may come in any order.

use axum::http::StatusCode;
use futures_util::TryStreamExt as _;
use mime::Mime;

use super::{Limits, query, refusal::Refusal, spool::Spool};
use crate::{
    error::Error,
    extract::{Part, Reader, is_file},
    media::Upload,
    owner::Owner,
    routes::upload::UploadRejection,
};

/// The most parts that a form has.
const MAX_PARTS: usize = 64;

/// The most bytes of a part that is no file.
const MAX_TEXT: usize = 4 << 10;

/// A form that has been read to its end. Of parts with the same name the last counts.
#[derive(Debug, Default)]
pub(super) struct Form {
    file: Option<Received>,
    app: Option<String>,
    user_id: Option<String>,
    skips_processing: bool,
}

#[derive(Debug)]
struct Received {
    bytes: Spool,
    name: Option<String>,
    content_type: Option<Mime>,
}

impl Form {
    /// Reads all of it. Nothing is stored before that, so a form that breaks off leaves nothing.
    pub(super) async fn read(mut reader: Reader, limits: &Limits) -> Result<Self, Refusal> {
        let mut form = Self::default();
        let mut count = 0;
        while let Some(part) = reader.next().await.map_err(|error| limits.refuse(error))? {
            count += 1;
            if count > MAX_PARTS {
                return Err(Refusal::bad_request("The form has too many parts"));
            }
            form.take(part, limits).await?;
        }
        Ok(form)
    }

    async fn take(&mut self, part: Part, limits: &Limits) -> Result<(), Refusal> {
        let head = part.head().expect("nothing of it has been read");
        match (head.name().unwrap_or_default(), is_file(head)) {
            ("file", true) => self.file = Some(receive(part, limits).await?),
            (name @ ("app" | "userId" | "skipProcessing"), false) => {
                let name = name.to_owned();
                let value = text(part, limits).await?;
                match name.as_str() {
                    "app" => self.app = Some(value),
                    "userId" => self.user_id = Some(value),
                    _ => self.skips_processing = value == "true",
                }
            }
            // What nobody asks for is passed over when the next part is read.
            _ => {}
        }
        Ok(())
    }

    /// What is to be stored, and for whom.
    pub(super) async fn into_upload(self) -> Result<(Owner, Upload), Refusal> {
        let file = self.file.ok_or_else(no_file)?;
        let given = |text: Option<String>| text.filter(|text| !text.is_empty());
        let owner = query::owner(given(self.user_id).as_deref())?;
        let app = given(self.app).ok_or_else(|| Refusal::bad_request("app is required"))?;
        let hint = type_of(file.content_type, file.name.as_deref());
        let mut upload = file.bytes.into_upload().await?.scope(app.as_str()).content_type(hint);
        if let Some(name) = file.name {
            upload = upload.file_name(name);
        }
        Ok((owner, if self.skips_processing { upload.skip_processing() } else { upload }))
    }
}

pub(super) fn no_file() -> Refusal {
    Refusal::bad_request("No file provided")
}

async fn receive(mut part: Part, limits: &Limits) -> Result<Received, Refusal> {
    let head = part.head().expect("nothing of it has been read");
    let name = head.file_name().map(str::to_owned);
    let content_type = head.content_type().cloned();
    let mut bytes = Spool::new(limits.spool.clone());
    while let Some(piece) = part.try_next().await.map_err(|error| limits.refuse(error))? {
        bytes.write(&piece).await?;
        if bytes.size() > limits.max_bytes {
            return Err(limits.too_large());
        }
    }
    Ok(Received { bytes, name, content_type })
}

async fn text(mut part: Part, limits: &Limits) -> Result<String, Refusal> {
    let mut bytes = Vec::new();
    while let Some(piece) = part.try_next().await.map_err(|error| limits.refuse(error))? {
        bytes.extend_from_slice(&piece);
        if bytes.len() > MAX_TEXT {
            return Err(Refusal::bad_request("A part of the form is too long"));
        }
    }
    String::from_utf8(bytes).map_err(|_| Refusal::bad_request("A part of the form is not UTF-8"))
}

/// What the end of the file's name says it is, as with the recorded service, else what the client says.
/// The bytes decide (promise P4).
fn type_of(said: Option<Mime>, name: Option<&str>) -> String {
    let guessed = mime_guess::from_path(name.unwrap_or_default()).first();
    // Of the same type the client may know more, such as the encoding of a text.
    let hint = match (guessed, said) {
        (Some(guessed), Some(said)) if guessed.essence_str() == said.essence_str() => said,
        (Some(guessed), _) => guessed,
        (None, said) => said.unwrap_or(mime::APPLICATION_OCTET_STREAM),
    };
    hint.to_string()
}

impl Limits {
    /// What the protocol says of a file that is too large.
    pub(super) fn too_large(&self) -> Refusal {
        Refusal::bad_request(format!("File too large (max {}MB)", self.max_bytes >> 20))
    }

    /// Why a form could not be read.
    fn refuse(&self, error: Error) -> Refusal {
        match UploadRejection::of_form(error) {
            UploadRejection::TooLarge(_) => self.too_large(),
            UploadRejection::TooSlow => {
                Refusal::new(StatusCode::REQUEST_TIMEOUT, "The upload came too slowly")
            }
            UploadRejection::Failed(error) => Error::shared(error).into(),
            _ => Refusal::bad_request("The form cannot be read"),
        }
    }
}
