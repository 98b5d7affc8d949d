//! GIF: the first frame, on a canvas that is as large as a browser's.

use std::num::NonZeroU64;

use gif::{ColorOutput, DecodingError, MemoryLimit};
use image::DynamicImage;

use super::{
    color,
    format::{MAX_ICC_PROFILE, RawHeader},
    input::{self, Input},
    limits::ImageLimits,
};
use crate::error::Result;

/// Reads the header and that of the first frame, and checks the memory limit.
pub(super) fn read_header(input: Input, limits: &ImageLimits) -> Result<RawHeader> {
    let deadline = input::deadline(&input);
    let gif = Gif::open(input).map_err(|error| input::failed(deadline, error))?;
    limits.check_size(gif.canvas.0, gif.canvas.1)?;
    limits.check_memory(gif.memory())?;
    Ok(RawHeader { size: gif.canvas, has_alpha: true, exif: None })
}

/// Decodes the first frame, and converts it to sRGB.
pub(super) fn decode(input: Input, limits: &ImageLimits) -> Result<DynamicImage> {
    let deadline = input::deadline(&input);
    let failed = |error: DecodingError| input::failed(deadline, error);
    let mut gif = Gif::open(input).map_err(failed)?;
    limits.check_size(gif.canvas.0, gif.canvas.1)?;
    limits.check_memory(gif.memory())?;
    let profile = gif.decoder.icc_profile().and_then(color::parse_profile);
    let pixels = gif.decode_frame().map_err(failed)?;
    let image = color::image_from_bytes(gif.canvas, 4, pixels)?;
    color::to_srgb(image, profile.as_ref(), deadline)
}

/// A file opened at the data of its first frame.
struct Gif {
    decoder: gif::Decoder<Input>,
    canvas: (u32, u32),
    /// Left, top, width and height of the frame.
    frame: (u32, u32, u32, u32),
}

impl Gif {
    #[expect(
        clippy::disallowed_types,
        reason = "src/image is the only entry point to decoders (P1)"
    )]
    fn open(input: Input) -> Result<Self, DecodingError> {
        let mut options = gif::DecodeOptions::new();
        options.set_color_output(ColorOutput::RGBA);
        options.allow_unknown_blocks(true);
        let limit = NonZeroU64::new(MAX_ICC_PROFILE as u64).unwrap_or(NonZeroU64::MIN);
        options.set_memory_limit(MemoryLimit::Bytes(limit));
        let mut decoder = options.read_info(input)?;
        let screen = (u32::from(decoder.width()), u32::from(decoder.height()));
        let frame = decoder.next_frame_info()?.map(|frame| {
            let [left, top] = [frame.left, frame.top].map(u32::from);
            (left, top, frame.width.into(), frame.height.into())
        });
        let missing = || std::io::Error::new(std::io::ErrorKind::InvalidData, "no frame");
        let frame: (u32, u32, u32, u32) = frame.ok_or_else(missing)?;
        let (left, top, width, height) = frame;
        // Browsers enlarge a logical screen that the first frame exceeds.
        let canvas = (screen.0.max(left + width), screen.1.max(top + height));
        Ok(Self { decoder, canvas, frame })
    }

    fn covers_canvas(&self) -> bool {
        let (_, _, width, height) = self.frame;
        (width, height) == self.canvas
    }

    /// Returns the bytes of memory that decoding takes: the canvas, and the frame if it is smaller.
    fn memory(&self) -> u64 {
        let (_, _, width, height) = self.frame;
        let canvas = u64::from(self.canvas.0) * u64::from(self.canvas.1);
        let frame = if self.covers_canvas() { 0 } else { u64::from(width) * u64::from(height) };
        4 * (canvas + frame)
    }

    /// Returns the RGBA pixels of the canvas, transparent outside of the frame.
    fn decode_frame(&mut self) -> Result<Vec<u8>, DecodingError> {
        let (left, top, width, height) = self.frame;
        let [left, top, width, height] = [left, top, width, height].map(|side| side as usize * 4);
        let (top, height) = (top / 4, height / 4);
        let mut frame = vec![0; width * height];
        if !frame.is_empty() {
            self.decoder.read_into_buffer(&mut frame)?;
        }
        if self.covers_canvas() {
            return Ok(frame);
        }
        let row_bytes = self.canvas.0 as usize * 4;
        let mut canvas = vec![0; row_bytes * self.canvas.1 as usize];
        if width > 0 {
            let rows = canvas.chunks_exact_mut(row_bytes).skip(top);
            for (row, from) in rows.zip(frame.chunks_exact(width)) {
                row[left..left + width].copy_from_slice(from);
            }
        }
        Ok(canvas)
    }
}
