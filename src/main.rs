//! The command line.

use std::process::ExitCode;

/// What a simulation does most is to make and drop small strings.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    peapod::cli::main()
}
