//! EXIF data, parsed into the texts of the media protocol.

use exif::{Context, In, Reader, Tag, Value};
use image::metadata::Orientation;
use jiff::{civil::DateTime, fmt::strtime, tz::TimeZone};

use crate::media::Exif;

/// Longer texts are truncated, in bytes.
const MAX_TEXT: usize = 255;

/// Parses EXIF data from its TIFF header on, or with the prefix `Exif\0\0` that libvips, sharp and Pillow
/// write in WebP and PNG.
///
/// Invalid data and invalid fields count as missing.
pub(super) fn parse(data: &[u8]) -> (Orientation, Option<Exif>) {
    let data = data.strip_prefix(b"Exif\0\0").unwrap_or(data);
    let found = Reader::new()
        .continue_on_error(true)
        .read_raw(data.to_vec())
        .or_else(|error| error.distill_partial_result(|_| {}));
    let Ok(found) = found else { return (Orientation::NoTransforms, None) };
    let tags = Tags(&found);
    let orientation = tags
        .number(Tag::Orientation)
        .and_then(|number| Orientation::from_exif(u8::try_from(number).ok()?))
        .unwrap_or(Orientation::NoTransforms);
    let exif = Some(tags.exif()).filter(|exif| *exif != Exif::default());
    (orientation, exif)
}

struct Tags<'a>(&'a exif::Exif);

impl Tags<'_> {
    fn exif(&self) -> Exif {
        let (gps_latitude, gps_longitude) = self.location().unzip();
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
        let misplaced = || {
            // Pillow writes tags of the Exif IFD into the primary IFD if they are set there.
            let tag =
                (tag.context() == Context::Exif).then_some(Tag(Context::Tiff, tag.number()))?;
            self.0.get_field(tag, In::PRIMARY)
        };
        let field = self.0.get_field(tag, In::PRIMARY).or_else(misplaced);
        field.map(|field| &field.value)
    }

    fn number(&self, tag: Tag) -> Option<u32> {
        self.value(tag)?.get_uint(0)
    }

    /// Returns a text up to its first NUL.
    fn text(&self, tag: Tag) -> Option<String> {
        let Value::Ascii(parts) = self.value(tag)? else { return None };
        let text = String::from_utf8_lossy(parts.first()?);
        let mut text = text.trim().to_owned();
        text.truncate(text.floor_char_boundary(MAX_TEXT));
        (!text.is_empty()).then_some(text)
    }

    fn rationals(&self, tag: Tag) -> Option<Vec<f64>> {
        match self.value(tag)? {
            Value::Rational(values) => Some(values.iter().map(|value| value.to_f64()).collect()),
            Value::SRational(values) => Some(values.iter().map(|value| value.to_f64()).collect()),
            _ => None,
        }
    }

    fn positive(&self, tag: Tag) -> Option<f64> {
        let value = *self.rationals(tag)?.first()?;
        (value.is_finite() && value > 0.0).then_some(value)
    }

    /// Returns a valid date in UTC with milliseconds. Without an offset tag the date counts as UTC, because
    /// the time zone of the camera is unknown.
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

    /// Returns latitude and longitude in degrees, if both are valid.
    fn location(&self) -> Option<(String, String)> {
        let coordinate = |tag, reference, negative_letter, max| {
            let [degrees, minutes, seconds] = self.rationals(tag)?[..] else { return None };
            // Some writers sign the numbers themselves (SRATIONAL), some of them besides the letter.
            let is_signed = [degrees, minutes, seconds].iter().any(|part| *part < 0.0);
            let value = degrees.abs() + minutes.abs() / 60.0 + seconds.abs() / 3600.0;
            let has_letter = self.text(reference).is_some_and(|letter| letter == negative_letter);
            // The equator is never `-0`.
            let value = if (is_signed || has_letter) && value != 0.0 { -value } else { value };
            (value <= max && value >= -max).then(|| value.to_string())
        };
        let latitude = coordinate(Tag::GPSLatitude, Tag::GPSLatitudeRef, "S", 90.0)?;
        let longitude = coordinate(Tag::GPSLongitude, Tag::GPSLongitudeRef, "W", 180.0)?;
        Some((latitude, longitude))
    }
}

/// Formats an exposure time: a fraction below one second, else seconds.
fn exposure(seconds: f64) -> String {
    if seconds < 1.0 { format!("1/{}", (1.0 / seconds).round()) } else { format!("{seconds}s") }
}

/// Parses the first three digits of a fraction of a second.
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
