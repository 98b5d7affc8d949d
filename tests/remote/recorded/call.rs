//! Maps recorded requests to calls of this crate.

use std::{collections::BTreeMap, time::SystemTime};

use tower_media::{
    MediaId, Owner, Rendition, Scope, Scopes,
    media::{
        ByteRange, ContentHash, DownloadOptions, Fit, Format, SearchOptions, SortBy, Transform,
        Variant,
    },
};

use crate::wire::{Asked, unescaped};

#[derive(Debug)]
pub enum Call {
    Health,
    Get(MediaId),
    ByHash(ContentHash),
    Download(MediaId, DownloadOptions),
    Delete(MediaId),
    /// An ownership query through a list with this limit.
    Owned(Owner, Scopes, usize),
    SearchOptions(Owner, SearchOptions),
    Upload {
        owner: Owner,
        scope: Scope,
        file_name: String,
        length: usize,
        streamed: bool,
        skips_processing: bool,
    },
}

/// The call that makes this request, if any.
pub fn call(asked: &Asked) -> Option<Call> {
    if !asked.headers.is_empty() || asked.raw {
        return None;
    }
    let query = query(asked)?;
    let path = unescaped(&asked.path);
    if path == "/health" {
        return (asked.method == "GET").then_some(Call::Health);
    }
    let rest = path.strip_prefix("/api/v1/media")?;
    let segments: Vec<&str> = rest.split('/').skip(1).collect();
    match (asked.method.as_str(), segments.as_slice()) {
        ("GET", []) => owned(&query),
        ("GET", ["list", "all"]) => list_all(&query),
        ("GET", ["hash", hash]) => Some(Call::ByHash(hash.parse().ok()?)),
        ("GET", [id, "transform"]) => {
            Some(Call::Download(media_id(id)?, transform(&query)?.into()))
        }
        ("POST", ["upload"]) => upload(asked),
        (_, _) if !query.is_empty() => None,
        ("GET", [id]) => Some(Call::Get(media_id(id)?)),
        ("GET", [id, "file"]) => {
            let mut options = DownloadOptions::new(Rendition::Original);
            if let Some(range) = &asked.range {
                options = options.with_range(byte_range(range)?);
            }
            Some(Call::Download(media_id(id)?, options))
        }
        ("GET", [id, "file", name]) => {
            let variant = Variant::ALL.into_iter().find(|variant| variant.as_str() == *name)?;
            Some(Call::Download(media_id(id)?, variant.into()))
        }
        ("DELETE", [id]) => Some(Call::Delete(media_id(id)?)),
        _ => None,
    }
}

/// The parameters, unless one is repeated.
fn query(asked: &Asked) -> Option<BTreeMap<String, String>> {
    let mut query = BTreeMap::new();
    for (name, value) in form_urlencoded::parse(asked.query.as_deref().unwrap_or("").as_bytes()) {
        if query.insert(name.into_owned(), value.into_owned()).is_some() {
            return None;
        }
    }
    Some(query)
}

/// An id that is sent. UUIDs in another spelling are not.
fn media_id(text: &str) -> Option<MediaId> {
    let uuid = uuid::Uuid::parse_str(text);
    let canonical = uuid.is_ok_and(|uuid| uuid.to_string() == text);
    if canonical || uuid::Uuid::parse_str(text).is_err() {
        MediaId::from_trusted(text).ok()
    } else {
        None
    }
}

/// A number in our spelling.
fn number<T: std::str::FromStr + ToString>(text: &str) -> Option<T> {
    text.parse().ok().filter(|number: &T| number.to_string() == text)
}

fn byte_range(text: &str) -> Option<ByteRange> {
    Some(match text.strip_prefix("bytes=")?.split_once('-')? {
        ("", count) => ByteRange::Suffix(number(count)?),
        (first, "") => ByteRange::Offset(number(first)?),
        (first, last) => (number(first)?..=number(last)?).into(),
    })
}

