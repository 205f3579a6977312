//! The sample loads, and broken files are refused with the right place and words.

use std::path::Path;

use super::*;

fn surroundings() -> Surroundings {
    let now = "2026-06-01T12:00:00Z".parse().expect("a timestamp");
    Surroundings { variables: BTreeMap::new(), now }
}

fn sample() -> Loaded {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("sip-config");
    load(&folder, &surroundings()).unwrap_or_else(|report| panic!("{}", render::text(&report, false)))
}

#[test]
#[ignore = "waits for plans/hotline.toml"]
fn the_sample_loads_without_a_finding() {
    let loaded = sample();
    assert_eq!(render::text(&loaded.warnings, false), "");
}
