//! Converts decoded YCbCr planes to RGB, and draws them at their place in the image.

use super::boxes::{ItemTransform, Nclx, Result, invalid};

/// The planes of one decoded image.
pub(super) trait Planes {
    fn size(&self) -> (u32, u32);
    /// Returns the bits of a sample, 8 to 16.
    fn bit_depth(&self) -> u8;
    /// Returns the pixels per chroma sample, horizontally and vertically; `None` for monochrome.
    fn chroma_subsampling(&self) -> Option<(u32, u32)>;
    /// Returns the color information of the stream.
    fn nclx(&self) -> Nclx;
    /// Returns the bytes of memory that the planes take.
    fn memory(&self) -> u64;
    /// Copies the first samples of a row into `out`.
    fn copy_row(&self, plane: usize, y: u32, out: &mut [u16]);
}

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
    next_pixel: (i64, i64),
    next_row: (i64, i64),
    clip: Rect,
}

impl Placement {
    pub(super) fn of_canvas((width, height): (u32, u32)) -> Self {
        let clip = Rect { from: (0, 0), to: (width.into(), height.into()) };
        Self { origin: (0, 0), next_pixel: (1, 0), next_row: (0, 1), clip }
    }

    /// Maps a pixel to the canvas.
    fn at(&self, x: i64, y: i64) -> (i64, i64) {
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
    fn visible_columns(&self, y: u32, width: u32) -> Option<(usize, usize)> {
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

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Channel {
    Color,
    Alpha,
}

/// The finished image, RGB or RGBA with 8 bits.
pub(super) struct Canvas {
    pub(super) size: (u32, u32),
    pub(super) channels: usize,
    pub(super) pixels: Vec<u8>,
}

impl Canvas {
    /// Allocates the pixels, opaque black.
    pub(super) fn allocate(&mut self) {
        let pixels = self.size.0 as usize * self.size.1 as usize;
        self.pixels = vec![0; pixels * self.channels];
        if self.channels == 4 {
            self.pixels.chunks_exact_mut(4).for_each(|pixel| pixel[3] = u8::MAX);
        }
    }

    /// Draws a decoded image of a size. Coded pixels beyond the size are padding; an alpha image is
    /// scaled to it.
    pub(super) fn draw(
        &mut self,
        planes: &dyn Planes,
        channel: Channel,
        (width, height): (u32, u32),
        nclx: Option<Nclx>,
        placement: &Placement,
    ) -> Result<()> {
        let coded = planes.size();
        if channel == Channel::Color && (coded.0 < width || coded.1 < height) {
            return invalid("the coded image is smaller than the header says");
        }
        if coded.0 == 0 || coded.1 == 0 || !(8..=16).contains(&planes.bit_depth()) {
            return invalid("the coded image has no pixels or an unsupported bit depth");
        }
        let source = |at: u32, whole: u32, coded: u32| match channel {
            Channel::Color => at,
            Channel::Alpha if whole == coded => at,
            Channel::Alpha => (u64::from(at) * u64::from(coded) / u64::from(whole)) as u32,
        };
        let mut rows = RowConverter::new(planes, channel, nclx);
        let step = (placement.next_pixel.0 + placement.next_pixel.1 * i64::from(self.size.0))
            * self.channels as i64;
        for y in 0..height {
            let Some((first, end)) = placement.visible_columns(y, width) else { continue };
            let row = rows.read(source(y, height, coded.1));
            let (x, line) = placement.at(first as i64, y.into());
            let mut at = (line * i64::from(self.size.0) + x) * self.channels as i64;
            match channel {
                Channel::Color => {
                    for pixel in row[first * 3..end * 3].chunks_exact(3) {
                        let at_pixel = at as usize;
                        self.pixels[at_pixel..at_pixel + 3].copy_from_slice(pixel);
                        at += step;
                    }
                }
                Channel::Alpha => {
                    for x in first..end {
                        self.pixels[at as usize + 3] =
                            row[source(x as u32, width, coded.0) as usize];
                        at += step;
                    }
                }
            }
        }
        Ok(())
    }

    /// Divides the colors by the alpha.
    pub(super) fn unmultiply(&mut self) {
        for pixel in self.pixels.chunks_exact_mut(4).filter(|pixel| pixel[3] > 0) {
            let alpha = u16::from(pixel[3]);
            for color in &mut pixel[..3] {
                *color = ((u16::from(*color) * 255 + alpha / 2) / alpha).min(255) as u8;
            }
        }
    }
}

/// Fractional bits of the fixed-point arithmetic.
const FRACTION_BITS: u32 = 16;
const HALF: i32 = 1 << (FRACTION_BITS - 1);

/// The conversion to red, green and blue (matrix coefficients of ITU-T H.273).
#[derive(Debug, Clone, Copy)]
enum Matrix {
    /// The planes are green, blue and red.
    Identity,
    /// The planes are Y, Cg and Co.
    YCgCo,
    /// The factors of Cb for green and blue, and of Cr for red and green.
    YCbCr { cb: (i32, i32), cr: (i32, i32) },
}

/// Converts rows to 8 bits: three bytes a pixel for color, one for alpha.
struct RowConverter<'a> {
    planes: &'a dyn Planes,
    channel: Channel,
    subsampling: Option<(u32, u32)>,
    matrix: Matrix,
    black: i32,
    chroma_zero: i32,
    luma: i32,
    chroma: i32,
    samples: [Vec<u16>; 3],
    row: Vec<u8>,
}

impl<'a> RowConverter<'a> {
    fn new(planes: &'a dyn Planes, channel: Channel, nclx: Option<Nclx>) -> Self {
        let nclx = nclx.unwrap_or_else(|| planes.nclx());
        // Alpha always has the full range, as in libheif and libavif.
        let is_full_range = nclx.is_full_range || channel == Channel::Alpha;
        let depth = u32::from(planes.bit_depth());
        let scale = f64::from(1u32 << (depth - 8));
        let max = f64::from((1u32 << depth) - 1);
        let (luma, chroma) =
            if is_full_range { (max, max) } else { (219.0 * scale, 224.0 * scale) };
        let fixed = |factor: f64| (factor * f64::from(1u32 << FRACTION_BITS)).round() as i32;
        let (luma, chroma) = (255.0 / luma, 255.0 / chroma);
        let matrix = match nclx.matrix {
            0 => Matrix::Identity,
            8 => Matrix::YCgCo,
            matrix => {
                let (red, blue) = match matrix {
                    1 => (0.2126, 0.0722),
                    4 => (0.30, 0.11),
                    7 => (0.212, 0.087),
                    9 | 10 => (0.2627, 0.0593),
                    // Unspecified means BT.601, as in libheif and libavif.
                    _ => (0.299, 0.114),
                };
                let green = 1.0 - red - blue;
                let (cr_to_red, cb_to_blue) = (2.0 * (1.0 - red), 2.0 * (1.0 - blue));
                Matrix::YCbCr {
                    cb: (fixed(-cb_to_blue * blue / green * chroma), fixed(cb_to_blue * chroma)),
                    cr: (fixed(cr_to_red * chroma), fixed(-cr_to_red * red / green * chroma)),
                }
            }
        };
        let width = planes.size().0;
        let subsampling = planes.chroma_subsampling().filter(|_| channel == Channel::Color);
        let samples = subsampling.map_or(0, |(across, _)| width.div_ceil(across)) as usize;
        Self {
            planes,
            channel,
            subsampling,
            matrix,
            black: if is_full_range { 0 } else { 16 << (depth - 8) },
            chroma_zero: 1 << (depth - 1),
            luma: fixed(luma),
            chroma: fixed(chroma),
            samples: [vec![0; width as usize], vec![0; samples], vec![0; samples]],
            row: vec![0; width as usize * if channel == Channel::Color { 3 } else { 1 }],
        }
    }

    fn read(&mut self, y: u32) -> &[u8] {
        let Self { planes, samples: [first, second, third], row, .. } = self;
        let (black, chroma_zero, scale) = (self.black, self.chroma_zero, self.luma);
        planes.copy_row(0, y, first);
        let luma = |sample: u16| (i32::from(sample) - black) * scale + HALF;
        let to_byte = |sum: i32| (sum >> FRACTION_BITS).clamp(0, 255) as u8;
        let Some((across, down)) = self.subsampling else {
            match self.channel {
                Channel::Alpha => {
                    row.iter_mut()
                        .zip(first)
                        .for_each(|(out, sample)| *out = to_byte(luma(*sample)));
                }
                Channel::Color => {
                    for (pixel, sample) in row.chunks_exact_mut(3).zip(first) {
                        pixel.fill(to_byte(luma(*sample)));
                    }
                }
            }
            return row;
        };
        planes.copy_row(1, y / down, second);
        planes.copy_row(2, y / down, third);
        let signed = |sample: u16| i32::from(sample) - chroma_zero;
        let across = across as usize;
        match self.matrix {
            Matrix::Identity => {
                let all = row.chunks_exact_mut(3).zip(first).enumerate();
                for (x, (pixel, green)) in all {
                    let (blue, red) = (second[x / across], third[x / across]);
                    pixel.copy_from_slice(&[red, *green, blue].map(|sample| to_byte(luma(sample))));
                }
            }
            Matrix::YCgCo => {
                let all = row.chunks_exact_mut(3).zip(first).enumerate();
                for (x, (pixel, sample)) in all {
                    let green = signed(second[x / across]) * self.chroma;
                    let orange = signed(third[x / across]) * self.chroma;
                    let rest = luma(*sample) - green;
                    let rgb = [rest + orange, luma(*sample) + green, rest - orange];
                    pixel.copy_from_slice(&rgb.map(to_byte));
                }
            }
            Matrix::YCbCr { cb: (cb_to_green, cb_to_blue), cr: (cr_to_red, cr_to_green) } => {
                let pairs = row.chunks_mut(3 * across).zip(first.chunks_mut(across));
                for ((pixels, lumas), (second, third)) in pairs.zip(second.iter().zip(third)) {
                    let (cb, cr) = (signed(*second), signed(*third));
                    let (red, blue) = (cr * cr_to_red, cb * cb_to_blue);
                    let green = cb * cb_to_green + cr * cr_to_green;
                    for (pixel, sample) in pixels.chunks_exact_mut(3).zip(lumas) {
                        let luma = luma(*sample);
                        pixel
                            .copy_from_slice(&[luma + red, luma + green, luma + blue].map(to_byte));
                    }
                }
            }
        }
        row
    }
}
