//! The blocks before the first frame of a GIF file.

use std::io::{self, BufRead};

use crate::image::{format::MAX_ICC_PROFILE, input::invalid};

const HEADER_BYTES: usize = 13;
const EXTENSION: u8 = 0x21;
const IMAGE: u8 = 0x2C;
const TRAILER: u8 = 0x3B;
const GRAPHIC_CONTROL: u8 = 0xF9;
const APPLICATION: u8 = 0xFF;
/// The bytes of a graphic control extension.
const CONTROL_BYTES: usize = 4;
const ICC_NAME: &[u8] = b"ICCRGBG1012";

/// The blocks before the first frame that decoding needs.
#[derive(Debug)]
pub(super) struct Blocks {
    /// The header, the global color table and the valid graphic control extension of the first frame.
    pub(super) stream: Vec<u8>,
    pub(super) icc_profile: Option<Vec<u8>>,
}

impl Blocks {
    /// Reads up to the separator of the first image, and skips all other extensions and stray bytes.
    pub(super) fn read(input: &mut impl BufRead) -> io::Result<Self> {
        let mut stream = vec![0; HEADER_BYTES];
        input.read_exact(&mut stream)?;
        let flags = stream[10];
        if flags & 0x80 != 0 {
            let mut color_table = vec![0; 6 << (flags & 7)];
            input.read_exact(&mut color_table)?;
            stream.extend(color_table);
        }
        let (mut control, mut icc_profile) = (None, None);
        loop {
            match read_byte(input)? {
                IMAGE => break,
                TRAILER => return Err(invalid("the file has no frame")),
                EXTENSION => {
                    let label = read_byte(input)?;
                    let mut first = Vec::new();
                    if !read_sub_block(input, &mut first)? {
                        continue;
                    }
                    if label == GRAPHIC_CONTROL && first.len() >= CONTROL_BYTES {
                        first.truncate(CONTROL_BYTES);
                        control = Some(first);
                        skip_sub_blocks(input)?;
                    } else if label == APPLICATION && first == ICC_NAME && icc_profile.is_none() {
                        icc_profile = read_profile(input)?;
                    } else {
                        skip_sub_blocks(input)?;
                    }
                }
                // A stray byte.
                _ => {}
            }
        }
        if let Some(control) = control {
            stream.extend([EXTENSION, GRAPHIC_CONTROL, CONTROL_BYTES as u8]);
            stream.extend(control);
            stream.push(0);
        }
        stream.push(IMAGE);
        Ok(Self { stream, icc_profile })
    }
}

/// Reads the rest of an application extension; `None` if the profile is too large.
fn read_profile(input: &mut impl BufRead) -> io::Result<Option<Vec<u8>>> {
    let mut profile = Vec::new();
    while read_sub_block(input, &mut profile)? {
        if profile.len() > MAX_ICC_PROFILE {
            skip_sub_blocks(input)?;
            return Ok(None);
        }
    }
    Ok(Some(profile))
}

fn skip_sub_blocks(input: &mut impl BufRead) -> io::Result<()> {
    let mut skipped = Vec::new();
    while read_sub_block(input, &mut skipped)? {
        skipped.clear();
    }
    Ok(())
}

/// Appends the data of the next sub-block; `false` at the terminator.
fn read_sub_block(input: &mut impl BufRead, data: &mut Vec<u8>) -> io::Result<bool> {
    let length = read_byte(input)?;
    let start = data.len();
    data.resize(start + usize::from(length), 0);
    input.read_exact(&mut data[start..])?;
    Ok(length > 0)
}

fn read_byte(input: &mut impl BufRead) -> io::Result<u8> {
    let mut byte = [0];
    input.read_exact(&mut byte)?;
    Ok(byte[0])
}
