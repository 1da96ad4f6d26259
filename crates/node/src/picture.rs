//! Covers: which files are pictures, a size that every screen loads, and the colour of a release.

use std::{ffi::OsStr, io::Cursor, path::Path};

use bytes::Bytes;
use image::{DynamicImage, ImageReader, Limits, RgbImage, codecs::jpeg::JpegEncoder, imageops::FilterType};
use palette::{FromColor, LinSrgb, Oklab, Oklch, Srgb};

use crate::{api::ApiError, asset::MAX_ASSET};

/// Endings of pictures that a folder or an archive is searched for.
const ENDINGS: [&str; 5] = ["jpg", "jpeg", "png", "webp", "gif"];
/// Names of files that are a cover, the likeliest first.
const COVERS: [&str; 4] = ["cover", "front", "folder", "album"];
/// Widest and highest picture that is decoded, in pixels.
const MAX_SIDE: u32 = 12_000;
/// Most memory for decoding one.
const MAX_DECODED: u64 = 512 << 20;
/// Widest and highest picture that is handed to a screen, in pixels; one of that size has 16 megapixels. Others choose what
/// is decoded, and a few bytes of PNG can be gigabytes of pixels.
const MAX_SHOWN: u32 = 4_096;
/// Side of a picture that was too large to be loaded with every list, in pixels.
const SIDE: u32 = 1_400;
/// How well it is encoded, of 100: the best that is small enough.
const QUALITIES: [u8; 3] = [88, 70, 50];
/// Side of a picture as lists show it: twice the widest card, for screens with small pixels.
const SMALL_SIDE: u32 = 400;
/// How well it is encoded, of 100.
const SMALL_QUALITY: u8 = 82;
/// A picture of at most that side and so many bytes is small already.
const SMALL_ENOUGH: usize = 64 << 10;
/// Most memory for decoding a picture that may be shown: [`MAX_SHOWN`] a side at 16 bits a channel.
const SHOWN_DECODED: u64 = 128 << 20;
/// Side that a picture is reduced to before its colours are counted.
const SAMPLE: u32 = 64;
/// Parts of the circle of hues.
const HUES: usize = 24;
/// Chroma (Oklch) below which a colour counts as grey.
const GREY: f32 = 0.04;
/// Lightness (Oklch) outside of which a colour looks black or white.
const LIGHT: std::ops::RangeInclusive<f32> = 0.25..=0.95;
/// Part of the picture that has to be colourful for it to have a colour.
const COLOURFUL: f32 = 0.01;

/// A cover as it is published.
#[derive(Clone, Debug)]
pub(crate) struct Cover {
    /// The picture, as it was unless it was too large.
    pub(crate) bytes: Bytes,
    /// Its most vivid colour as `0xRRGGBB`; none for a grey picture.
    pub(crate) accent: Option<u32>,
}

/// Says whether a file is a picture by its name.
pub(crate) fn looks_like_one(path: &Path) -> bool {
    let ending = path.extension().and_then(OsStr::to_str).unwrap_or_default().to_ascii_lowercase();
    ENDINGS.contains(&ending.as_str())
}

/// Chooses the likeliest cover among the pictures of a folder.
pub(crate) fn likeliest<'a>(pictures: impl Iterator<Item = &'a Path> + Clone) -> Option<&'a Path> {
    let stem = |path: &Path| path.file_stem().unwrap_or_default().to_string_lossy().to_lowercase();
    let named = |name: &&str| pictures.clone().find(|path| stem(path).contains(*name));
    COVERS.iter().find_map(named).or_else(|| pictures.clone().next())
}

/// Makes a cover of a picture's bytes.
///
/// # Errors
/// `not_an_image`.
pub(crate) fn cover(bytes: Bytes) -> Result<Cover, ApiError> {
    let image = decode(&bytes)?;
    let accent = accent(&image.thumbnail(SAMPLE, SAMPLE).to_rgb8());
    let bytes =
        if bytes.len() as u64 > MAX_ASSET || shown(&bytes).is_err() { smaller(&image)? } else { bytes };
    Ok(Cover { bytes, accent })
}

/// Looks at a picture's head alone, before a screen decodes all of it.
///
/// # Errors
/// `asset_too_large` above 4,096 pixels a side, `not_an_image`.
pub(crate) fn shown(bytes: &[u8]) -> Result<(), ApiError> {
    let (mut width, mut height) =
        reader(bytes, MAX_SHOWN, SHOWN_DECODED).and_then(ImageReader::into_dimensions).map_err(refused)?;
    if let Some((right, bottom)) = first_frame(bytes) {
        (width, height) = (width.max(right), height.max(bottom));
    }
    if width.max(height) > MAX_SHOWN {
        Err(too_large(format_args!("{width} x {height} pixels")))
    } else {
        Ok(())
    }
}

