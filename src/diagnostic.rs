//! One finding about a file that an admin wrote: where, what is wrong, why it matters and what to do. Shared by all
//! that check files (`config`, `ivr`, `proof`); drawn by `config::render`.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use serde::Serialize;

/// Beyond this many findings a report only counts: nobody reads further, and one broken file can hold millions.
pub const MAX_DIAGNOSTICS: usize = 200;

/// Places that a line of a log names.
const MAX_PLACES: usize = 8;

/// Names further apart than this (normalised Damerau-Levenshtein, 0 to 1) are no spelling mistake of each other.
const NEAREST_AT_LEAST: f64 = 0.5;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The configuration is refused.
    Error,
    /// It runs, but people will notice.
    Warning,
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// As the admin knows it, relative to the checked folder: "hospital.toml", "plans/main.toml".
    pub file: Arc<str>,
    /// Bytes of the file's text; empty (`n..n`) for a point, for example where something is missing.
    pub span: Range<usize>,
    pub severity: Severity,
    /// An error of a rule that is younger than versions in force: what is published already runs all the same.
    pub runs: bool,
    /// One sentence without a full stop: "unknown key `exension`".
    pub what: String,
    /// What follows from it, or what was found; stands beside the marked text.
    pub why: Option<String>,
    /// What to do, as an order: "write a duration such as \"8s\"".
    pub remedy: Option<String>,
    /// The known name that was probably meant.
    pub nearest: Option<String>,
    /// Further places that belong to it ("first used here").
    pub related: Vec<Related>,
}

/// A second place of the same finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Related {
    pub file: Arc<str>,
    pub span: Range<usize>,
    pub label: String,
}

impl Diagnostic {
    pub fn error(file: &Arc<str>, span: Range<usize>, what: impl Into<String>) -> Diagnostic {
        Diagnostic {
            file: Arc::clone(file),
            span,
            severity: Severity::Error,
            runs: false,
            what: what.into(),
            why: None,
            remedy: None,
            nearest: None,
            related: Vec::new(),
        }
    }

    pub fn warning(file: &Arc<str>, span: Range<usize>, what: impl Into<String>) -> Diagnostic {
        Diagnostic { severity: Severity::Warning, ..Diagnostic::error(file, span, what) }
    }

    /// May not be published, but runs where it is published already.
    #[must_use]
    pub fn yet_runs(mut self) -> Diagnostic {
        self.runs = true;
        self
    }

    #[must_use]
    pub fn why(mut self, why: impl Into<String>) -> Diagnostic {
        self.why = Some(why.into());
        self
    }

    #[must_use]
    pub fn remedy(mut self, remedy: impl Into<String>) -> Diagnostic {
        self.remedy = Some(remedy.into());
        self
    }

    /// Names the one of `known` that `written` probably meant, if any is near.
    #[must_use]
    pub fn nearest<'a>(mut self, written: &str, known: impl IntoIterator<Item = &'a str>) -> Diagnostic {
        self.nearest = nearest(written, known).map(str::to_owned);
        self
    }

    #[must_use]
    pub fn related(mut self, file: &Arc<str>, span: Range<usize>, label: impl Into<String>) -> Diagnostic {
        self.related.push(Related { file: Arc::clone(file), span, label: label.into() });
        self
    }

    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

/// The one of `known` that is most like `written`, when one is like it at all. Ties go to the first.
pub fn nearest<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // A long text is no mistyped name, and the comparison is quadratic.
    if written.len() > 64 {
        return None;
    }
    let written = written.to_lowercase();
    let mut best: Option<(f64, &str)> = None;
    for name in known.into_iter().filter(|name| name.len() <= 64) {
        let likeness = strsim::normalized_damerau_levenshtein(&written, &name.to_lowercase());
        if likeness >= NEAREST_AT_LEAST && best.is_none_or(|(most, _)| likeness > most) {
            best = Some((likeness, name));
        }
    }
    best.map(|(_, name)| name)
}

/// Where a byte stands in a text: line and column from 1, columns in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Position {
    pub line: usize,
    pub column: usize,
}

impl Position {
    /// An `offset` beyond the text, or inside a character, reads as the nearest place before it.
    pub fn of(text: &str, offset: usize) -> Position {
        let mut offset = offset.min(text.len());
        while !text.is_char_boundary(offset) {
            offset -= 1;
        }
        let before = text.get(..offset).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = before.matches('\n').count() + 1;
        let column = before.get(line_start..).unwrap_or_default().chars().count() + 1;
        Position { line, column }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// All findings of one reading, with the texts they point into.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Text of each file read, by the name that diagnostics use.
    pub sources: BTreeMap<Arc<str>, Arc<str>>,
    diagnostics: Vec<Diagnostic>,
    /// Errors that did not fit (see [`MAX_DIAGNOSTICS`]).
    dropped_errors: usize,
}

impl Report {
    pub fn new() -> Report {
        Report::default()
    }

    /// Remembers a file's text; returns the name to write into diagnostics.
    pub fn add_source(&mut self, file: &str, text: &str) -> Arc<str> {
        let name: Arc<str> = Arc::from(file);
        self.sources.insert(Arc::clone(&name), Arc::from(text));
        name
    }

    /// Blanks bytes of a file's text (a secret that stands where none should), so that no finding can show them.
    pub fn redact(&mut self, file: &str, span: Range<usize>) {
        let Some(text) = self.sources.get_mut(file) else { return };
        // Same length in bytes, so that other places stay right; line ends stay for the same reason.
        let blank = |(position, byte): (usize, u8)| if span.contains(&position) && byte != b'\n' { b'*' } else { byte };
        let bytes: Vec<u8> = text.bytes().enumerate().map(blank).collect();
        *text = Arc::from(String::from_utf8_lossy(&bytes));
    }

