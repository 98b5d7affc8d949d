//! A synthetic photograph: soft shapes at all sizes, colours, light, and sensor noise.

use jpeg_encoder::{ColorType, Encoder, SamplingFactor};

/// The amplitude of the sensor noise.
const GRAIN: f32 = 22.0;

/// Returns a JPEG of this size with quality 90 and 4:2:0, about 280 KB per megapixel. Deterministic.
pub(crate) fn jpeg(width: u16, height: u16) -> Vec<u8> {
    let mut rgb = Vec::with_capacity(usize::from(width) * usize::from(height) * 3);
    for y in 0..height {
        for x in 0..width {
            let sky = 60.0 + 120.0 * f32::from(y) / f32::from(height);
            rgb.extend(pixel(u32::from(x), u32::from(y), sky));
        }
    }
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, 90);
    encoder.set_sampling_factor(SamplingFactor::F_2_2);
    encoder.encode(&rgb, width, height, ColorType::Rgb).unwrap();
    bytes
}

fn pixel(x: u32, y: u32, sky: f32) -> [u8; 3] {
    let at = |size: f32, seed| smooth(x as f32 / size, y as f32 / size, seed);
    let (mut light, mut depth, mut size) = (0.0, 110.0, 900.0);
    for octave in 0..8 {
        light += depth * at(size, octave);
        depth *= 0.62;
        size *= 0.45;
    }
    let base = sky + light + GRAIN * random(x, y, 99);
    [base + 60.0 * at(500.0, 50), base, base + 60.0 * at(700.0, 51)].map(|value| value as u8)
}

/// Random values on a grid, with smooth interpolation.
fn smooth(x: f32, y: f32, seed: u32) -> f32 {
    let soft = |part: f32| part * part * (3.0 - 2.0 * part);
    let (left, top) = (x as u32, y as u32);
    let (across, down) = (soft(x.fract()), soft(y.fract()));
    let row = |y| random(left, y, seed) * (1.0 - across) + random(left + 1, y, seed) * across;
    row(top) * (1.0 - down) + row(top + 1) * down
}

/// Returns a pseudorandom value from -0.5 to 0.5.
fn random(x: u32, y: u32, seed: u32) -> f32 {
    let mut bits = x.wrapping_mul(0x9E37_79B1) ^ y.wrapping_mul(0x85EB_CA77);
    bits ^= seed.wrapping_mul(0xC2B2_AE3D);
    bits = (bits ^ (bits >> 15)).wrapping_mul(0x2C1B_3C6D);
    bits = (bits ^ (bits >> 12)).wrapping_mul(0x297A_2D39);
    (bits ^ (bits >> 15)) as f32 / u32::MAX as f32 - 0.5
}