/// Makes a picture as lists show it.
///
/// # Errors
/// As [`shown`].
pub(crate) fn small(bytes: Bytes) -> Result<Bytes, ApiError> {
    shown(&bytes)?;
    let image = reader(&bytes, MAX_SHOWN, SHOWN_DECODED).and_then(ImageReader::decode).map_err(refused)?;
    if image.width().max(image.height()) <= SMALL_SIDE && bytes.len() <= SMALL_ENOUGH {
        return Ok(bytes);
    }
    encode(&image.thumbnail(SMALL_SIDE, SMALL_SIDE).to_rgb8(), SMALL_QUALITY)
}

fn decode(bytes: &[u8]) -> Result<DynamicImage, ApiError> {
    reader(bytes, MAX_SIDE, MAX_DECODED).and_then(ImageReader::decode).map_err(|error| not_an_image(&error))
}

fn reader(bytes: &[u8], side: u32, memory: u64) -> Result<ImageReader<Cursor<&[u8]>>, image::ImageError> {
    let mut reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format()?;
    let mut limits = Limits::no_limits();
    (limits.max_image_width, limits.max_image_height) = (Some(side), Some(side));
    limits.max_alloc = Some(memory);
    reader.limits(limits);
    Ok(reader)
}

/// Where the first frame of a GIF ends to the right and below: browsers grow the picture to it, whatever its head says.
fn first_frame(bytes: &[u8]) -> Option<(u32, u32)> {
    /// A table of colours, by the byte that announces it.
    fn table(flags: u8) -> usize {
        if flags & 0x80 == 0 { 0 } else { 3 << ((flags & 7) + 1) }
    }
    let mut at = 13 + table(*bytes.strip_prefix(b"GIF8")?.get(6)?);
    loop {
        match bytes.get(at..)? {
            // An extension: its kind, then blocks that each say their length, up to an empty one.
            [0x21, ..] => {
                at += 2;
                while let block @ 1.. = usize::from(*bytes.get(at)?) {
                    at += 1 + block;
                }
                at += 1;
            }
            [0x2c, l0, l1, t0, t1, w0, w1, h0, h1, ..] => {
                let [left, top, width, height] = [[*l0, *l1], [*t0, *t1], [*w0, *w1], [*h0, *h1]]
                    .map(|pair| u32::from(u16::from_le_bytes(pair)));
                return Some((left + width, top + height));
            }
            _ => return None,
        }
    }
}

fn encode(image: &RgbImage, quality: u8) -> Result<Bytes, ApiError> {
    let mut bytes = Vec::new();
    let mut encoder = JpegEncoder::new_with_quality(&mut bytes, quality);
    encoder.encode_image(image).map_err(|error| not_an_image(&error))?;
    Ok(bytes.into())
}

fn smaller(image: &DynamicImage) -> Result<Bytes, ApiError> {
    let small = image.resize(SIDE, SIDE, FilterType::CatmullRom).to_rgb8();
    let mut bytes = Bytes::new();
    for quality in QUALITIES {
        bytes = encode(&small, quality)?;
        if bytes.len() as u64 <= MAX_ASSET {
            break;
        }
    }
    Ok(bytes)
}

fn refused(error: image::ImageError) -> ApiError {
    match error {
        image::ImageError::Limits(error) => too_large(format_args!("{error}")),
        error => not_an_image(&error),
    }
}

fn too_large(why: std::fmt::Arguments<'_>) -> ApiError {
    ApiError::new("asset_too_large", format!("pictures of up to {MAX_SHOWN} pixels a side are shown: {why}"))
}

fn not_an_image(error: &image::ImageError) -> ApiError {
    ApiError::new(
        "not_an_image",
        format!("this is not a PNG, JPEG, GIF or WebP picture that can be shown: {error}"),
    )
}

