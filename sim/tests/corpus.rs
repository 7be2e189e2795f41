//! Failures of the past stay fixed: every schedule in `sim/corpus` passes now.

use std::path::Path;

use syncline_sim::failure::Failure;
use syncline_sim::world;

#[test]
fn schedules_that_once_failed_pass() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let file = path.file_name().unwrap().to_string_lossy().into_owned();
        let failure = Failure::from_toml(&file, &std::fs::read_to_string(&path).unwrap()).unwrap();
        assert_eq!(world::run(&failure.schedule, None).violation, None, "{file}");
        count += 1;
    }
    assert!(count > 0, "the corpus is empty");
}
