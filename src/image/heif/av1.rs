//! Decodes the coded images of AVIF (AV1).

use re_rav1d::dav1d::{
    Picture, PixelLayout, PlanarImageComponent as Component, Plane, Settings, pixel::YUVRange,
};

use super::{boxes::Result, planes::Planes, properties::Nclx};

/// The bytes per pixel that decoding takes with 4:2:0 chroma of 8 bits: planes, and the decoder's tables.
pub(super) const BYTES_PER_PIXEL: u64 = 4;

#[expect(clippy::disallowed_types, reason = "src/image is the only entry point to decoders (P1)")]
/// Decodes one image of at most `max_pixels`.
pub(super) fn decode(data: Vec<u8>, max_pixels: u64) -> Result<Box<dyn Planes>> {
    let mut settings = Settings::new();
    settings.set_n_threads(1);
    settings.set_max_frame_delay(1);
    settings.set_frame_size_limit(u32::try_from(max_pixels.max(1)).unwrap_or(u32::MAX));
    let mut decoder = re_rav1d::dav1d::Decoder::with_settings(&settings)?;
    decoder.send_data(data, None, None, None)?;
    let picture = decoder.get_picture()?;
    let planes = [Component::Y, Component::U, Component::V].map(|plane| picture.plane(plane));
    Ok(Box::new(Decoded { planes, picture }))
}

struct Decoded {
    planes: [Plane; 3],
    picture: Picture,
}

impl Planes for Decoded {
    fn size(&self) -> (u32, u32) {
        (self.picture.width(), self.picture.height())
    }

    fn bit_depth(&self) -> u8 {
        self.picture.bit_depth() as u8
    }

    fn chroma_subsampling(&self) -> Option<(u32, u32)> {
        match self.picture.pixel_layout() {
            PixelLayout::I400 => None,
            PixelLayout::I420 => Some((2, 2)),
            PixelLayout::I422 => Some((2, 1)),
            PixelLayout::I444 => Some((1, 1)),
        }
    }

    fn nclx(&self) -> Nclx {
        Nclx {
            primaries: self.picture.color_primaries() as u16,
            transfer: self.picture.transfer_characteristic() as u16,
            matrix: self.picture.matrix_coefficients() as u16,
            is_full_range: matches!(self.picture.color_range(), YUVRange::Full),
        }
    }

    fn memory(&self) -> u64 {
        let planes = if self.chroma_subsampling().is_none() { 1 } else { 3 };
        self.planes[..planes].iter().map(|plane| plane.len() as u64).sum()
    }

    fn copy_row(&self, plane: usize, y: u32, out: &mut [u16]) {
        let component = [Component::Y, Component::U, Component::V][plane];
        let from = &self.planes[plane][y as usize * self.picture.stride(component) as usize..];
        if self.bit_depth() == 8 {
            out.iter_mut().zip(from).for_each(|(to, from)| *to = (*from).into());
        } else {
            let from = from.chunks_exact(2).map(|two| u16::from_ne_bytes([two[0], two[1]]));
            out.iter_mut().zip(from).for_each(|(to, from)| *to = from);
        }
    }
}
