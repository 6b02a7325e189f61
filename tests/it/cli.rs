//! The command line as a person meets it.

use std::process::Command;

/// The program under test.
pub fn peapod() -> Command {
    Command::new(env!("CARGO_BIN_EXE_peapod"))
}

#[test]
fn version_is_said() {
    let output = peapod().arg("--version").output().expect("peapod starts");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    assert_eq!(text, format!("peapod {}\n", env!("CARGO_PKG_VERSION")));
}
