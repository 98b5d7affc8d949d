//! The multipart form of an upload, with its parts in any order.

use axum::http::StatusCode;
use futures_util::TryStreamExt as _;
use mime::Mime;

use super::{UploadLimits, compatibility::Compatibility, error::ServiceError};
use crate::{
    error::Error,
    extract::{Part, Reader},
    media::Upload,
    owner::Owner,
    routes::{spooled_file::SpooledFile, upload::UploadRejection},
};

/// The greatest number of parts of a form.
const MAX_PARTS: usize = 64;

/// The greatest size of a text part in bytes.
const MAX_TEXT: usize = 4 << 10;

/// A complete form. The last of several parts with the same name counts.
#[derive(Debug, Default)]
pub(super) struct Form {
    file: Option<ReceivedFile>,
    app: Option<String>,
    user_id: Option<String>,
    skip_processing: bool,
}

#[derive(Debug)]
struct ReceivedFile {
    content: SpooledFile,
    name: Option<String>,
    content_type: Option<Mime>,
}

impl Form {
    /// Reads a form to its end. Nothing is stored before, so an incomplete form leaves nothing.
    pub(super) async fn read(
        mut reader: Reader,
        limits: &UploadLimits,
    ) -> Result<Self, ServiceError> {
        let mut form = Self::default();
        let mut count = 0;
        while let Some(part) = reader.next().await.map_err(|error| limits.form_error(error))? {
            count += 1;
            if count > MAX_PARTS {
                return Err(ServiceError::bad_request("The form has too many parts"));
            }
            form.add(part, limits).await?;
        }
        Ok(form)
    }

    async fn add(&mut self, mut part: Part, limits: &UploadLimits) -> Result<(), ServiceError> {
        let disposition = part.disposition();
        match (disposition.name().unwrap_or_default(), disposition.is_file()) {
            ("file", true) => {
                // A browser sends a file without name and bytes for a file input without a file.
                let is_unnamed = disposition.is_unnamed_file();
                let is_absent = is_unnamed
                    && part.is_empty().await.map_err(|error| limits.form_error(error))?;
                if !is_absent {
                    self.file = Some(receive(part, limits).await?);
                }
            }
            (name @ ("app" | "userId" | "skipProcessing"), false) => {
                let name = name.to_owned();
                let value = text(part, limits).await?;
                match name.as_str() {
                    "app" => self.app = Some(value),
                    "userId" => self.user_id = Some(value),
                    _ => self.skip_processing = value == "true",
                }
            }
            // The next read skips an unknown part.
            _ => {}
        }
        Ok(())
    }

    /// Returns the upload and its owner.
    pub(super) async fn into_upload(
        self,
        compatibility: Compatibility,
    ) -> Result<(Owner, Upload), ServiceError> {
        let file = self.file.ok_or_else(no_file)?;
        let not_empty = |text: Option<String>| text.filter(|text| !text.is_empty());
        let (user_id, app) = (not_empty(self.user_id), not_empty(self.app));
        let owner = compatibility.owner(user_id.as_deref(), app.as_deref())?;
        let app = app.ok_or_else(|| ServiceError::bad_request("app is required"))?;
        let hint = declared_type(file.content_type, file.name.as_deref());
        let mut upload = file.content.into_upload().await?.scope(app.as_str()).content_type(hint);
        if let Some(name) = file.name {
            upload = upload.file_name(name);
        }
        Ok((owner, if self.skip_processing { upload.skip_processing() } else { upload }))
    }
}

pub(super) fn no_file() -> ServiceError {
    ServiceError::bad_request("No file provided")
}

async fn receive(mut part: Part, limits: &UploadLimits) -> Result<ReceivedFile, ServiceError> {
    let name = part.disposition().file_name().map(str::to_owned);
    let content_type = part.content_type().cloned();
    let mut content = SpooledFile::new(limits.spool.clone());
    while let Some(chunk) = part.try_next().await.map_err(|error| limits.form_error(error))? {
        content.write(&chunk).await?;
        if content.size() > limits.max_bytes {
            return Err(limits.too_large());
        }
    }
    Ok(ReceivedFile { content, name, content_type })
}

async fn text(mut part: Part, limits: &UploadLimits) -> Result<String, ServiceError> {
    let mut bytes = Vec::new();
    while let Some(chunk) = part.try_next().await.map_err(|error| limits.form_error(error))? {
        bytes.extend_from_slice(&chunk);
        if bytes.len() > MAX_TEXT {
            return Err(ServiceError::bad_request("A part of the form is too long"));
        }
    }
    String::from_utf8(bytes)
        .map_err(|_| ServiceError::bad_request("A part of the form is not UTF-8"))
}

/// Returns the type by the extension of the file name, as the original service does, or else the type that
/// the client declares. Magic bytes override both (promise P4).
fn declared_type(declared: Option<Mime>, name: Option<&str>) -> String {
    let guessed = mime_guess::from_path(name.unwrap_or_default()).first();
    // The declared type may have parameters, such as the charset of a text.
    let hint = match (guessed, declared) {
        (Some(guessed), Some(declared)) if guessed.essence_str() == declared.essence_str() => {
            declared
        }
        (Some(guessed), _) => guessed,
        (None, declared) => declared.unwrap_or(mime::APPLICATION_OCTET_STREAM),
    };
    hint.to_string()
}

impl UploadLimits {
    /// Returns the protocol's error for a file that is too large.
    pub(super) fn too_large(&self) -> ServiceError {
        ServiceError::bad_request(format!("File too large (max {}MB)", self.max_bytes >> 20))
    }

    /// Converts an error of reading the form.
    fn form_error(&self, error: Error) -> ServiceError {
        match UploadRejection::from_form_error(error) {
            UploadRejection::TooLarge(_) => self.too_large(),
            UploadRejection::TooSlow => {
                ServiceError::new(StatusCode::REQUEST_TIMEOUT, "The upload was too slow")
            }
            UploadRejection::Failed(error) => Error::shared(error).into(),
            _ => ServiceError::bad_request("The form is malformed or incomplete"),
        }
    }
}
