//! Decoded planes, and their conversion to RGB row by row.

use super::properties::Nclx;

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

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Channel {
    Color,
    Alpha,
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
pub(super) struct RowConverter<'a> {
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
    pub(super) fn new(planes: &'a dyn Planes, channel: Channel, nclx: Option<Nclx>) -> Self {
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

    pub(super) fn read(&mut self, y: u32) -> &[u8] {
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
