//! The finished image, on which decoded images are drawn.

use super::{
    boxes::{Result, invalid},
    placement::Placement,
    planes::{Channel, Planes, RowConverter},
    properties::Nclx,
};

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
