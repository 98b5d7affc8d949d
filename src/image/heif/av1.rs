//! The pixels of AVIF.

use heic_rs::{ChromaFormat, Error, MatrixCoefficients, Nclx, Range, hevc::Frame};
use re_rav1d::dav1d::{
    Picture, PixelLayout, PlanarImageComponent as Component, Settings, pixel::YUVRange,
};

use super::decode::{Allowance, Coded};

#[expect(clippy::disallowed_types, reason = "src/image is the only entry point to decoders (P1)")]
pub(super) fn decode(stream: Vec<u8>, allowance: &mut Allowance) -> Result<Coded, Error> {
    let mut settings = Settings::new();
    settings.set_n_threads(1);
    settings.set_max_frame_delay(1);
    settings.set_frame_size_limit(u32::try_from(allowance.left()?).unwrap_or(u32::MAX));
    let unread = |_| Error::Malformed("the AV1 stream");
    let mut decoder = re_rav1d::dav1d::Decoder::with_settings(&settings).map_err(unread)?;
    decoder.send_data(stream, None, None, None).map_err(unread)?;
    let picture = decoder.get_picture().map_err(unread)?;
    allowance.take((picture.width(), picture.height()))?;
    Ok(Coded { frame: planes(&picture)?, colours: Some(colours(&picture)) })
}

fn planes(picture: &Picture) -> Result<Frame, Error> {
    let chroma = match picture.pixel_layout() {
        PixelLayout::I400 => ChromaFormat::Monochrome,
        PixelLayout::I420 => ChromaFormat::Yuv420,
        PixelLayout::I422 => ChromaFormat::Yuv422,
        PixelLayout::I444 => ChromaFormat::Yuv444,
    };
    let is_narrow = picture.bit_depth() == 8;
    let samples = |component| {
        let plane = picture.plane(component);
        match is_narrow {
            true => plane.iter().copied().map(u16::from).collect(),
            false => {
                plane.chunks_exact(2).map(|two| u16::from_ne_bytes([two[0], two[1]])).collect()
            }
        }
    };
    // The decoder counts bytes.
    let stride = |component| picture.stride(component) / if is_narrow { 1 } else { 2 };
    let mut frame = Frame {
        width: picture.width(),
        height: picture.height(),
        bit_depth: picture.bit_depth() as u8,
        chroma,
        y: samples(Component::Y),
        y_stride: stride(Component::Y),
        cb: Vec::new(),
        cr: Vec::new(),
        c_stride: 0,
    };
    if chroma != ChromaFormat::Monochrome {
        frame.c_stride = stride(Component::U);
        (frame.cb, frame.cr) = (samples(Component::U), samples(Component::V));
    }
    frame.validate()?;
    Ok(frame)
}

fn colours(picture: &Picture) -> Nclx {
    let matrix = match MatrixCoefficients::from_code(picture.matrix_coefficients() as u16) {
        // As libavif has it.
        MatrixCoefficients::Unspecified => MatrixCoefficients::Bt601,
        told => told,
    };
    let range = match picture.color_range() {
        YUVRange::Limited => Range::Limited,
        YUVRange::Full => Range::Full,
    };
    Nclx { matrix, range, ..Nclx::default() }
}
