//! Sample pictures for users without pictures.

use std::io::Cursor;

use image::{ImageFormat, Rgb, RgbImage};
use tower_media::{MediaState, Upload};

use super::people::Person;

const SIZE: (u32, u32) = (960, 640);

type Colour = [f32; 3];

/// A landscape: the sky from top to bottom, the sun, and the hills from far to near.
struct Landscape {
    name: &'static str,
    sky: [Colour; 2],
    sun: (Colour, f32, f32),
    hills: [Colour; 2],
    waves: f32,
}

const DUNES: Landscape = Landscape {
    name: "dunes.png",
    sky: [[84., 160., 206.], [250., 222., 178.]],
    sun: ([255., 246., 214.], 0.72, 0.30),
    hills: [[232., 168., 104.], [150., 82., 52.]],
    waves: 1.1,
};
const LAKE: Landscape = Landscape {
    name: "lake.png",
    sky: [[246., 166., 140.], [252., 226., 196.]],
    sun: ([255., 252., 240.], 0.30, 0.42),
    hills: [[122., 160., 176.], [34., 74., 98.]],
    waves: 1.9,
};
const NIGHT: Landscape = Landscape {
    name: "night.png",
    sky: [[14., 20., 56.], [92., 78., 140.]],
    sun: ([238., 236., 220.], 0.64, 0.24),
    hills: [[62., 56., 112.], [16., 16., 42.]],
    waves: 1.5,
};
const MEADOW: Landscape = Landscape {
    name: "meadow.png",
    sky: [[118., 190., 226.], [226., 242., 240.]],
    sun: ([255., 250., 220.], 0.24, 0.26),
    hills: [[150., 196., 122.], [46., 104., 60.]],
    waves: 0.8,
};

/// Adds sample pictures for each user without pictures.
pub(crate) async fn add(media: &MediaState) -> Result<(), Box<dyn std::error::Error>> {
    for (person, landscapes) in Person::ALL.into_iter().zip([[DUNES, LAKE], [NIGHT, MEADOW]]) {
        if media.stats(&person.owner()).await?.count > 0 {
            continue;
        }
        for landscape in landscapes {
            let mut png = Cursor::new(Vec::new());
            landscape.paint().write_to(&mut png, ImageFormat::Png)?;
            let upload = Upload::new(png.into_inner()).file_name(landscape.name);
            media.upload(&person.owner(), upload.scope(super::SCOPE)).await?;
        }
    }
    Ok(())
}

impl Landscape {
    fn paint(&self) -> RgbImage {
        let (width, height) = (SIZE.0 as f32, SIZE.1 as f32);
        let mut picture = RgbImage::from_fn(SIZE.0, SIZE.1, |x, y| {
            let sky = mixed(self.sky[0], self.sky[1], y as f32 / height);
            let (sun, left, top) = self.sun;
            let distance = (x as f32 - left * width).hypot(y as f32 - top * height);
            rgb(mixed(sun, sky, ((distance - 56.) / 3.).clamp(0., 1.)))
        });
        const HILLS: u8 = 4;
        for hill in 0..HILLS {
            let near = f32::from(hill) / f32::from(HILLS - 1);
            let colour = rgb(mixed(self.hills[0], self.hills[1], near));
            for x in 0..SIZE.0 {
                let turn =
                    x as f32 / width * std::f32::consts::TAU * self.waves + 2.4 * near * self.waves;
                let ridge = turn.sin() * 0.05 + (turn * 2.3 + near * 5.).sin() * 0.025;
                let top = ((0.56 + 0.12 * near * 2. + ridge) * height) as u32;
                for y in top.min(SIZE.1)..SIZE.1 {
                    picture.put_pixel(x, y, colour);
                }
            }
        }
        picture
    }
}

fn mixed(from: Colour, to: Colour, part: f32) -> Colour {
    std::array::from_fn(|channel| from[channel] + (to[channel] - from[channel]) * part)
}

fn rgb(colour: Colour) -> Rgb<u8> {
    Rgb(colour.map(|channel| channel as u8))
}
