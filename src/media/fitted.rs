//! Normalizes a transform for an image of a given size. Images are never enlarged.

use std::num::NonZeroU32;

use crate::media::{Fit, Format, Transform};

type Size = (u32, u32);

impl Transform {
    /// Normalizes a transform for an image with the displayed size `of`, so that equivalent transforms share
    /// one cached file (promise P12). The number of renditions is bounded by the size of the image.
    ///
    /// Three fits remain: [`Fit::Fill`] with the exact size of the result, [`Fit::Cover`] if the result is
    /// cropped, and [`Fit::Contain`] if it is letterboxed. Free sides mean the original size.
    pub(crate) fn fitted_to(self, of: Size) -> Self {
        let this = self.canonical();
        let longest = this.format.longest_side();
        let asked = (this.width().unwrap_or(of.0), this.height().unwrap_or(of.1));
        let asked = (asked.0.min(longest), asked.1.min(longest));
        let smaller = (asked.0.min(of.0), asked.1.min(of.1));
        let (fit, size) = match this.fit() {
            Fit::Cover if scaled(of, covering(of, smaller)) != smaller => (Fit::Cover, smaller),
            Fit::Contain if inside(of, asked) != asked => (Fit::Contain, asked),
            Fit::Cover | Fit::Fill => (Fit::Fill, smaller),
            Fit::Contain | Fit::Inside => (Fit::Fill, inside(of, asked)),
            Fit::Outside => {
                let size = scaled(of, covering(of, asked).min(1.0));
                (Fit::Fill, inside(size, (longest, longest)))
            }
        };
        if (fit, size) == (Fit::Fill, of) {
            return Self { width: None, height: None, fit: Fit::default(), ..this };
        }
        Self { width: NonZeroU32::new(size.0), height: NonZeroU32::new(size.1), fit, ..this }
    }
}

impl Format {
    /// Returns the longest side that the format supports.
    fn longest_side(self) -> u32 {
        match self {
            Self::WebP => 16_383,
            Self::Jpeg | Self::Avif => 65_535,
            Self::Png => i32::MAX as u32,
        }
    }
}

/// Returns the greatest size within `asked` that keeps the proportions.
pub(crate) fn inside(of: Size, asked: Size) -> Size {
    let (x, y) = ratios(of, asked);
    scaled(of, x.min(y).min(1.0))
}

/// Returns the smallest factor by which an image covers `asked`.
pub(crate) fn covering(of: Size, asked: Size) -> f64 {
    let (x, y) = ratios(of, asked);
    x.max(y)
}

fn ratios(of: Size, asked: Size) -> (f64, f64) {
    (f64::from(asked.0) / f64::from(of.0), f64::from(asked.1) / f64::from(of.1))
}

fn scaled(of: Size, factor: f64) -> Size {
    let scale = |side: u32| ((f64::from(side) * factor).round() as u32).max(1);
    (scale(of.0), scale(of.1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sized(size: Size, fit: Fit) -> Transform {
        Transform::new().with_width(size.0).with_height(size.1).with_fit(fit)
    }

    /// Returns the normalized transform for an image of 1000 × 700, as its key without format and quality.
    fn fitted(asked: (Option<u32>, Option<u32>), fit: Fit) -> String {
        let mut transform = Transform::new().with_fit(fit);
        if let Some(width) = asked.0 {
            transform = transform.with_width(width);
        }
        if let Some(height) = asked.1 {
            transform = transform.with_height(height);
        }
        let key = transform.fitted_to((1000, 700)).key();
        key.trim_end_matches("webp-q85").trim_end_matches('-').to_owned()
    }

    /// The table of the media protocol, for 1000 × 700.
    #[test]
    fn sizes_match_the_media_protocol() {
        let all = [Fit::Cover, Fit::Contain, Fit::Fill, Fit::Inside, Fit::Outside];
        let same = "";
        for (asked, expected) in [
            (
                (Some(300), Some(300)),
                [
                    "w300-h300-cover",
                    "w300-h300-contain",
                    "w300-h300-fill",
                    "w300-h210-fill",
                    "w429-h300-fill",
                ],
            ),
            (
                (Some(300), None),
                [
                    "w300-h210-fill",
                    "w300-h210-fill",
                    "w300-h700-fill",
                    "w300-h210-fill",
                    "w300-h210-fill",
                ],
            ),
            (
                (None, Some(300)),
                [
                    "w429-h300-fill",
                    "w429-h300-fill",
                    "w1000-h300-fill",
                    "w429-h300-fill",
                    "w429-h300-fill",
                ],
            ),
            ((Some(2000), Some(2000)), [same, "w2000-h2000-contain", same, same, same]),
            (
                (Some(2000), Some(300)),
                [
                    "w1000-h300-cover",
                    "w2000-h300-contain",
                    "w1000-h300-fill",
                    "w429-h300-fill",
                    same,
                ],
            ),
            (
                (Some(300), Some(2000)),
                ["w300-h700-cover", "w300-h2000-contain", "w300-h700-fill", "w300-h210-fill", same],
            ),
        ] {
            for (fit, expected) in all.into_iter().zip(expected) {
                assert_eq!(fitted(asked, fit), expected, "{asked:?} {fit:?}");
            }
        }
    }

    #[test]
    fn p12_equivalent_transforms_are_equal() {
        let of = (1000, 700);
        for fit in [Fit::Cover, Fit::Fill, Fit::Inside, Fit::Outside] {
            for size in [(1000, 700), (1001, 701), (5_000, 5_000)] {
                assert_eq!(sized(size, fit).fitted_to(of), Transform::new(), "{size:?} {fit:?}");
            }
        }
        let exact = sized((500, 350), Fit::Fill);
        for fit in [Fit::Cover, Fit::Contain, Fit::Inside, Fit::Outside] {
            assert_eq!(sized((500, 350), fit).fitted_to(of), exact, "{fit:?}");
        }
        assert_eq!(Transform::new().with_width(500).fitted_to(of), exact);
    }

    #[test]
    fn p12_sides_are_bounded_by_the_format() {
        let wide = (16_384, 64);
        for fit in [Fit::Inside, Fit::Fill, Fit::Cover, Fit::Outside, Fit::Contain] {
            let webp = sized((16_384, 64), fit).fitted_to(wide);
            assert_eq!(webp.width(), Some(16_383), "{fit:?}");
        }
        assert_eq!(Transform::new().fitted_to(wide).width(), Some(16_383));
        let png = Transform::new().with_format(Format::Png);
        assert_eq!(png.fitted_to(wide), png);
    }

    #[test]
    fn sides_are_at_least_one_pixel() {
        let large = sized((1920, 1920), Fit::Inside).fitted_to((17_000, 8));
        assert_eq!((large.width(), large.height()), (Some(1920), Some(1)));
    }
}
