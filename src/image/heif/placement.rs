//! The place of an image on the canvas.

use super::properties::ItemTransform;

/// A rectangle of the canvas; `to` is exclusive.
#[derive(Debug, Clone, Copy)]
struct Rect {
    from: (i64, i64),
    to: (i64, i64),
}

/// The mapping of an image's pixels to the canvas: the place of its first pixel, the steps to the next
/// pixel and to the next row, and the rectangle outside of which nothing is drawn.
#[derive(Debug, Clone, Copy)]
pub(super) struct Placement {
    origin: (i64, i64),
    pub(super) next_pixel: (i64, i64),
    next_row: (i64, i64),
    clip: Rect,
}

impl Placement {
    pub(super) fn of_canvas((width, height): (u32, u32)) -> Self {
        let clip = Rect { from: (0, 0), to: (width.into(), height.into()) };
        Self { origin: (0, 0), next_pixel: (1, 0), next_row: (0, 1), clip }
    }

    /// Maps a pixel to the canvas.
    pub(super) fn at(&self, x: i64, y: i64) -> (i64, i64) {
        let Self { origin, next_pixel: dx, next_row: dy, .. } = self;
        (origin.0 + x * dx.0 + y * dy.0, origin.1 + x * dx.1 + y * dy.1)
    }

    /// Returns the placement of a tile at `x`, `y` within this image, clipped to its size.
    pub(super) fn tile_at(mut self, x: u32, y: u32, (width, height): (u32, u32)) -> Self {
        self.origin = self.at(x.into(), y.into());
        self.clip_to((width, height));
        self
    }

    fn clip_to(&mut self, (width, height): (u32, u32)) {
        let (one, other) = (self.at(0, 0), self.at(i64::from(width) - 1, i64::from(height) - 1));
        let Rect { from, to } = &mut self.clip;
        *from = (from.0.max(one.0.min(other.0)), from.1.max(one.1.min(other.1)));
        *to = (to.0.min(one.0.max(other.0) + 1), to.1.min(one.1.max(other.1) + 1));
    }

    /// Returns the placement of the stored image, which reaches this one by `transforms`.
    pub(super) fn before(mut self, transforms: &[(ItemTransform, (u32, u32))]) -> Self {
        let reversed = |(x, y): (i64, i64)| (-x, -y);
        for (transform, (width, height)) in transforms.iter().rev() {
            let (right, bottom) = (i64::from(*width) - 1, i64::from(*height) - 1);
            match *transform {
                ItemTransform::FlipVertical => {
                    (self.origin, self.next_row) = (self.at(0, bottom), reversed(self.next_row));
                }
                ItemTransform::FlipHorizontal => {
                    (self.origin, self.next_pixel) = (self.at(right, 0), reversed(self.next_pixel));
                }
                ItemTransform::Rotate(1) => {
                    self.origin = self.at(0, right);
                    (self.next_pixel, self.next_row) = (reversed(self.next_row), self.next_pixel);
                }
                ItemTransform::Rotate(2) => {
                    self.origin = self.at(right, bottom);
                    (self.next_pixel, self.next_row) =
                        (reversed(self.next_pixel), reversed(self.next_row));
                }
                ItemTransform::Rotate(_) => {
                    self.origin = self.at(bottom, 0);
                    (self.next_pixel, self.next_row) = (self.next_row, reversed(self.next_pixel));
                }
                ItemTransform::Crop { left, top, width, height } => {
                    self.clip_to((width, height));
                    self.origin = self.at(-left, -top);
                }
            }
        }
        self
    }

    pub(super) fn is_empty(&self) -> bool {
        self.clip.from.0 >= self.clip.to.0 || self.clip.from.1 >= self.clip.to.1
    }

    /// Returns the range of columns of row `y` that are within the clip.
    pub(super) fn visible_columns(&self, y: u32, width: u32) -> Option<(usize, usize)> {
        let (x0, y0) = self.at(0, y.into());
        let (start, step, from, to) = if self.next_pixel.1 == 0 {
            (self.clip.from.1 <= y0 && y0 < self.clip.to.1).then_some((
                x0,
                self.next_pixel.0,
                self.clip.from.0,
                self.clip.to.0,
            ))?
        } else {
            (self.clip.from.0 <= x0 && x0 < self.clip.to.0).then_some((
                y0,
                self.next_pixel.1,
                self.clip.from.1,
                self.clip.to.1,
            ))?
        };
        let (first, end) =
            if step > 0 { (from - start, to - start) } else { (start - to + 1, start - from + 1) };
        let (first, end) = (first.max(0), end.min(width.into()));
        (first < end).then_some((first as usize, end as usize))
    }
}
