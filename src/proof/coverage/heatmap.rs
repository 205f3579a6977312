//! The cover as a picture: a panel for each system or group of modules, in it a line for each day and in that a cell for
//! each quarter of an hour on the hospital's clock.
//!
//! Colours run from vermilion (nobody) over yellow (one) to blue (several), which people who cannot tell red from green
//! keep apart as well; hours that only somebody on call covers are hatched too. A quarter that the clocks skip is left
//! open; one that they repeat shows the lower of its two numbers.

use std::fmt::Write as _;

use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::{Cover, Row, Stretch};

/// Pixels.
const CELL: f64 = 7.0;
const DAY: f64 = 11.0;
const LEFT: f64 = 112.0;
const MARGIN: f64 = 24.0;
/// Above all panels; above one, for its name and its hours; between two.
const HEAD: f64 = 84.0;
const PANEL_HEAD: f64 = 40.0;
const GAP: f64 = 20.0;
const QUARTERS: usize = 96;
/// More people than this look alike.
const MANY: usize = 3;

const STYLE: &str = "
    .bg{fill:#ffffff;stroke:#c9d1d9}.ink{fill:#1f2933}.dim{fill:#52606d}.grid{stroke:#7b8794;stroke-width:.5}
    .n0{fill:#d1430a}.n1{fill:#f4d35e}.n2{fill:#86b9e0}.n3{fill:#2166ac}.frame{fill:none;stroke:#7b8794}
    .call{fill:url(#call)}.hatch{stroke:#1f2933;stroke-width:1;stroke-opacity:.55}
    @media (prefers-color-scheme: dark){
      .bg{fill:#161b22;stroke:#30363d}.ink{fill:#e6edf3}.dim{fill:#9da7b3}.grid,.frame{stroke:#8b949e}}
  ";

/// What one quarter of an hour shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cell {
    /// The clocks skip it, or the window leaves it out.
    None,
    Covered {
        /// The least of the quarter.
        people: usize,
        /// Nobody of them is on shift.
        on_call: bool,
    },
}

/// Each cover with what is said of it behind the names of its rows; may be empty.
pub fn draw(covers: &[(&Cover, &str)]) -> String {
    let width = LEFT + QUARTERS as f64 * CELL + 2.0 * MARGIN;
    let panels: f64 = covers.iter().flat_map(|(cover, _)| cover.rows.iter().map(|_| panel_height(cover))).sum();
    let height = HEAD + panels + MARGIN;
    let mut out = String::new();
    let _ = writeln!(
        out,
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" font-family="system-ui, sans-serif" font-size="13" role="img">"#
    );
    let _ =
        writeln!(out, "  <title>Who is on shift or on call, by quarter of an hour</title>\n  <style>{STYLE}</style>");
    out.push_str("  <defs><pattern id=\"call\" width=\"4\" height=\"4\" patternUnits=\"userSpaceOnUse\" patternTransform=\"rotate(45)\"><path class=\"hatch\" d=\"M0 0 V4\"/></pattern></defs>\n");
    let _ = writeln!(
        out,
        r#"  <rect class="bg" x="0.5" y="0.5" width="{}" height="{}" rx="10"/>"#,
        width - 1.0,
        height - 1.0
    );
    let _ = writeln!(
        out,
        r#"  <text class="ink" x="{MARGIN}" y="32" font-size="17" font-weight="600">Qualified analysts on shift or on call</text>"#
    );
    legend(&mut out);
    let mut top = HEAD;
    for (cover, apart) in covers {
        for row in &cover.rows {
            panel(cover, row, apart, top, &mut out);
            top += panel_height(cover);
        }
    }
    out.push_str("</svg>\n");
    out
}

fn legend(out: &mut String) {
    let mut left = MARGIN;
    for (class, hatched, words) in [
        ("n0", false, "nobody"),
        ("n1", false, "one"),
        ("n2", false, "two"),
        ("n3", false, "three or more"),
        ("n1", true, "on call only"),
    ] {
        let _ = writeln!(out, r#"  <rect class="{class}" x="{left}" y="48" width="14" height="14"/>"#);
        if hatched {
            let _ = writeln!(out, r#"  <rect class="call" x="{left}" y="48" width="14" height="14"/>"#);
        }
        let _ = writeln!(out, r#"  <text class="dim" x="{}" y="60" font-size="12">{words}</text>"#, left + 20.0);
        left += 44.0 + words.len() as f64 * 7.0;
    }
}

fn panel_height(cover: &Cover) -> f64 {
    PANEL_HEAD + dates(cover).len() as f64 * DAY + GAP
}

fn dates(cover: &Cover) -> Vec<Date> {
    let (first, end) = (cover.zone.to_datetime(cover.window.from).date(), cover.zone.to_datetime(cover.window.until));
    let series = first.series(jiff::Span::new().days(1));
    series.take_while(|date| *date < end.date() || (*date == end.date() && end.time() > Time::midnight())).collect()
}

fn panel(cover: &Cover, row: &Row, apart: &str, top: f64, out: &mut String) {
    let left = MARGIN + LEFT;
    let name = format!("{} · {}{apart}", cover.hospital, row.name());
    let _ = writeln!(
        out,
        r#"  <text class="ink" x="{MARGIN}" y="{}" font-weight="600">{}</text>"#,
        top + 14.0,
        escaped(&name)
    );
    for hour in (0..=24).step_by(3) {
        let _ = writeln!(
            out,
            r#"  <text class="dim" x="{}" y="{}" font-size="10" text-anchor="middle">{hour}</text>"#,
            left + f64::from(hour) * 4.0 * CELL,
            top + 32.0
        );
    }
    let days = dates(cover);
    let first = top + PANEL_HEAD;
    for (line, date) in days.iter().enumerate() {
        let y = first + line as f64 * DAY;
        let cells = day(row, *date, &cover.zone);
        let odd = hours_of(*date, &cover.zone);
        let label = if odd == 24 {
            date.strftime("%a %F").to_string()
        } else {
            format!("{} · {odd} h", date.strftime("%a %F"))
        };
        let _ = writeln!(
            out,
            r#"  <text class="dim" x="{}" y="{}" font-size="10" text-anchor="end">{label}</text>"#,
            left - 6.0,
            y + 8.5
        );
        let mut quarter = 0;
        for run in cells.chunk_by(|one, other| one == other) {
            let (x, width) = (left + quarter as f64 * CELL, run.len() as f64 * CELL);
            quarter += run.len();
            let Some(Cell::Covered { people, on_call }) = run.first() else { continue };
            let shape = format!(r#"x="{x}" y="{y}" width="{width}" height="{}""#, DAY - 1.0);
            let _ = writeln!(out, r#"  <rect class="n{}" {shape}/>"#, people.min(&MANY));
            if *on_call {
                let _ = writeln!(out, r#"  <rect class="call" {shape}/>"#);
            }
        }
    }
    let height = days.len() as f64 * DAY;
    for hour in [6.0, 12.0, 18.0] {
        let x = left + hour * 4.0 * CELL;
        let _ = writeln!(out, r#"  <path class="grid" d="M{x} {first} V{}"/>"#, first + height);
    }
    let _ = writeln!(
        out,
        r#"  <rect class="frame" x="{left}" y="{first}" width="{}" height="{height}"/>"#,
        QUARTERS as f64 * CELL
    );
}

/// Hours of a civil day.
fn hours_of(date: Date, zone: &TimeZone) -> i64 {
    let start = |date: Date| date.to_zoned(zone.clone()).ok().map(|zoned| zoned.timestamp());
    let (from, until) = (start(date), date.tomorrow().ok().and_then(start));
    from.zip(until).map_or(24, |(from, until)| until.duration_since(from).as_hours())
}

/// The quarters of a civil day, as many on every day.
pub fn day(row: &Row, date: Date, zone: &TimeZone) -> Vec<Cell> {
    let mut cells = vec![Cell::None; QUARTERS];
    let start = |date: Date| date.to_zoned(zone.clone()).ok().map(|zoned| zoned.timestamp());
    let (Some(mut at), Some(end)) = (start(date), date.tomorrow().ok().and_then(start)) else { return cells };
    while at < end {
        let next = at.checked_add(SignedDuration::from_mins(15)).unwrap_or(end);
        let clock = zone.to_datetime(at).time();
        let place = usize::try_from(i32::from(clock.hour()) * 4 + i32::from(clock.minute()) / 15).unwrap_or(0);
        if let (Some(cell), Some(seen)) = (cells.get_mut(place), quarter(row, at, next.min(end))) {
            *cell = lower(*cell, seen);
        }
        at = next;
    }
    cells
}

/// The least of a quarter; `None` outside of the window.
pub fn quarter(row: &Row, from: Timestamp, until: Timestamp) -> Option<Cell> {
    let first = row.stretches.partition_point(|stretch| stretch.until <= from);
    let within = row.stretches.iter().skip(first).take_while(|stretch| stretch.from < until);
    let least = within.min_by_key(|stretch| (stretch.people(), stretch.on_shift))?;
    Some(cell(least))
}

fn cell(stretch: &Stretch) -> Cell {
    Cell::Covered { people: stretch.people(), on_call: stretch.on_shift == 0 && stretch.on_call > 0 }
}

fn lower(one: Cell, other: Cell) -> Cell {
    match (one, other) {
        (Cell::None, cell) | (cell, Cell::None) => cell,
        (Cell::Covered { people: a, .. }, Cell::Covered { people: b, .. }) => {
            if a <= b {
                one
            } else {
                other
            }
        }
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
