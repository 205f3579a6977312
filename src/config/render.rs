//! How findings look: like a compiler's, with file, line, column and the marked text; or as JSON for scripts.

use annotate_snippets::{AnnotationKind, Element, Group, Level, Origin, Renderer, Snippet};
use serde_json::{Value, json};

use crate::diagnostic::{Diagnostic, Position, Report, Severity};
use crate::ivr::draw::wrapped;
use crate::plural::counted;

/// Longer lines are cut around the mark, so that one line of a broken file cannot fill a screen.
const WIDTH: usize = 140;

/// Letters of a remedy's line: a list of keys is longer than a terminal is wide.
const REMEDY: usize = 96;

/// The whole report as text, ending with one line of counts; empty for an empty report.
pub fn text(report: &Report, colour: bool) -> String {
    if report.is_empty() {
        return String::new();
    }
    let renderer = if colour { Renderer::styled() } else { Renderer::plain() }.term_width(WIDTH);
    let mut out = String::new();
    for diagnostic in report.diagnostics() {
        out.push_str(&renderer.render(&groups(report, diagnostic)));
        out.push_str("\n\n");
    }
    let dropped = report.errors() + report.warnings() - report.diagnostics().len();
    if dropped > 0 {
        out.push_str(&format!("… and {dropped} more\n"));
    }
    out.push_str(&summary(report));
    out.push('\n');
    out
}

/// "2 errors, 1 warning".
pub fn summary(report: &Report) -> String {
    let parts = [(report.errors(), "error"), (report.warnings(), "warning")];
    let parts: Vec<String> =
        parts.into_iter().filter(|(count, _)| *count > 0).map(|(count, what)| counted(count, what)).collect();
    if parts.is_empty() { "no findings".to_owned() } else { parts.join(", ") }
}

fn groups<'a>(report: &'a Report, diagnostic: &'a Diagnostic) -> Vec<Group<'a>> {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let mut group = Group::with_title(level.primary_title(&diagnostic.what));
    group = group.element(marked(report, &diagnostic.file, &diagnostic.span, diagnostic.why.as_deref(), true));
    for related in &diagnostic.related {
        let element = marked(report, &related.file, &related.span, Some(&related.label), false);
        group = group.element(element);
    }
    if let Some(nearest) = &diagnostic.nearest {
        group = group.element(Level::HELP.message(format!("did you mean `{nearest}`?")));
    }
    if let Some(remedy) = &diagnostic.remedy {
        group = group.element(Level::HELP.message(wrapped(remedy, REMEDY).join("\n")));
    }
    vec![group]
}

/// A place of a file with its line; only the file's name when its text was never read.
fn marked<'a>(
    report: &'a Report,
    file: &'a str,
    span: &std::ops::Range<usize>,
    label: Option<&'a str>,
    primary: bool,
) -> Element<'a> {
    let Some(source) = report.sources.get(file).filter(|source| !source.is_empty()) else {
        return Origin::path(file).into();
    };
    let span = within(source, span);
    let kind = if primary { AnnotationKind::Primary } else { AnnotationKind::Context };
    let annotation = kind.span(span).label(label);
    Snippet::source(&**source).path(file).line_start(1).fold(true).annotation(annotation).into()
}

/// The span, cut to its first line, to the text and to whole characters.
fn within(source: &str, span: &std::ops::Range<usize>) -> std::ops::Range<usize> {
    let whole = |mut offset: usize| {
        offset = offset.min(source.len());
        while !source.is_char_boundary(offset) {
            offset -= 1;
        }
        offset
    };
    let start = whole(span.start);
    let end = whole(span.end).max(start);
    let marked = source.get(start..end).unwrap_or_default();
    start..start + marked.find(['\n', '\r']).unwrap_or(marked.len())
}

/// The report for scripts: `{"errors": n, "warnings": n, "findings": [{file, line, column, severity, what, …}]}`.
/// Lines and columns count from 1; absent parts are null.
pub fn json(report: &Report) -> Value {
    let findings: Vec<Value> = report.diagnostics().iter().map(|diagnostic| finding(report, diagnostic)).collect();
    json!({ "errors": report.errors(), "warnings": report.warnings(), "findings": findings })
}

fn finding(report: &Report, diagnostic: &Diagnostic) -> Value {
    let start = report.position(&diagnostic.file, diagnostic.span.start);
    let end = report.position(&diagnostic.file, diagnostic.span.end);
    let line = |position: Option<Position>| position.map(|position| position.line);
    let column = |position: Option<Position>| position.map(|position| position.column);
    let related = diagnostic.related.iter().map(|related| {
        let at = report.position(&related.file, related.span.start);
        json!({ "file": &*related.file, "line": line(at), "column": column(at), "label": related.label })
    });
    json!({
        "file": &*diagnostic.file,
        "line": line(start),
        "column": column(start),
        "end_line": line(end),
        "end_column": column(end),
        "severity": diagnostic.severity,
        "what": diagnostic.what,
        "why": diagnostic.why,
        "remedy": diagnostic.remedy,
        "nearest": diagnostic.nearest,
        "related": related.collect::<Vec<_>>(),
    })
}
