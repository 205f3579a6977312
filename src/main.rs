//! The `wardline` program: everything is in the library, so that tests reach it.

use std::process::ExitCode;

fn main() -> ExitCode {
    wardline::cli::main(std::env::args_os())
}
