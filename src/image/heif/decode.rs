//! HEIC and AVIF: one container, and a codec each.
//!
//! Neither decoder reads as it goes on, so the file is held in memory, and the deadline is looked at before
//! and after, but not within. How an image is to be turned and cropped is said by the container and applied
//! here; an orientation in its EXIF says the same and does not count (ISO/IEC 23000-22).

use std::io::Read as _;

use heic_rs::{
    Brand, Error as Unreadable, Image, MatrixCoefficients, Nclx, PixelLayout, Range, color,
    context::Context, ftyp::FileType, grid, hevc::Frame, meta, props::ItemProps, transform,
};
use image::{DynamicImage, RgbImage, RgbaImage};

#[cfg(feature = "avif")]
use super::av1;
#[cfg(feature = "heic")]
use super::hevc;
use crate::error::{Error, ErrorKind, Result};
use crate::image::{
    ImageLimits,
    header::affordable,
    input::{self, Input},
};

/// Bytes for each pixel while it is decoded: planes of 16 bits, of a grid twice, and the picture as
/// read and as turned.
const MEMORY: u64 = 20;

/// How the pixels are coded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::image) enum Codec {
    #[cfg(feature = "heic")]
    Hevc,
    #[cfg(feature = "avif")]
    Av1,
}

/// What a stream came to, and the colours that it tells of itself.
pub(in crate::image) struct Coded {
    pub(in crate::image) frame: Frame,
    pub(in crate::image) colours: Option<Nclx>,
}

/// How many pixels may yet be decoded for one picture, all tiles and the alpha channel together.
///
/// What the container says of sizes counts for nothing here: what memory is taken for is what the streams
/// say.
pub(in crate::image) struct Allowance {
    all: u64,
    left: u64,
}

impl Allowance {
    fn new(limits: &ImageLimits) -> Self {
        let all = limits.max_memory / MEMORY;
        Self { all, left: all }
    }

    /// Returns what is left, which is more than nothing.
    #[cfg(feature = "avif")]
    pub(in crate::image) fn left(&self) -> Result<u64, Unreadable> {
        self.exceeded_by(1).map_or(Ok(self.left), Err)
    }

    pub(in crate::image) fn take(&mut self, (width, height): (u32, u32)) -> Result<(), Unreadable> {
        let pixels = u64::from(width) * u64::from(height);
        if let Some(error) = self.exceeded_by(pixels) {
            return Err(error);
        }
        self.left -= pixels;
        Ok(())
    }

    fn exceeded_by(&self, pixels: u64) -> Option<Unreadable> {
        let all = (self.all - self.left).saturating_add(pixels);
        (pixels > self.left).then_some(Unreadable::PixelLimit { pixels: all, max_pixels: self.all })
    }
}

/// The container's tables for the one image that is shown.
struct Primary<'a> {
    context: Context<'a>,
    id: u32,
    props: ItemProps<'a>,
    alpha: Option<u32>,
}

impl<'a> Primary<'a> {
    fn of(file: &'a [u8]) -> Result<Self, Unreadable> {
        // The codec was told by the first bytes, and is nothing the tables hang on.
        let (major, effective) = (Brand::Mif1, Brand::Mif1);
        let ftyp = FileType { major, effective, minor_version: 0, compatible_count: 0 };
        let context = Context { file, ftyp, meta: meta::parse(file)? };
        let id = context.meta.primary;
        let (props, alpha) = (context.props(id)?, context.alpha_item(id)?);
        Ok(Self { context, id, props, alpha })
    }

    fn size(&self) -> Result<(u32, u32), Unreadable> {
        self.context.coded_size(self.id, &self.props)
    }

    fn size_shown(&self) -> Result<(u32, u32), Unreadable> {
        let (width, height) = self.size()?;
        transform::transformed_size(width, height, &self.props.transforms)
    }