fn owned(query: &BTreeMap<String, String>) -> Option<Call> {
    let (mut owner, mut scopes, mut limit) = (None, Scopes::any(), 50);
    for (name, value) in query {
        match name.as_str() {
            "userId" => owner = Some(Owner::new(value).ok()?),
            "app" => scopes = Scopes::of([value.as_str()]).ok()?,
            // The first limit is at most 500.
            "limit" => limit = number(value).filter(|limit| (1..=500).contains(limit))?,
            _ => return None,
        }
    }
    Some(Call::Owned(owner?, scopes, limit))
}

fn list_all(query: &BTreeMap<String, String>) -> Option<Call> {
    let mut owner = None;
    let mut list = SearchOptions::new();
    let mut sort_by = SortBy::CreatedAt;
    let mut ascending = false;
    for (name, value) in query {
        list = match name.as_str() {
            "userId" => {
                owner = Some(Owner::new(value).ok()?);
                list
            }
            "apps" => {
                let names: Vec<&str> = value.split(',').collect();
                list.with_scopes(Scopes::of(names).ok()?)
            }
            "mimeType" => list.with_mime_type(value),
            "dateFrom" => list.with_from(time(value)?),
            "dateTo" => list.with_to(time(value)?),
            "hasLocation" if value == "true" => list.with_location(),
            "limit" => list.with_limit(number(value).filter(|limit| (1..=500).contains(limit))?),
            "offset" => list.with_offset(number(value)?),
            "sortBy" => {
                sort_by = match value.as_str() {
                    "createdAt" => SortBy::CreatedAt,
                    "dateTaken" => SortBy::DateTaken,
                    "size" => SortBy::Size,
                    _ => return None,
                };
                list
            }
            "sortOrder" => {
                ascending = match value.as_str() {
                    "asc" => true,
                    "desc" => false,
                    _ => return None,
                };
                list
            }
            _ => return None,
        };
    }
    Some(Call::SearchOptions(owner?, list.with_sort(sort_by, ascending)))
}

fn time(text: &str) -> Option<SystemTime> {
    let time: jiff::Timestamp = text.parse().ok()?;
    (format!("{time:.3}") == text).then(|| time.into())
}

fn transform(query: &BTreeMap<String, String>) -> Option<Transform> {
    let mut transform = Transform::new();
    for (name, value) in query {
        let side = || number(value).filter(|side| (1..=16_384).contains(side));
        transform = match name.as_str() {
            "w" => transform.with_width(side()?),
            "h" => transform.with_height(side()?),
            "q" => transform.with_quality(number(value).filter(|q| (1..=100).contains(q))?),
            "fit" => {
                let fits = [Fit::Inside, Fit::Cover, Fit::Contain, Fit::Fill, Fit::Outside];
                transform.with_fit(fits.into_iter().find(|fit| fit.as_str() == value)?)
            }
            "format" => {
                let formats = [Format::WebP, Format::Jpeg, Format::Png, Format::Avif];
                transform.with_format(formats.into_iter().find(|f| f.as_str() == value)?)
            }
            _ => return None,
        };
    }
    Some(transform)
}

fn upload(asked: &Asked) -> Option<Call> {
    let parts = asked.form.as_ref()?;
    let text = |name: &str| parts.iter().find(|part| part.name == name)?.value.clone();
    let file = parts.iter().find(|part| part.name == "file")?;
    let file_name = file.filename.clone().filter(|name| is_sent(name))?;
    let skips_processing = text("skipProcessing").as_deref() == Some("true");
    if parts.len() != 3 + usize::from(skips_processing) || file.by_hand {
        return None;
    }
    Some(Call::Upload {
        owner: Owner::new(text("userId")?).ok()?,
        scope: Scope::new(text("app")?).ok()?,
        file_name,
        // An upload that is too large need not be sent in full to be rejected.
        length: file.length.min(1 << 16),
        streamed: asked.chunked,
        skips_processing,
    })
}

/// Whether a file name is sent unchanged.
fn is_sent(name: &str) -> bool {
    name.len() <= 255
        && name.bytes().all(|b| matches!(b, b' '..=b'~') && !br#"/\"%"#.contains(&b))
        && name.trim() == name
        && !name.is_empty()
}
