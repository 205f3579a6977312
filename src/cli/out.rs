//! What the command line prints: through one writer, so that colour appears only on a terminal and a reader that goes
//! away (`wardline tickets list | head`) ends the program quietly.

use std::io::{self, Stdout, Write};

use anstream::AutoStream;

/// Standard output. Escape codes are taken out unless it is a terminal that wants them (NO_COLOR, CLICOLOR).
pub struct Out(AutoStream<Stdout>);

impl Out {
    pub fn standard() -> Out {
        Out(AutoStream::auto(io::stdout()))
    }

    /// A value as indented JSON, with a line end.
    ///
    /// # Errors
    /// When standard output takes nothing more.
    pub fn json(&mut self, value: &impl serde::Serialize) -> anyhow::Result<()> {
        let text = serde_json::to_string_pretty(value)?;
        writeln!(self, "{text}")?;
        Ok(())
    }
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// One line on standard error, for people. Lost when nobody reads it: nothing depends on it.
pub fn tell(text: &str) {
    let _ = writeln!(AutoStream::auto(io::stderr()), "{text}");
}

/// A word in colour.
pub fn green(word: &str) -> String {
    format!("\x1b[32m{word}\x1b[0m")
}

pub fn yellow(word: &str) -> String {
    format!("\x1b[33m{word}\x1b[0m")
}

pub fn red(word: &str) -> String {
    format!("\x1b[1;31m{word}\x1b[0m")
}

/// Pads by what is seen: names are short and of any script, so characters are near enough.
pub fn padded(text: &str, width: usize) -> String {
    format!("{text:<width$}")
}
