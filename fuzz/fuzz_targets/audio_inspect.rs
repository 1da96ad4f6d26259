//! A file as an artist publishes it: sound, tags and cover. Whatever is wrong with it is an error or a warning.
#![no_main]

use std::{fs, ops::ControlFlow, path::PathBuf, sync::LazyLock};

use audio::inspect::{MOST_PEAKS, inspect};
use libfuzzer_sys::fuzz_target;

/// Blocks decoded per run, so that long recordings leave time for others.
const MOST_BLOCKS: usize = 1_000;

/// The crate reads files, so each run has one.
static FILE: LazyLock<PathBuf> =
    LazyLock::new(|| std::env::temp_dir().join(format!("musicdao-fuzz-{}", std::process::id())));

fuzz_target!(|data: &[u8]| {
    fs::write(&*FILE, data).expect("the folder for temporary files can be written");
    let mut blocks = 0;
    let inspection = inspect(&FILE, 200, &mut |part| {
        assert!((0.0..=1.0).contains(&part));
        blocks += 1;
        if blocks > MOST_BLOCKS { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    let Ok(inspection) = inspection else { return };
    assert!(inspection.waveform.len() <= MOST_PEAKS && inspection.frames > 0);
    assert!(inspection.true_peak >= 0.0 && inspection.loudness.is_none_or(f64::is_finite));
});
