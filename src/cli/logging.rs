//! The log of `serve`: text on a terminal, JSON otherwise, written by a thread of its own. When nobody reads it, or the
//! disk behind it stalls, lines are lost and calls go on.

use std::io::IsTerminal;
use std::path::Path;

use jiff::Timestamp;
use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::EnvFilter;

use crate::cli::out::tell;
use crate::config::{self, Log, LogFormat, Surroundings};

/// Lines between the program and whoever reads its log: a second of a busy node at debug.
const MAX_LINES: usize = 16_384;

/// Starts logging as the configuration says; by default while it is not valid, for `serve` will say what is wrong.
pub fn start(folder: &Path) -> WorkerGuard {
    let loaded = config::load(folder, &Surroundings::of_process(Timestamp::now()));
    let log =
        loaded.map_or(Log { filter: "info".to_owned(), format: LogFormat::Auto }, |loaded| loaded.config.node.log);
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
