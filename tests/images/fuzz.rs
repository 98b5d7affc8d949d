//! P1 to P3: mutations of valid files are an error or an image, and never a panic.

use tower_media::{ErrorKind, Rendition};

use crate::{fixture, images, panicked};

/// The smallest files of each format, which exercise each reader of ours.
const SEEDS: &[&str] = &[
    "exif-date-only.jpg",
    "progressive-100x700.jpg",
    "icc-wide.jpg",
    "exif.png",
    "palette-trns.png",
    "field/palette2-adam7.png",
    "field/rgba16-adam7.png",
    "static.gif",
    "animated.gif",
    "exif.webp",
    "animated.webp",
    "lossless-alpha.webp",
    #[cfg(feature = "heic")]
    "exif-gps.heic",
    #[cfg(feature = "heic")]
    "heif/iden.heic",
    #[cfg(feature = "heic")]
    "heif/clap-rot.heic",
    #[cfg(feature = "avif")]
    "exif.avif",
    #[cfg(feature = "avif")]
    "heif/alpha-grid-grid.avif",
    #[cfg(feature = "tiff")]
    "quad.tiff",
];

/// Mutations per file. More are tried with this environment variable.
const ROUNDS: usize = 60;
const ROUNDS_VARIABLE: &str = "TOWER_MEDIA_FUZZ_ROUNDS";

/// A generator of reproducible numbers.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % end.max(1)
    }
}

/// Applies one to four mutations, more often at the beginning, where the structure is.
fn mutate(mut bytes: Vec<u8>, numbers: &mut Numbers) -> Vec<u8> {
    for _ in 0..=numbers.below(4) {
        if bytes.len() < 16 {
            return bytes;
        }
        let end = if numbers.below(3) == 0 { bytes.len() } else { bytes.len().min(400) };
        let at = numbers.below(end - 8);
        match numbers.below(9) {
            0 | 1 => bytes[at] ^= 1 << numbers.below(8),
            2 => bytes[at] = numbers.below(256) as u8,
            3 => bytes[at..at + 4].fill([0, 0x7F, 0x80, 0xFF][numbers.below(4)]),
            4 => bytes[at] = bytes[at].wrapping_add([1, 255][numbers.below(2)]),
            5 => bytes.truncate(at + numbers.below(bytes.len() - at)),
            6 => drop(bytes.drain(at..at + 1 + numbers.below(7))),
            7 => {
                let length = 1 + numbers.below(64.min(bytes.len() - at));
                let copy = bytes[at..at + length].to_vec();
                let to = numbers.below(bytes.len());
                bytes.splice(to..to, copy);
            }
            _ => {
                let length = 1 + numbers.below(32);
                let noise: Vec<u8> = (0..length).map(|_| numbers.below(256) as u8).collect();
                bytes.splice(at..at, noise);
            }
        }
    }
    bytes
}

#[tokio::test]
async fn p03_mutated_files_cause_no_panic() {
    let rounds = std::env::var(ROUNDS_VARIABLE).map_or(ROUNDS, |rounds| rounds.parse().unwrap());
    let mut numbers = Numbers(rounds as u64);
    for name in SEEDS {
        let file = fixture(name);
        for round in 0..rounds {
            let mutated = bytes::Bytes::from(mutate(file.to_vec(), &mut numbers));
            let read = images().read(mutated.clone()).await.map(drop);
            let made = images().make(mutated, &[Rendition::png(16)]).await.map(drop);
            for error in [read, made].into_iter().filter_map(Result::err) {
                let expected = [ErrorKind::Failed, ErrorKind::Unsupported].contains(&error.kind());
                assert!(expected && !panicked(&error), "{name}, round {round}: {error:?}");
            }
        }
    }
}

#[tokio::test]
async fn p03_random_bytes_behind_magic_bytes_cause_no_panic() {
    let mut numbers = Numbers(1);
    for name in SEEDS {
        for kept in [4, 12, 24, 40] {
            for _ in 0..10 {
                let mut bytes = fixture(name)[..kept].to_vec();
                bytes.extend((0..600).map(|_| numbers.below(256) as u8));
                if let Err(error) = images().make(bytes, &[Rendition::png(16)]).await {
                    assert!(!panicked(&error), "{name}, {kept} bytes: {error:?}");
                }
            }
        }
    }
}
