//! P6: renditions contain pixels only.

use tower_media::{
    Rendition,
    media::{Format, Transform, Variant},
};

use crate::{
    images,
    made::{Container, MAKE, chunk, exif, quad},
};

const XMP: &[u8] =
    b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta>Plantedplace 47.6603,9.1758</x:xmpmeta>";

/// Returns the byte sequences that no rendition may contain.
fn planted() -> Vec<Vec<u8>> {
    // Minutes and seconds of the latitude in EXIF, in both byte orders.
    let place = [39u32, 1, 3708, 100];
    let mut planted = vec![
        place.iter().flat_map(|part| part.to_be_bytes()).collect::<Vec<_>>(),
        place.iter().flat_map(|part| part.to_le_bytes()).collect(),
    ];
    let texts =
        [MAKE, "Planted", "Exif", "EXIF", "eXIf", "ns.adobe", "47.6603", "Photoshop", "tEXt"];
    planted.extend(texts.map(|text| text.as_bytes().to_vec()));
    planted.extend(["iTXt", "zTXt", "XMP ", "ICCP", "iCCP"].map(|text| text.as_bytes().to_vec()));
    planted
}

fn holds(bytes: &[u8], planted: &[u8]) -> bool {
    bytes.windows(planted.len()).any(|window| window == planted)
}

/// Returns an image with every kind of metadata of its container, and with trailing bytes.
fn with_everything(container: Container) -> Vec<u8> {
    let mut bytes = container.write(&quad(400, 300), &exif(6));
    match container {
        Container::Jpeg => {
            let segment = |marker: u8, data: &[u8]| {
                let length = (data.len() as u16 + 2).to_be_bytes();
                [&[0xFF, marker][..], &length, data].concat()
            };
            let segments = [
                segment(0xE1, XMP),
                segment(0xED, b"Photoshop 3.0\x008BIM\x04\x04Plantedcaption"),
                segment(0xFE, b"Plantedcomment 47.6603"),
            ];
            bytes.splice(2..2, segments.concat());
        }
        Container::Png => {
            let chunks = [
                chunk(b"tEXt", b"Comment\0Planted 47.6603"),
                chunk(b"iTXt", &[&b"XML:com.adobe.xmp\0\0\0\0\0"[..], XMP].concat()),
                chunk(b"tIME", &[7, 230, 1, 2, 3, 4, 5]),
            ];
            // Behind the signature and header of 33 bytes.
            bytes.splice(33..33, chunks.concat());
        }
        Container::WebP => {
            let size = (XMP.len() as u32).to_le_bytes();
            bytes.extend([&b"XMP "[..], &size, XMP].concat());
            if XMP.len() % 2 == 1 {
                bytes.push(0);
            }
            let size = (bytes.len() as u32 - 8).to_le_bytes();
            bytes[4..8].copy_from_slice(&size);
        }
        Container::Gif => {
            let end = bytes.len() - 1;
            bytes.splice(end..end, *b"\x21\xFE\x0FPlanted 47.6603\0");
        }
    }
    bytes.extend(b"Plantedtrailer 47.6603");
    bytes
}

#[tokio::test]
async fn p06_no_rendition_contains_planted_metadata() {
    let mut renditions: Vec<Rendition> = Variant::ALL.map(Into::into).to_vec();
    for format in [Format::WebP, Format::Jpeg, Format::Png] {
        renditions.push(Transform::new().with_format(format).into());
        renditions.push(Transform::new().with_format(format).with_width(50).into());
    }
    for container in Container::ALL {
        let picture = with_everything(container);
        assert!(planted().iter().any(|planted| holds(&picture, planted)));
        let made = images().make(picture.clone(), &renditions).await.unwrap();
        for (rendition, bytes) in renditions.iter().zip(made) {
            for planted in planted() {
                let text = String::from_utf8_lossy(&planted);
                assert!(!holds(&bytes, &planted), "{container:?} {rendition:?} holds {text:?}");
            }
            assert!(
                !holds(&picture, &bytes),
                "{container:?} {rendition:?} is a part of the original"
            );
        }
    }
}

#[tokio::test]
async fn p06_a_png_rendition_has_critical_chunks_only() {
    for container in Container::ALL {
        let made = images().make(with_everything(container), &[Rendition::png(300)]).await.unwrap();
        let mut rest = &made[0][8..];
        let mut kinds = Vec::new();
        while let [a, b, c, d, kind @ ..] = rest {
            let length = u32::from_be_bytes([*a, *b, *c, *d]) as usize;
            kinds.push(String::from_utf8_lossy(&kind[..4]).into_owned());
            rest = &kind[length + 8..];
        }
        kinds.dedup();
        assert_eq!(kinds, ["IHDR", "IDAT", "IEND"], "{container:?}");
    }
}