    fn decode(&self, codec: Codec, limits: &ImageLimits) -> Result<Image, Unreadable> {
        let mut allowance = Allowance::new(limits);
        let Coded { frame, colours } = self.item(self.id, codec, &mut allowance)?;
        let alpha = self.alpha.map(|alpha| self.item(alpha, codec, &mut allowance)).transpose()?;
        let layout = if alpha.is_some() { PixelLayout::Rgba8 } else { PixelLayout::Rgb8 };
        let alpha = alpha.map(|alpha| alpha.frame);
        let colours = self.props.nclx.or(colours).unwrap_or(UNTOLD);
        let image =
            color::convert(&frame, alpha.as_ref(), colours, layout, allowance.all, Some(1))?;
        transform::apply_all(image, &self.props.transforms)
    }

    /// One image, put together if it comes in tiles.
    fn item(&self, id: u32, codec: Codec, allowance: &mut Allowance) -> Result<Coded, Unreadable> {
        let all = allowance.all;
        let mut coded = |id| match codec {
            #[cfg(feature = "heic")]
            Codec::Hevc => hevc::decode(&self.context, id, allowance),
            #[cfg(feature = "avif")]
            Codec::Av1 => av1::decode(self.context.item_data(id)?.into_owned(), allowance),
        };
        let Some((grid, tiles)) = self.context.grid(id)? else { return coded(id) };
        let tiles = tiles.into_iter().map(coded).collect::<Result<Vec<_>, _>>()?;
        let colours = tiles.first().and_then(|tile| tile.colours);
        let frames: Vec<_> = tiles.into_iter().map(|tile| tile.frame).collect();
        Ok(Coded { frame: grid::compose(&grid, &frames, all)?, colours })
    }
}

/// The colours of a file that tells none, as libheif and libavif take them.
const UNTOLD: Nclx = Nclx {
    primaries: 1,
    transfer: 13,
    matrix: MatrixCoefficients::Bt601,
    matrix_code: 6,
    range: Range::Full,
};

/// What the header says: the size as it is shown, and whether there is an alpha channel.
pub(in crate::image) fn shape(
    mut input: Input,
    limits: &ImageLimits,
) -> Result<((u32, u32), bool)> {
    let file = whole(&mut input, limits)?;
    let unread = |error| input::failed(input::deadline(&input), error);
    let primary = Primary::of(&file).map_err(unread)?;
    let (width, height) = primary.size().map_err(unread)?;
    let memory = (u64::from(width) * u64::from(height)).saturating_mul(MEMORY);
    affordable(memory.saturating_add(file.len() as u64), limits)?;
    Ok((primary.size_shown().map_err(unread)?, primary.alpha.is_some()))
}

/// The pixels as they are shown, and the file's colour profile.
pub(in crate::image) fn decode(
    mut input: Input,
    codec: Codec,
    limits: &ImageLimits,
) -> Result<(DynamicImage, Option<Vec<u8>>)> {
    let file = whole(&mut input, limits)?;
    let deadline = input::deadline(&input);
    let unread = |error| input::failed(deadline, error);
    let primary = Primary::of(&file).map_err(unread)?;
    let Image { data, width, height, layout } = primary.decode(codec, limits).map_err(unread)?;
    deadline.check()?;
    let pixels = match layout {
        PixelLayout::Rgba8 => RgbaImage::from_raw(width, height, data).map(DynamicImage::from),
        _ => RgbImage::from_raw(width, height, data).map(DynamicImage::from),
    };
    let torn = || Error::new(ErrorKind::Failed, "the picture's pixels are not as its header says");
    Ok((pixels.ok_or_else(torn)?, primary.props.icc.map(<[u8]>::to_vec)))
}

fn whole(input: &mut Input, limits: &ImageLimits) -> Result<Vec<u8>> {
    let mut file = Vec::new();
    let deadline = input::deadline(input);
    let read = input.take(limits.max_memory.saturating_add(1)).read_to_end(&mut file);
    affordable(read.map_err(|error| input::failed(deadline, error))? as u64, limits)?;
    Ok(file)
}
