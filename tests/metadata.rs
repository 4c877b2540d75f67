//! Every vendor's metadata file through the bridge file, as an admin would bring it in.

use std::path::PathBuf;

use crate::support::bridge::Setup;
use crate::support::{REPOSITORY, Scratch};

fn fixtures() -> Vec<PathBuf> {
    let folder = PathBuf::from(REPOSITORY).join("fixtures/metadata");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "xml"))
        .collect();
    files.sort();
    files
}

fn bridge_file(metadata: &str) -> String {
    format!(
        "version: 1
tenants:
  - slug: acme
    display_name: Acme
    connections:
      - slug: idp
        protocol: saml
        idp_metadata: {{ file: {metadata} }}
"
    )
}

#[test]
fn vendor_files_are_taken_and_bad_ones_refused_with_file_and_line() {
    let scratch = Scratch::new("metadata");
    let setup = Setup::sqlite(scratch.path());
    let (mut taken, mut refused) = (0, 0);
    for path in fixtures() {
        let name = path.file_name().unwrap().to_str().unwrap();
        let file = scratch.write("bridge.yaml", &bridge_file(path.to_str().unwrap()));
        let output = setup.run(&["plan", "-f", file.to_str().unwrap()]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        if name.starts_with("bad-") {
            assert_eq!(output.status.code(), Some(2), "{name} was taken");
            assert!(said.contains("bridge.yaml:8"), "{name}: no file and line in {said}");
            refused += 1;
        } else {
            assert_eq!(output.status.code(), Some(0), "{name} was refused: {said}");
            taken += 1;
        }
    }
    assert!(taken >= 9 && refused >= 15, "{taken} taken, {refused} refused");
}
