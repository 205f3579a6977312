//! The log of `serve`: text on a terminal, JSON otherwise, written by a thread of its own. When nobody reads it, or the
//! disk behind it stalls, lines are lost and calls go on.

use std::io::IsTerminal;

use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::EnvFilter;

use crate::cli::out::tell;
use crate::config::{Log, LogFormat};

/// Lines between the program and whoever reads its log: a second of a busy node at debug.
const MAX_LINES: usize = 16_384;

/// Starts logging as the configuration says; without one (it is not valid, and `serve` will say what is wrong) at info.
pub fn start(log: Option<&Log>) -> WorkerGuard {
    let log = log.cloned().unwrap_or_else(|| Log { filter: "info".to_owned(), format: LogFormat::Auto });
    let (writer, guard) =
        NonBlockingBuilder::default().lossy(true).buffered_lines_limit(MAX_LINES).finish(std::io::stderr());
    let filter = EnvFilter::try_new(&log.filter).unwrap_or_else(|error| {
        tell(&format!("wardline: log.filter is not understood ({error}); logging at info"));
        EnvFilter::new("info")
    });
    let terminal = std::io::stderr().is_terminal();
    let text = match log.format {
        LogFormat::Auto => terminal,
        LogFormat::Text => true,
        LogFormat::Json => false,
    };
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer);
    let started = if text {
        let colour = terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        builder.with_ansi(colour).try_init()
    } else {
        builder.json().flatten_event(true).with_current_span(true).with_span_list(false).try_init()
    };
    if started.is_err() {
        tell("wardline: logging was started already");
    }
    guard
}

/// From now on a panic says in the log where it was. Its words may repeat what a caller sent: those are for DEBUG.
pub fn panics_to_log() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let thread = std::thread::current().name().unwrap_or("unnamed").to_owned();
        tracing::error!(place, thread, "a fault of ours");
        tracing::debug!(words = panic.payload_as_str().unwrap_or_default(), "a fault of ours");
    }));
}
