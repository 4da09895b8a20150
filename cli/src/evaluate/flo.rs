//! Optical flow as the Middlebury and Sintel benchmarks store it: `.flo` files.
//!
//! Little-endian: the number 202021.25, width and height as 32 bit integers, then two 32 bit floats per pixel,
//! row by row (<https://vision.middlebury.edu/flow/code/flow-code/README.txt>).

use std::fs;
use std::path::Path;

use anyhow::{Context, ensure};

/// First four bytes of a file: 202021.25.
const MAGIC: [u8; 4] = *b"PIEH";
const HEADER_BYTES: usize = 12;
const PIXEL_BYTES: usize = 8;

/// Steps of more pixels stand for "unknown", by the README that defines the format.
const UNKNOWN: f32 = 1e9;

/// Motion from a frame to the next.
#[derive(Debug)]
pub struct Flow {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Steps in x and y in pixels, row by row; `None` where the motion is not known.
    pub steps: Vec<Option<[f32; 2]>>,
}

/// Reads a file.
///
/// # Errors
/// If it cannot be read, or is no flow.
pub fn read(path: &Path) -> anyhow::Result<Flow> {
    let bytes = fs::read(path).with_context(|| format!("reading {}", path.display()))?;
    parse(&bytes).with_context(|| format!("reading {}", path.display()))
}

fn parse(bytes: &[u8]) -> anyhow::Result<Flow> {
    ensure!(
        bytes.len() >= HEADER_BYTES && bytes[..4] == MAGIC,
        "it is no .flo file: it does not begin with PIEH, width and height"
    );
    let (width, height) = (side(&bytes[4..8]), side(&bytes[8..12]));
    let sides = 1..=engines::MAX_SIZE_PX as i32;
    ensure!(
        sides.contains(&width) && sides.contains(&height),
        "its size is {width}x{height}, wanted at most {0}x{0}",
        engines::MAX_SIZE_PX
    );
    let wanted_bytes = HEADER_BYTES + width as usize * height as usize * PIXEL_BYTES;
    ensure!(
        bytes.len() == wanted_bytes,
        "it has {} bytes, wanted {wanted_bytes} for {width}x{height}",
        bytes.len()
    );
    let steps = bytes[HEADER_BYTES..]
        .chunks_exact(PIXEL_BYTES)
        .map(|pixel| {
            let step = [component(&pixel[..4]), component(&pixel[4..])];
            // False for what is not a number, too.
            let is_known = step.iter().all(|step| step.abs() <= UNKNOWN);
            is_known.then_some(step)
        })
        .collect();
    Ok(Flow {
        width: width as u32,
        height: height as u32,
        steps,
    })
}

fn side(bytes: &[u8]) -> i32 {
    i32::from_le_bytes(bytes.try_into().expect("four bytes"))
}

fn component(bytes: &[u8]) -> f32 {
    f32::from_le_bytes(bytes.try_into().expect("four bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(width: i32, height: i32, steps: &[[f32; 2]]) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend(width.to_le_bytes());
        bytes.extend(height.to_le_bytes());
        bytes.extend(steps.iter().flatten().flat_map(|step| step.to_le_bytes()));
        bytes
    }

    #[test]
    fn the_magic_is_the_number_of_the_format() {
        assert_eq!(f32::from_le_bytes(MAGIC), 202_021.25);
    }

    #[test]
    fn steps_are_read_row_by_row() {
        let steps = [[1.0, -2.0], [0.5, 0.0], [2e9, 0.0], [f32::NAN, 0.0]];
        let flow = parse(&file(2, 2, &steps)).unwrap();
        assert_eq!((flow.width, flow.height), (2, 2));
        assert_eq!(
            flow.steps,
            [Some([1.0, -2.0]), Some([0.5, 0.0]), None, None]
        );
    }

    #[test]
    fn bad_files_are_refused_in_words() {
        struct Case {
            bytes: Vec<u8>,
            says: &'static str,
        }
        for Case { bytes, says } in [
            Case {
                bytes: Vec::new(),
                says: "no .flo file",
            },
            Case {
                bytes: b"PIEH\x01\0\0\0".to_vec(),
                says: "no .flo file",
            },
            Case {
                bytes: b"\x89PNG\r\n\x1a\n12345678".to_vec(),
                says: "no .flo file",
            },
            Case {
                bytes: file(2, 2, &[[0.0; 2]; 3]),
                says: "it has 36 bytes, wanted 44 for 2x2",
            },
            Case {
                bytes: file(2, 1, &[[0.0; 2]; 3]),
                says: "it has 36 bytes, wanted 28 for 2x1",
            },
            Case {
                bytes: file(0, 7, &[]),
                says: "its size is 0x7",
            },
            Case {
                bytes: file(-1, 7, &[]),
                says: "its size is -1x7",
            },
            Case {
                bytes: file(i32::MAX, i32::MAX, &[]),
                says: "wanted at most 8192x8192",
            },
        ] {
            let error = parse(&bytes).unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = format!("{:#}", read(Path::new("/none/a.flo")).unwrap_err());
        assert!(error.contains("/none/a.flo"), "{error}");
    }
}
