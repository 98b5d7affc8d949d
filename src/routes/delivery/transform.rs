//! Parses the query parameters of a transform (promise P12).

use std::{borrow::Cow, str::FromStr};

use crate::{
    error::{Error, ErrorKind, Result},
    media::{ParseNameError, Transform},
};

/// Reads `w`, `h`, `fit`, `format` and `q` of a query; other parameters are ignored.
///
/// As in the media protocol, an empty parameter or 0 counts as absent. Numbers are clamped to the bounds of
/// [`Transform`]. An error names the parameter: one that is not a number, an unknown name, or a repeated
/// parameter.
pub(crate) fn transform(query: &str) -> Result<Transform> {
    let mut transform = Transform::new();
    let mut seen = Vec::new();
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        if !matches!(&*name, "w" | "h" | "fit" | "format" | "q") {
            continue;
        }
        if seen.contains(&name) {
            return Err(invalid(format!("the parameter `{name}` is repeated; send it once")));
        }
        transform = with(transform, &name, &value)?;
        seen.push(name);
    }
    Ok(transform)
}

fn with(transform: Transform, name: &str, value: &str) -> Result<Transform> {
    if value.is_empty() {
        return Ok(transform);
    }
    Ok(match name {
        "fit" => transform.with_fit(named(name, value)?),
        "format" => transform.with_format(named(name, value)?),
        _ => match (name, number(name, value)?) {
            (_, 0) => transform,
            ("w", pixels) => transform.with_width(pixels),
            ("h", pixels) => transform.with_height(pixels),
            (_, quality) => transform.with_quality(quality),
        },
    })
}

/// Parses a number of digits only, saturating at `u32::MAX`.
fn number(name: &str, value: &str) -> Result<u32> {
    if !value.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(invalid(format!(
            "the parameter `{name}` must be a whole number without a sign"
        )));
    }
    Ok(value.parse().unwrap_or(u32::MAX))
}

fn named<T: FromStr<Err = ParseNameError>>(name: &str, value: &str) -> Result<T> {
    value.parse().map_err(|unknown| invalid(format!("the parameter `{name}` {unknown}")))
}

fn invalid(what: impl Into<Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::InvalidInput, what)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::Fit;

    #[test]
    fn p12_equivalent_queries_are_one_transform() {
        let square = Transform::new().with_width(300).with_height(300).with_fit(Fit::Cover);
        for query in [
            "w=300&h=300&fit=cover",
            "fit=cover&h=300&w=0300&q=0&format=",
            "h=300&w=300&fit=cover&format=webp&q=85&utm=x",
        ] {
            assert_eq!(transform(query).expect(query), square, "{query}");
        }
        let huge = transform("w=1000000000&h=99999999999999999999&q=1000").expect("clamped");
        assert_eq!(
            (huge.width(), huge.height(), huge.quality()),
            (Some(16_384), Some(16_384), 100)
        );
        assert_eq!(transform("w=0&h=0").expect("free"), Transform::new());
    }

    #[test]
    fn p12_an_invalid_parameter_is_refused_by_name() {
        for (query, parameter) in [
            ("w=-1", "`w`"),
            ("h=1e3", "`h`"),
            ("w=%2B5", "`w`"),
            ("w=1&w=1", "`w`"),
            ("fit=COVER", "`fit`"),
            ("format=jpg", "`format`"),
            ("format=svg", "`format`"),
            ("q=85.5", "`q`"),
            ("q=%D9%A3", "`q`"),
        ] {
            let refused = transform(query).expect_err(query).to_string();
            assert!(refused.contains(parameter), "{query}: {refused}");
        }
    }
}
