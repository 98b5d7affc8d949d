//! What a camera wrote into a file, in the texts of the media protocol.

use std::io::{BufRead, Seek};

use exif::{In, Reader, Tag, Value};
use image::metadata::Orientation;
use jiff::{civil::DateTime, fmt::strtime, tz::TimeZone};

use crate::media::Exif;

/// More than this of a text is not kept, in bytes: a record is no place for a novel.
const MAX_TEXT: usize = 255;

/// Reads the orientation and what is known of the camera. What cannot be read is unknown: a picture
/// is shown all the same.
pub(super) fn read(input: &mut (impl BufRead + Seek)) -> (Orientation, Option<Exif>) {
    let found = Reader::new()
        .continue_on_error(true)
        .read_from_container(input)
        .or_else(|error| error.distill_partial_result(|_| {}));
    let Ok(found) = found else { return (Orientation::NoTransforms, None) };
    let found = Tags(&found);
    let orientation = found
        .number(Tag::Orientation)
        .and_then(|number| Orientation::from_exif(u8::try_from(number).ok()?))
        .unwrap_or(Orientation::NoTransforms);
    let known = Some(found.known()).filter(|known| *known != Exif::default());
    (orientation, known)
}

/// Parses EXIF data from its TIFF header on.
#[cfg(any(feature = "heic", feature = "avif"))]
pub(super) fn parse(bytes: Vec<u8>) -> Option<Exif> {
    let found = Reader::new()
        .continue_on_error(true)
        .read_raw(bytes)
        .or_else(|error| error.distill_partial_result(|_| {}));
    Some(Tags(&found.ok()?).known()).filter(|known| *known != Exif::default())
}

struct Tags<'a>(&'a exif::Exif);

impl Tags<'_> {
    fn known(&self) -> Exif {
        let (gps_latitude, gps_longitude) = self.place().unzip();
        Exif {
            camera_make: self.text(Tag::Make),
            camera_model: self.text(Tag::Model),
            date_taken: self
                .date(Tag::DateTimeOriginal, Tag::OffsetTimeOriginal, Tag::SubSecTimeOriginal)
                .or_else(|| {
                    self.date(
                        Tag::DateTimeDigitized,
                        Tag::OffsetTimeDigitized,
                        Tag::SubSecTimeDigitized,
                    )
                }),
            focal_length: self.positive(Tag::FocalLength).map(|length| format!("{length}mm")),
            aperture: self.positive(Tag::FNumber).map(|number| number.to_string()),
            iso: self.number(Tag::PhotographicSensitivity).filter(|iso| *iso != 0),
            exposure_time: self.positive(Tag::ExposureTime).map(exposure),
            gps_latitude,
            gps_longitude,
        }
    }

    fn value(&self, tag: Tag) -> Option<&Value> {
        self.0.get_field(tag, In::PRIMARY).map(|field| &field.value)
    }

    fn number(&self, tag: Tag) -> Option<u32> {
        self.value(tag)?.get_uint(0)
    }

    /// The text up to the first NUL, which ends it.
    fn text(&self, tag: Tag) -> Option<String> {
        let Value::Ascii(parts) = self.value(tag)? else { return None };
        let text = String::from_utf8_lossy(parts.first()?);
        let mut text = text.trim().to_owned();
        text.truncate(text.floor_char_boundary(MAX_TEXT));
        (!text.is_empty()).then_some(text)
    }

    fn rationals(&self, tag: Tag) -> Option<Vec<f64>> {
        let Value::Rational(values) = self.value(tag)? else { return None };
        Some(values.iter().map(|value| value.to_f64()).collect())
    }

    fn positive(&self, tag: Tag) -> Option<f64> {
        let value = *self.rationals(tag)?.first()?;
        (value.is_finite() && value > 0.0).then_some(value)
    }

    /// A date that exists, in UTC with milliseconds. Without an offset of its own it is taken for
    /// UTC: what zone the camera was in cannot be known, and the server's has nothing to do with it.
    fn date(&self, date: Tag, offset: Tag, fraction: Tag) -> Option<String> {
        let text = self.text(date)?;
        let local = ["%Y:%m:%d %H:%M:%S", "%Y-%m-%d %H:%M:%S"]
            .iter()
            .find_map(|format| DateTime::strptime(format, &text).ok())
            .filter(|local| local.year() > 0)?;
        let zone = self
            .text(offset)
            .and_then(|offset| strtime::parse("%:z", offset).ok()?.offset())
            .map_or(TimeZone::UTC, TimeZone::fixed);
        let millis = self.text(fraction).and_then(|digits| milliseconds(&digits)).unwrap_or(0);
        let local = local.with().millisecond(millis).build().ok()?;
        let time = local.to_zoned(zone).ok()?.timestamp();
        Some(format!("{time:.3}"))
    }

    /// Latitude and longitude in degrees: both, or neither.
    fn place(&self) -> Option<(String, String)> {
        let side = |tag, reference, negative, most| {
            let [degrees, minutes, seconds] = self.rationals(tag)?[..] else { return None };
            let value = degrees + minutes / 60.0 + seconds / 3600.0;
            let negative = self.text(reference).is_some_and(|letter| letter == negative);
            // No `-0`: the equator is neither south nor north.
            let value = if negative && value != 0.0 { -value } else { value };
            (value.abs() <= most).then(|| value.to_string())
        };
        let latitude = side(Tag::GPSLatitude, Tag::GPSLatitudeRef, "S", 90.0)?;
        let longitude = side(Tag::GPSLongitude, Tag::GPSLongitudeRef, "W", 180.0)?;
        Some((latitude, longitude))
    }
}

/// A fraction below one second, else seconds.
fn exposure(seconds: f64) -> String {
    if seconds < 1.0 { format!("1/{}", (1.0 / seconds).round()) } else { format!("{seconds}s") }
}

/// The first three digits behind the point of a second.
fn milliseconds(digits: &str) -> Option<i16> {
    let mut three: String = digits.chars().take_while(char::is_ascii_digit).take(3).collect();
    if three.is_empty() {
        return None;
    }
    while three.len() < 3 {
        three.push('0');
    }
    three.parse().ok()
}
