//! Cargo does not notice new files in embedded folders by itself.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=migrations");
    // A debug build reads these from disk, and must not be compiled again for each edited template or note.
    if std::env::var("PROFILE").is_ok_and(|profile| profile == "release") {
        for folder in ["notes", "templates", "static"] {
            if std::path::Path::new(folder).exists() {
                println!("cargo:rerun-if-changed={folder}");
            }
        }
    }
}
