//! Lenient parsing of query parameters, as in the original service. The first of repeated parameters counts.

use std::time::SystemTime;

use axum::{extract::FromRequestParts, http::request::Parts};
use jiff::{Timestamp, civil};

use super::error::ServiceError;
use crate::owner::{Owner, Scopes};

/// The number of records in a list without `limit`.
const DEFAULT_LIMIT: usize = 50;

pub(super) struct Query(Vec<(String, String)>);

impl Query {
    fn parse(query: &str) -> Self {
        Self(form_urlencoded::parse(query.as_bytes()).into_owned().collect())
    }

    /// Returns the first value of a name, unless it is empty.
    pub(super) fn first(&self, name: &str) -> Option<&str> {
        let (_, value) = self.0.iter().find(|(found, _)| found == name)?;
        Some(value.as_str()).filter(|value| !value.is_empty())
    }

    /// Returns true if the query has this name, even without a value.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(found, _)| found == name)
    }

    /// Returns the user whose media the query is about.
    pub(super) fn owner(&self) -> Result<Owner, ServiceError> {
        owner(self.first("userId"))
    }

    /// Returns the scopes of a comma-separated list, or any scope.
    pub(super) fn scopes(&self, name: &str) -> Result<Scopes, ServiceError> {
        let Some(names) = self.first(name) else { return Ok(Scopes::any()) };
        let names = names.split(',').map(str::trim).filter(|name| !name.is_empty());
        Scopes::of(names.collect::<Vec<_>>())
            .map_err(|error| ServiceError::bad_request(format!("{name}: {error}")))
    }

    /// Returns a number. Leading blanks and a sign are allowed; everything behind the digits is ignored.
    pub(super) fn number(&self, name: &str) -> Option<i64> {
        number(self.first(name)?)
    }

    /// Returns a number that is not negative.
    pub(super) fn count(&self, name: &str) -> Result<Option<usize>, ServiceError> {
        let convert = |number: i64| {
            usize::try_from(number)
                .map_err(|_| ServiceError::bad_request(format!("{name} must not be negative")))
        };
        self.number(name).map(convert).transpose()
    }

    /// Returns the requested number of records; 0 means the default.
    pub(super) fn limit(&self) -> Result<usize, ServiceError> {
        Ok(self.count("limit")?.filter(|limit| *limit > 0).unwrap_or(DEFAULT_LIMIT))
    }

    pub(super) fn time(&self, name: &str) -> Result<Option<SystemTime>, ServiceError> {
        let unknown = || ServiceError::bad_request(format!("{name} is not a date"));
        let parse = |text| time(text).map(SystemTime::from).ok_or_else(unknown);
        self.first(name).map(parse).transpose()
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Query {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(Self::parse(parts.uri.query().unwrap_or_default()))
    }
}

pub(super) fn owner(user_id: Option<&str>) -> Result<Owner, ServiceError> {
    let user_id = user_id.ok_or_else(|| ServiceError::bad_request("userId is required"))?;
    Owner::new(user_id).map_err(|error| ServiceError::bad_request(format!("userId: {error}")))
}

fn number(text: &str) -> Option<i64> {
    let text = text.trim_start();
    let (sign, text) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let hex = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"));
    let (radix, text) = hex.map_or((10, text), |rest| (16, rest));
    let end = text.find(|c: char| !c.is_digit(radix)).unwrap_or(text.len());
    if end == 0 {
        return None;
    }
    // A number that overflows is clamped.
    Some(sign * i64::from_str_radix(&text[..end], radix).unwrap_or(i64::MAX))
}

/// Parses a date, a date with a time, a month or a year. Without an offset it is UTC.
fn time(text: &str) -> Option<Timestamp> {
    if let Ok(time) = text.parse() {
        return Some(time);
    }
    let text = text.strip_suffix('Z').unwrap_or(text);
    let civil = text.parse::<civil::DateTime>().ok().or_else(|| {
        let date = |text: &str| text.parse::<civil::Date>().ok();
        let is_year = text.len() == 4 && text.bytes().all(|byte| byte.is_ascii_digit());
        let date = match text.len() {
            4 if is_year => date(&format!("{text}-01-01")),
            7 => date(&format!("{text}-01")),
            _ => civil::Date::strptime("%b %d %Y", text).ok(),
        };
        date.map(civil::Date::into)
    })?;
    // The last day of the year 9999, often used for "forever", is beyond the range of timestamps.
    let end = if civil.year() > 0 { Timestamp::MAX } else { Timestamp::MIN };
    Some(civil.to_zoned(jiff::tz::TimeZone::UTC).map_or(end, |zoned| zoned.timestamp()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_parsed_as_in_the_original_service() {
        for (text, expected) in [
            ("2", Some(2)),
            (" 2", Some(2)),
            ("+2", Some(2)),
            ("-1", Some(-1)),
            ("2abc", Some(2)),
            ("2.9", Some(2)),
            ("1e2", Some(1)),
            ("0x10", Some(16)),
            ("abc", None),
            ("-", None),
            ("0x", None),
            ("9999999999999999999999", Some(i64::MAX)),
        ] {
            assert_eq!(number(text), expected, "{text}");
        }
    }

    #[test]
    fn dates_are_parsed_as_in_the_original_service() {
        let new_year = Some("2020-01-01T00:00:00Z".parse().expect("a time"));
        for text in [
            "2020",
            "2020-01",
            "2020-01-01",
            "2020-01-01T00:00:00",
            "2020-01-01T00:00:00.000Z",
            "2020-01-01T02:00:00+02:00",
            "Jan 1 2020",
        ] {
            assert_eq!(time(text), new_year, "{text}");
        }
        assert_eq!(time("9999-12-31T23:59:59.999Z"), Some(Timestamp::MAX));
        assert_eq!(time("-009999-01-01"), Some(Timestamp::MIN));
        for text in ["", "yesterday", "2020-13-01", "1577836800000", "2020-01-01T02:00:00 02:00"] {
            assert_eq!(time(text), None, "{text}");
        }
    }

    #[test]
    fn the_first_of_repeated_parameters_counts() {
        let query = Query::parse("userId=ana&userId=bob&app=&limit=0");
        assert_eq!(query.first("userId"), Some("ana"));
        assert_eq!(query.first("app"), None);
        assert_eq!(query.limit().expect("a limit"), DEFAULT_LIMIT);
    }
}
