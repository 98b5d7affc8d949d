//! Decodes the coded images of HEIC (HEVC).

use heifer_hevc_dec::{
    decoder::{DecodeOptions, decode_picture},
    recon::Frame,
};

use super::{
    boxes::{Result, invalid},
    planes::Planes,
    properties::Nclx,
};

/// The bytes per pixel that decoding takes with 4:2:0 chroma: planes of 16 bits, a copy for the loop
/// filter, and the decoder's tables.
pub(super) const BYTES_PER_PIXEL: u64 = 7;

#[expect(clippy::disallowed_methods, reason = "src/image is the only entry point to decoders (P1)")]
/// Decodes one image of at most `max_pixels`. `config` is its `hvcC` property.
pub(super) fn decode(config: &[u8], data: Vec<u8>, max_pixels: u64) -> Result<Box<dyn Planes>> {
    let stream = annex_b(config, &data)?;
    drop(data);
    let options = DecodeOptions { max_pixels: max_pixels.max(1), ..DecodeOptions::default() };
    let frame = decode_picture(&stream, options)?;
    let [luma, chroma] = frame.bit_depth;
    if frame.chroma_format > 0 && luma != chroma {
        return invalid("luma and chroma have different bit depths");
    }
    if luma > 8 {
        return Ok(Box::new(Decoded { planes: Default::default(), frame }));
    }
    // Narrowed plane by plane, which halves the memory.
    let Frame { widths, heights, planes, .. } = frame;
    let narrow = planes.map(|plane| plane.into_iter().map(|sample| sample as u8).collect());
    let frame = Frame { planes: Default::default(), widths, heights, ..frame };
    Ok(Box::new(Decoded { planes: narrow, frame }))
}

/// Joins the parameter sets and NAL units to an Annex B stream. Units of further layers, such as the other
/// eye of a stereo image, are left out.
fn annex_b(config: &[u8], data: &[u8]) -> Result<Vec<u8>> {
    let mut stream = Vec::with_capacity(data.len() + config.len());
    let mut push = |unit: &[u8]| {
        let [first, second, ..] = *unit else { return };
        if first & 1 == 0 && second >> 3 == 0 {
            stream.extend_from_slice(&[0, 0, 1]);
            stream.extend_from_slice(unit);
        }
    };
    let short = "the hvcC property is truncated";
    let (head, mut sets) = config.split_at_checked(23).ok_or(short)?;
    for _ in 0..head[22] {
        let ([_, high, low], rest) = sets.split_first_chunk().ok_or(short)?;
        sets = rest;
        for _ in 0..u16::from_be_bytes([*high, *low]) {
            let (length, rest) = sets.split_first_chunk().ok_or(short)?;
            let length = u16::from_be_bytes(*length).into();
            let (unit, rest) = rest.split_at_checked(length).ok_or(short)?;
            push(unit);
            sets = rest;
        }
    }
    let length_bytes = usize::from(head[21] & 3) + 1;
    let mut data = data;
    while !data.is_empty() {
        let (length, rest) =
            data.split_at_checked(length_bytes).ok_or("a NAL unit is truncated")?;
        let length = length.iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
        let (unit, rest) = rest.split_at_checked(length).ok_or("a NAL unit is truncated")?;
        push(unit);
        data = rest;
    }
    Ok(stream)
}

struct Decoded {
    /// The planes if they have 8 bits; else they are in `frame`.
    planes: [Vec<u8>; 3],
    frame: Frame,
}

impl Planes for Decoded {
    fn size(&self) -> (u32, u32) {
        (self.frame.widths[0], self.frame.heights[0])
    }

    fn bit_depth(&self) -> u8 {
        self.frame.bit_depth[0]
    }

    fn chroma_subsampling(&self) -> Option<(u32, u32)> {
        match self.frame.chroma_format {
            1 => Some((2, 2)),
            2 => Some((2, 1)),
            3 => Some((1, 1)),
            _ => None,
        }
    }

    fn nclx(&self) -> Nclx {
        Nclx {
            primaries: 2,
            transfer: 2,
            matrix: self.frame.matrix_coeffs.into(),
            is_full_range: self.frame.full_range,
        }
    }

    fn memory(&self) -> u64 {
        let deep: usize = self.frame.planes.iter().map(Vec::len).sum();
        (2 * deep + self.planes.iter().map(Vec::len).sum::<usize>()) as u64
    }

    fn copy_row(&self, plane: usize, y: u32, out: &mut [u16]) {
        let (width, y) = (self.frame.widths[plane] as usize, y as usize);
        if self.bit_depth() > 8 {
            let from = &self.frame.planes[plane][y * width..(y + 1) * width];
            out.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
        } else {
            let from = &self.planes[plane][y * width..(y + 1) * width];
            out.iter_mut().zip(from).for_each(|(to, from)| *to = (*from).into());
        }
    }
}