    pub fn push(&mut self, diagnostic: Diagnostic) {
        if self.diagnostics.len() < MAX_DIAGNOSTICS {
            self.diagnostics.push(diagnostic);
        } else if diagnostic.is_error() {
            self.dropped_errors += 1;
        }
    }

    pub fn extend(&mut self, diagnostics: impl IntoIterator<Item = Diagnostic>) {
        for diagnostic in diagnostics {
            self.push(diagnostic);
        }
    }

    /// Takes each error with which a published version runs for a warning. Their places, as [`Report::places`] has them;
    /// empty when there are none.
    pub fn soften(&mut self) -> String {
        let mut softened = Report { sources: self.sources.clone(), ..Report::default() };
        for found in self.diagnostics.iter_mut().filter(|found| found.runs && found.is_error()) {
            softened.diagnostics.push(found.clone());
            found.severity = Severity::Warning;
        }
        softened.places()
    }

    pub fn diagnostics(&self) -> &[Diagnostic] {
        &self.diagnostics
    }

    pub fn is_empty(&self) -> bool {
        self.diagnostics.is_empty() && self.dropped_errors == 0
    }

    pub fn has_errors(&self) -> bool {
        self.errors() > 0
    }

    pub fn errors(&self) -> usize {
        self.diagnostics.iter().filter(|diagnostic| diagnostic.is_error()).count() + self.dropped_errors
    }

    pub fn warnings(&self) -> usize {
        self.diagnostics.iter().filter(|diagnostic| !diagnostic.is_error()).count()
    }

    /// Line and column of a place; `None` when the file was never read.
    pub fn position(&self, file: &str, offset: usize) -> Option<Position> {
        self.sources.get(file).map(|text| Position::of(text, offset))
    }

    /// Where its errors are, or, without any, its warnings: "analysts.toml:12:3, hospital.toml:4:1 and more", for logs, which may
    /// not repeat the words of files that name people.
    pub fn places(&self) -> String {
        let mut named: Vec<String> = Vec::new();
        let wrong = self.has_errors();
        for found in self.diagnostics.iter().filter(|found| found.is_error() == wrong) {
            let place = match self.position(&found.file, found.span.start) {
                Some(position) => format!("{}:{position}", found.file),
                None => found.file.to_string(),
            };
            if named.contains(&place) {
                continue;
            }
            if named.len() == MAX_PLACES {
                return format!("{} and more", named.join(", "));
            }
            named.push(place);
        }
        named.join(", ")
    }

    /// By file, then place, then text: the same files always read the same.
    pub fn sort(&mut self) {
        self.diagnostics.sort_by(|a, b| (&a.file, a.span.start, &a.what).cmp(&(&b.file, b.span.start, &b.what)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistyped_name_finds_its_nearest_and_a_strange_one_none() {
        let known = ["extension", "unit", "class"];
        assert_eq!(nearest("exension", known), Some("extension"));
        assert_eq!(nearest("Unti", known), Some("unit"));
        assert_eq!(nearest("zzzzzz", known), None);
    }

    #[test]
    fn positions_count_characters_and_survive_bad_offsets() {
        let text = "a = 1\nnäme = 2\n";
        assert_eq!(Position::of(text, 0), Position { line: 1, column: 1 });
        // Byte 8 lies inside the two bytes of 'ä'.
        assert_eq!(Position::of(text, 8), Position { line: 2, column: 2 });
        assert_eq!(Position::of(text, 9), Position { line: 2, column: 3 });
        assert_eq!(Position::of(text, 999), Position { line: 3, column: 1 });
    }

    #[test]
    fn a_redacted_secret_is_gone_and_places_stay() {
        let mut report = Report::new();
        report.add_source("a.toml", "p = \"hünter2\"\nb = 1");
        report.redact("a.toml", 4..14);
        assert_eq!(&*report.sources["a.toml"], "p = **********\nb = 1");
    }

    #[test]
    fn a_log_is_told_places_and_none_of_the_words() {
        let mut report = Report::new();
        let file = report.add_source("analysts.toml", "[analysts.amara]\nphones = 7\n");
        report.push(Diagnostic::error(&file, 26..27, "amara has no phone").why("amara").remedy("give amara a phone"));
        report.push(Diagnostic::warning(&Arc::from("plans"), 0..0, "nothing for amara"));
        report.push(Diagnostic::error(&file, 26..28, "amara again"));
        assert_eq!(report.places(), "analysts.toml:2:10", "a warning is no reason for a refusal");
        for column in 1..9 {
            report.push(Diagnostic::error(&file, column..column, "amara"));
        }
        assert!(report.places().ends_with(", analysts.toml:1:8 and more"), "{}", report.places());
    }

    #[test]
    fn a_report_without_errors_is_told_by_its_warnings() {
        let mut report = Report::new();
        report.push(Diagnostic::warning(&Arc::from("plans"), 0..0, "nothing for amara"));
        assert_eq!(report.places(), "plans");
    }

    #[test]
    fn a_report_keeps_counting_errors_beyond_its_bound() {
        let mut report = Report::new();
        let file = report.add_source("a.toml", "");
        for _ in 0..MAX_DIAGNOSTICS + 5 {
            report.push(Diagnostic::error(&file, 0..0, "bad"));
        }
        assert_eq!((report.diagnostics().len(), report.errors()), (200, 205));
    }
}
