//! The name and the file name of a part, from its `Content-Disposition` (RFC 7578, RFC 2231).
//!
//! multer finds `filename=` inside of a quoted value, and does not read `filename*`.

use axum::http::HeaderMap;
use axum::http::header::CONTENT_DISPOSITION;
use percent_encoding::percent_decode;

#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct ContentDisposition {
    name: Option<String>,
    file_name: Option<String>,
    is_file: bool,
}

impl ContentDisposition {
    /// Parses the header. The first of repeated parameters counts, and `filename` comes before `filename*`:
    /// RFC 7578 forbids the latter, but some clients send nothing else.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let Some(header) = headers.get(CONTENT_DISPOSITION) else { return Self::default() };
        let (mut name, mut file_name, mut extended) = (None, None, None);
        for (key, value) in parameters(header.as_bytes()) {
            match &*key.to_ascii_lowercase() {
                b"name" => name = name.or(Some(value)),
                b"filename" => file_name = file_name.or(Some(value)),
                b"filename*" => extended = extended.or(Some(value)),
                _ => {}
            }
        }
        let text = |value: Vec<u8>| String::from_utf8(value).ok();
        Self {
            // A file whose name cannot be decoded is still a file. As a text field it would be ignored.
            is_file: file_name.is_some() || extended.is_some(),
            name: name.and_then(text),
            file_name: file_name.and_then(text).or_else(|| decode_extended(&extended?)),
        }
    }

    /// Returns the name of the form field, or `None` if it is missing or not UTF-8.
    pub(crate) fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Returns the file name, or `None` if it is missing or not UTF-8.
    pub(crate) fn file_name(&self) -> Option<&str> {
        self.file_name.as_deref()
    }

    /// Returns whether the part has a file name, including one that cannot be decoded.
    pub(crate) fn is_file(&self) -> bool {
        self.is_file
    }

    /// Returns whether a file has an empty name. Without a byte it is then the file input of a browser in
    /// which no file was chosen (HTML, "constructing the entry list").
    pub(crate) fn is_unnamed_file(&self) -> bool {
        self.is_file && self.file_name() == Some("")
    }
}

/// Splits a header into its parameters. A semicolon in a quoted value does not separate.
fn parameters(header: &[u8]) -> Vec<(&[u8], Vec<u8>)> {
    let mut parameters = Vec::new();
    let mut rest = after(header, b';');
    while !rest.is_empty() {
        let end = rest.iter().position(|byte| matches!(byte, b'=' | b';')).unwrap_or(rest.len());
        let (key, tail) = (rest[..end].trim_ascii(), &rest[end..]);
        let Some(value) = tail.strip_prefix(b"=") else {
            // `filename` without a value still makes the part a file.
            parameters.push((key, Vec::new()));
            rest = after(tail, b';');
            continue;
        };
        match value.trim_ascii_start().strip_prefix(b"\"") {
            Some(quoted) => {
                let (value, tail) = unquote(quoted);
                parameters.push((key, value));
                rest = after(tail, b';');
            }
            None => {
                let end = value.iter().position(|byte| *byte == b';').unwrap_or(value.len());
                parameters.push((key, value[..end].trim_ascii().to_vec()));
                rest = after(&value[end..], b';');
            }
        }
    }
    parameters
}

/// Returns the bytes after the first `byte`.
fn after(text: &[u8], byte: u8) -> &[u8] {
    let position = text.iter().position(|found| *found == byte);
    position.map_or(&[], |position| &text[position + 1..])
}

/// Reads a quoted value to its end. Only `\"` is an escape: old browsers send `\` in paths.
fn unquote(text: &[u8]) -> (Vec<u8>, &[u8]) {
    let mut value = Vec::new();
    let mut bytes = text;
    while let Some((first, rest)) = bytes.split_first() {
        bytes = rest;
        match (first, rest.first()) {
            (b'"', _) => break,
            (b'\\', Some(b'"')) => {
                value.push(b'"');
                bytes = &rest[1..];
            }
            (byte, _) => value.push(*byte),
        }
    }
    (value, bytes)
}

/// Decodes an extended value such as `UTF-8''%E6%97%A5.png` (RFC 8187). Other charsets are not decoded.
fn decode_extended(value: &[u8]) -> Option<String> {
    let mut parts = value.splitn(3, |byte| *byte == b'\'');
    let (charset, _language, text) = (parts.next()?, parts.next()?, parts.next()?);
    if !charset.eq_ignore_ascii_case(b"utf-8") {
        return None;
    }
    percent_decode(text).decode_utf8().ok().map(Into::into)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(value: &[u8]) -> ContentDisposition {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_DISPOSITION, value.try_into().expect("a header's value"));
        ContentDisposition::of(&headers)
    }

    #[test]
    fn names_are_read_as_browsers_and_clients_write_them() {
        for (value, name, file_name) in [
            (r#"form-data; name="a""#, Some("a"), None),
            (r#"form-data; name="a"; filename="b.png""#, Some("a"), Some("b.png")),
            ("form-data; name=a; filename=b.png", Some("a"), Some("b.png")),
            ("form-data;NAME = a ;FileName = b.png ", Some("a"), Some("b.png")),
            (r#"form-data; name="a"; filename="""#, Some("a"), Some("")),
            (r#"form-data; name="a;b"; filename="c;d=e""#, Some("a;b"), Some("c;d=e")),
            (r#"form-data; name="a"; filename="b\"c""#, Some("a"), Some("b\"c")),
            (r#"form-data; name="a"; filename="C:\b.png""#, Some("a"), Some(r"C:\b.png")),
            ("form-data; name=\"ä\"; filename=\"日本\"", Some("ä"), Some("日本")),
            ("form-data; filename*=UTF-8''%E6%97%A5.png", None, Some("日.png")),
            ("form-data; filename*=utf-8'en'a%27b", None, Some("a'b")),
            ("form-data; filename*=UTF-8''x; filename=y", None, Some("y")),
            (r#"form-data; name="a"; name="b""#, Some("a"), None),
            (r#"form-data; name="caption"; note="a; filename=b""#, Some("caption"), None),
            (r#"form-data; name="a; filename=b"#, Some("a; filename=b"), None),
            ("form-data", None, None),
            ("", None, None),
        ] {
            let parsed = parse(value.as_bytes());
            assert_eq!((parsed.name(), parsed.file_name()), (name, file_name), "{value}");
            assert_eq!(parsed.is_file(), file_name.is_some(), "{value}");
        }
    }

    #[test]
    fn an_unreadable_file_name_still_makes_a_file() {
        for value in [
            &b"form-data; name=\"a\"; filename=\"\xff\""[..],
            b"form-data; name=\"a\"; filename*=iso-8859-1''%E4",
            b"form-data; name=\"a\"; filename*=UTF-8''%FF",
            b"form-data; name=\"a\"; filename*=x",
            b"form-data; name=\"a\"; filename",
        ] {
            let parsed = parse(value);
            assert!(parsed.is_file(), "{parsed:?}");
            assert_eq!(parsed.name(), Some("a"));
        }
    }
}
