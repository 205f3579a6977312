//! How a command ends. The exit codes are part of the interface and do not change.

use std::io::ErrorKind;
use std::process::ExitCode;

use thiserror::Error;

use crate::cli::out::tell;
use crate::runtime::publish::Invalid;

/// Done as asked.
pub const OK: u8 = 0;
/// Refused, or failed on the way.
pub const REFUSED: u8 = 1;
/// No server answers on the control socket.
pub const UNREACHABLE: u8 = 2;
/// The command line is wrong, or `serve` has nothing valid to run (EX_USAGE of sysexits.h).
pub const USAGE: u8 = 64;

/// The table that `--help` ends with.
pub const TABLE: &str = "Exit codes:
  0   done as asked
  1   refused, or failed; standard error says why
  2   no server answers on the control socket; for call and answer: the call did not come about
  64  the command line is wrong, or serve has no valid configuration";

/// How a command that ran to its end came out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Outcome {
    Done,
    /// What had to be said is said already.
    Refused,
    /// A test phone has its own reading of how a call went.
    Judged(ExitCode),
}

/// Nobody answers.
#[derive(Debug, Error)]
#[error("no server answers on {socket}: {why}. Is `wardline serve` running with the same --config?")]
pub struct Unreachable {
    pub socket: String,
    pub why: String,
    /// No process holds the socket; else somebody does, and does not answer us.
    pub nobody: bool,
}

/// The server said no, in words that may be a whole report.
#[derive(Debug, Error)]
#[error("{0}")]
pub struct Refused(pub String);

/// The words of the command line do not fit together.
#[derive(Debug, Error)]
#[error("{0}")]
pub struct Usage(pub String);

/// The exit code of a result; what went wrong is told on the way.
pub fn code(result: anyhow::Result<Outcome>) -> ExitCode {
    match result {
        Ok(Outcome::Done) => ExitCode::from(OK),
        Ok(Outcome::Refused) => ExitCode::from(REFUSED),
        Ok(Outcome::Judged(code)) => code,
        Err(error) => ExitCode::from(code_of(&error)),
    }
}

fn code_of(error: &anyhow::Error) -> u8 {
    let gone = |cause: &(dyn std::error::Error + 'static)| {
        cause.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == ErrorKind::BrokenPipe)
    };
    if error.chain().any(gone) {
        return OK;
    }
    let text = format!("{error:#}");
    // A report draws itself; anything else is one sentence.
    tell(&if text.contains('\n') { text.trim_end().to_owned() } else { format!("wardline: {text}") });
    if error.is::<Unreachable>() {
        UNREACHABLE
    } else if error.is::<Usage>() || error.is::<Invalid>() {
        USAGE
    } else {
        REFUSED
    }
}
