//! Reads the header and decodes the first frame row by row.

use std::io::{Chain, Cursor, Read as _};

use gif::{ColorOutput, DecodingError};
use image::DynamicImage;

use super::blocks::Blocks;
use crate::{
    error::Result,
    image::{
        color,
        format::RawHeader,
        input::{self, Input, invalid},
        limits::ImageLimits,
        partial,
    },
};

/// Reads the header and that of the first frame, and checks the memory limit.
pub(in crate::image) fn read_header(input: Input, limits: &ImageLimits) -> Result<RawHeader> {
    let deadline = input::deadline(&input);
    let gif = Gif::open(input).map_err(|error| input::failed(deadline, error))?;
    limits.check_size(gif.canvas.0, gif.canvas.1)?;
    limits.check_memory(gif.memory())?;
    Ok(RawHeader { size: gif.canvas, has_alpha: true, exif: None, orientation: None })
}

/// Decodes the first frame, and converts it to sRGB.
pub(in crate::image) fn decode(input: Input, limits: &ImageLimits) -> Result<DynamicImage> {
    let deadline = input::deadline(&input);
    let failed = |error: DecodingError| input::failed(deadline, error);
    let mut gif = Gif::open(input).map_err(failed)?;
    limits.check_size(gif.canvas.0, gif.canvas.1)?;
    limits.check_memory(gif.memory())?;
    let profile = gif.icc_profile.as_deref().and_then(color::parse_profile);
    let pixels = gif.decode_frame().map_err(failed)?;
    let image = color::image_from_bytes(gif.canvas, 4, pixels)?;
    color::to_srgb(image, profile.as_ref(), deadline)
}

/// A file opened at the data of its first frame.
struct Gif {
    decoder: gif::Decoder<Chain<Cursor<Vec<u8>>, Input>>,
    icc_profile: Option<Vec<u8>>,
    canvas: (u32, u32),
    /// Left, top, width and height of the frame.
    frame: (u32, u32, u32, u32),
    is_interlaced: bool,
}

impl Gif {
    #[expect(
        clippy::disallowed_types,
        reason = "src/image is the only entry point to decoders (P1)"
    )]
    fn open(mut input: Input) -> Result<Self, DecodingError> {
        let Blocks { stream, icc_profile } = Blocks::read(&mut input)?;
        let mut options = gif::DecodeOptions::new();
        options.set_color_output(ColorOutput::RGBA);
        let mut decoder = options.read_info(Cursor::new(stream).chain(input))?;
        let screen = (u32::from(decoder.width()), u32::from(decoder.height()));
        let frame = decoder.next_frame_info()?;
        let frame = frame.ok_or_else(|| invalid("the file has no frame"))?;
        let is_interlaced = frame.interlaced;
        let [left, top, width, height] =
            [frame.left, frame.top, frame.width, frame.height].map(u32::from);
        // Browsers enlarge a logical screen that the first frame exceeds.
        let canvas = (screen.0.max(left + width), screen.1.max(top + height));
        let frame = (left, top, width, height);
        Ok(Self { decoder, icc_profile, canvas, frame, is_interlaced })
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

    /// Returns the RGBA pixels of the canvas, transparent outside of the frame and where rows are missing.
    fn decode_frame(&mut self) -> Result<Vec<u8>, DecodingError> {
        let (left, top, width, height) = self.frame;
        let [left, width] = [left, width].map(|side| side as usize * 4);
        let (top, height) = (top as usize, height as usize);
        let mut frame = vec![0; width * height];
        if !frame.is_empty() {
            self.decode_rows(&mut frame, width)?;
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

    /// Decodes rows up to the end of the data or invalid data.
    fn decode_rows(&mut self, frame: &mut [u8], row_bytes: usize) -> Result<(), DecodingError> {
        // The first row of each pass, the distance to the next, and the rows that one stands for.
        const PASSES: [(usize, usize, usize); 4] = [(0, 8, 8), (4, 8, 4), (2, 4, 2), (1, 2, 1)];
        let height = frame.len() / row_bytes;
        let passes = if self.is_interlaced { &PASSES[..] } else { &[(0, 1, 1)] };
        let rows = passes.iter().flat_map(|&(first, step, stands_for)| {
            (first..height).step_by(step).map(move |row| (row, stands_for))
        });
        let mut row = vec![0; row_bytes];
        let mut shown = 0;
        for (y, stands_for) in rows {
            // Pixels whose color is not in the color table are left as they are.
            row.fill(0);
            match self.decoder.fill_buffer(&mut row) {
                Ok(true) => {}
                Err(error @ DecodingError::Io(_)) => return Err(error),
                Ok(false) | Err(_) => break,
            }
            let end = height.min(y + stands_for);
            for target in frame[y * row_bytes..end * row_bytes].chunks_exact_mut(row_bytes) {
                target.copy_from_slice(&row);
            }
            shown = shown.max(end);
        }
        Ok(partial::check_rows(shown, height)?)
    }
}