/// The colour of the hue whose pixels are the most vivid together.
fn accent(image: &RgbImage) -> Option<u32> {
    let mut hues = [(0.0_f32, Oklab::new(0.0, 0.0, 0.0)); HUES];
    for pixel in image.pixels() {
        let lab = Oklab::from_color(Srgb::from(pixel.0).into_format::<f32>().into_linear());
        let lch = Oklch::from_color(lab);
        if lch.chroma < GREY || !LIGHT.contains(&lch.l) {
            continue;
        }
        let turn = lch.hue.into_positive_degrees() / 360.0;
        let (weight, sum) = &mut hues[(turn * HUES as f32) as usize % HUES];
        // Vivid pixels count more than their number: a red label on a brown sleeve is red.
        let vivid = lch.chroma * lch.chroma;
        *weight += vivid;
        *sum = Oklab::new(sum.l + lab.l * vivid, sum.a + lab.a * vivid, sum.b + lab.b * vivid);
    }
    let (weight, sum) = hues.into_iter().max_by(|one, two| one.0.total_cmp(&two.0))?;
    let least = image.pixels().len() as f32 * COLOURFUL * GREY * GREY;
    if weight <= least {
        return None;
    }
    let mean = Oklab::new(sum.l / weight, sum.a / weight, sum.b / weight);
    let colour: Srgb<u8> = Srgb::<f32>::from_linear(LinSrgb::<f32>::from_color(mean)).into_format();
    let [red, green, blue] = [colour.red, colour.green, colour.blue].map(u32::from);
    Some(red << 16 | green << 8 | blue)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(side: u32, paint: impl Fn(u32, u32) -> [u8; 3]) -> Vec<u8> {
        let image = RgbImage::from_fn(side, side, |x, y| image::Rgb(paint(x, y)));
        let mut bytes = Cursor::new(Vec::new());
        image.write_to(&mut bytes, image::ImageFormat::Png).unwrap();
        bytes.into_inner()
    }

    #[test]
    fn the_accent_is_the_vivid_colour_not_the_most_common_one() {
        let red_label = picture(128, |x, y| if x < 32 && y < 32 { [224, 48, 32] } else { [60, 52, 48] });
        let accent = cover(red_label.into()).unwrap().accent.unwrap();
        let [red, green, blue] = [accent >> 16, accent >> 8 & 255, accent & 255];
        assert!(red > 190 && green < 90 && blue < 80, "{accent:#x}");
        let grey = picture(64, |x, _| [(x * 4) as u8; 3]);
        assert_eq!(cover(grey.into()).unwrap().accent, None);
    }

    #[test]
    fn a_picture_too_large_for_lists_becomes_smaller_and_others_stay_as_they_are() {
        let noise = |x: u32, y: u32| [x, y, x ^ y].map(|n| (n.wrapping_mul(2_654_435_761) >> 11) as u8);
        let large = picture(2_000, noise);
        assert!(large.len() as u64 > MAX_ASSET);
        let small = cover(large.into()).unwrap().bytes;
        assert!(small.len() as u64 <= MAX_ASSET && small.starts_with(b"\xFF\xD8\xFF"));
        let fine = picture(64, noise);
        assert_eq!(cover(fine.clone().into()).unwrap().bytes, fine);
    }

    #[test]
    fn lists_show_a_small_copy_of_what_is_not_small_already() {
        let ramp = |x: u32, y: u32| [x as u8, y as u8, (x ^ y) as u8];
        let large = small(picture(1_000, ramp).into()).unwrap();
        let shown = decode(&large).unwrap();
        assert_eq!((shown.width(), shown.height()), (SMALL_SIDE, SMALL_SIDE));
        assert!(large.len() < SMALL_ENOUGH, "{} bytes", large.len());
        let tiny = Bytes::from(picture(64, ramp));
        assert_eq!(small(tiny.clone()).unwrap(), tiny);
        assert_eq!(small(Bytes::from_static(b"no picture")).unwrap_err().code, "not_an_image");
    }

    #[test]
    fn a_few_bytes_that_are_very_many_pixels_reach_no_screen() {
        let bomb = |side| Bytes::from(picture(side, |_, _| [7; 3]));
        let (fits, wide) = (bomb(MAX_SHOWN), bomb(MAX_SHOWN + 1));
        shown(&fits).unwrap();
        small(fits).unwrap();
        assert!(wide.len() < SMALL_ENOUGH * 4, "{} bytes", wide.len());
        assert_eq!(shown(&wide).unwrap_err().code, "asset_too_large");
        assert_eq!(small(wide.clone()).unwrap_err().code, "asset_too_large");
        // One's own becomes smaller when it is published, so that others see it.
        shown(&cover(wide).unwrap().bytes).unwrap();
        // No more than the head is looked at.
        let mut head = picture(64, |_, _| [7; 3]);
        head.truncate(60);
        shown(&head).unwrap();
    }

    #[test]
    fn a_gif_is_as_large_as_its_first_frame() {
        // A screen of one pixel with two colours, a comment, and a frame that is much wider.
        let gif = |width: u16| {
            let mut bytes =
                b"GIF89a\x01\x00\x01\x00\x80\x00\x00\0\0\0\xff\xff\xff\x21\xfe\x02hi\x00\x2c\0\0\0\0"
                    .to_vec();
            bytes.extend([width.to_le_bytes(), 1_u16.to_le_bytes()].concat());
            bytes.extend(b"\x00\x02\x02\x44\x01\x00\x3b");
            bytes
        };
        shown(&gif(1)).unwrap();
        assert_eq!(shown(&gif(60_000)).unwrap_err().code, "asset_too_large");
        for cut in 0..gif(1).len() {
            let _ = shown(&gif(1)[..cut]);
        }
    }

    #[test]
    fn what_is_no_picture_is_said_so() {
        let mut cut = picture(64, |_, _| [1, 2, 3]);
        cut.truncate(60);
        for bytes in [&b"GIF8 not really"[..], b"", b"<svg/>", &cut] {
            assert_eq!(cover(Bytes::copy_from_slice(bytes)).unwrap_err().code, "not_an_image");
        }
    }

    #[test]
    fn the_front_cover_is_found_by_its_name() {
        let paths = ["scans/back.jpg", "scans/Front Cover.png", "band.jpg"].map(Path::new);
        assert_eq!(likeliest(paths.into_iter()), Some(paths[1]));
        assert_eq!(likeliest(paths[2..].iter().copied()), Some(paths[2]));
        assert_eq!(likeliest([].into_iter()), None);
    }
}
