//! The chart as SVG. Crate `dagre` says where boxes, bends and labels stand; it keeps room for labels, so that none lies
//! on another.

use std::fmt::Write as _;
use std::time::Duration;

use dagre::graph::{Graph, GraphOptions};
use dagre::{EdgeLabel, LayoutOptions, NodeLabel, Point};

use crate::ivr::draw::chart::{Arrow, Box, Chart, Look, seconds};
use crate::ivr::draw::{Goal, Slowest};

/// Pixels.
const LINE: f64 = 17.0;
const PAD_X: f64 = 14.0;
const PAD_Y: f64 = 10.0;
const MARGIN: f64 = 24.0;
/// Above the picture: title; below: legend.
const HEAD: f64 = 34.0;
const FOOT: f64 = 34.0;
/// A letter of system-ui at 13 px is this wide at most on average; bold names and labels are set in the same grid.
const LETTER: f64 = 7.0;
/// One line of the legend of paths.
const LEGEND_LINE: f64 = 22.0;
/// How round a bend is.
const BEND: f64 = 14.0;

const STYLE: &str = "
    .bg{fill:#ffffff;stroke:#c9d1d9}.ink{fill:#1f2933}.dim{fill:#52606d}.lab{fill:#3e4c59}.under{fill:#ffffff}
    .entry{fill:#1f2933;stroke:#1f2933}.inverse{fill:#ffffff}
    .says{fill:#dbeafe;stroke:#2563eb}.branches{fill:#eef1f4;stroke:#7b8794}.rings{fill:#fde8c8;stroke:#c2740c}
    .person{fill:#d3f2dd;stroke:#16803c}.target{fill:#e6dcfa;stroke:#6d3fc0}.callback{fill:#fdf3b8;stroke:#957800}
    .hangup{fill:#f7dbe2;stroke:#b42348}
    .way{stroke:#7b8794;stroke-width:1.6;fill:none;marker-end:url(#tip)}.tip{fill:#7b8794}
    .offer-way{stroke:#0b5fd0;stroke-width:3.4;fill:none;marker-end:url(#offer-tip)}.offer{fill:#0b5fd0}
    .qualified-way{stroke:#1f2933;stroke-width:3.4;stroke-dasharray:3 4;fill:none;marker-end:url(#qualified-tip)}
    .qualified{fill:#1f2933}
    .end-way{stroke:#c2185b;stroke-width:3.4;stroke-dasharray:10 5;fill:none;marker-end:url(#end-tip)}.end{fill:#c2185b}
    .wide{stroke-width:9}.wider{stroke-width:15}
    @media (prefers-color-scheme: dark){
      .bg,.under{fill:#161b22}.bg{stroke:#30363d}.ink{fill:#e6edf3}.dim{fill:#9da7b3}.lab{fill:#c9d1d9}
      .entry{fill:#e6edf3;stroke:#e6edf3}.inverse{fill:#161b22}
      .says{fill:#132d57;stroke:#5b9dff}.branches{fill:#21262d;stroke:#8b949e}.rings{fill:#4a3212;stroke:#e0a145}
      .person{fill:#12371f;stroke:#4ac26b}.target{fill:#33215c;stroke:#a98af0}.callback{fill:#423a0b;stroke:#d9c04a}
      .hangup{fill:#4a1626;stroke:#f0708e}
      .way{stroke:#8b949e}.tip{fill:#8b949e}
      .offer-way{stroke:#6cb0ff}.offer{fill:#6cb0ff}.qualified-way{stroke:#e6edf3}.qualified{fill:#e6edf3}
      .end-way{stroke:#ff7eb3}.end{fill:#ff7eb3}}
  ";

pub fn write(chart: &Chart, slowest: &[Slowest]) -> String {
    let placed = place(chart);
    let far = |value: &dyn Fn(&NodeLabel) -> f64| {
        chart.boxes.iter().filter_map(|own| placed.node(&own.id)).map(value).fold(0.0, f64::max)
    };
    let labels = chart.arrows.iter().filter_map(|arrow| placed.edge(&arrow.from, &arrow.to, None));
    let bends =
        labels.flat_map(|edge| edge.points.iter().map(|point| point.x).chain(edge.x.map(|x| x + edge.width / 2.0)));
    let width =
        far(&|node| node.x.unwrap_or_default() + node.width / 2.0).max(bends.fold(0.0, f64::max)) + 2.0 * MARGIN;
    let width = width.max(legend_width() + 2.0 * MARGIN);
    let foot = FOOT + slowest.len() as f64 * LEGEND_LINE;
    let height = far(&|node| node.y.unwrap_or_default() + node.height / 2.0) + 2.0 * MARGIN + HEAD + foot;
    let mut out = String::new();
    head(chart, width, height, &mut out);
    // Lines first, then what stands on their ground, then boxes: nothing written is crossed.
    let arrows: Vec<(&Arrow, &EdgeLabel)> =
        chart.arrows.iter().filter_map(|arrow| Some((arrow, placed.edge(&arrow.from, &arrow.to, None)?))).collect();
    for marked in [false, true] {
        for (arrow, edge) in arrows.iter().filter(|(arrow, _)| arrow.marks.is_empty() != marked) {
            draw_line(arrow, edge, &mut out);
        }
    }
    for (arrow, edge) in &arrows {
        label(arrow, edge, &mut out);
    }
    for own in &chart.boxes {
        if let Some(node) = placed.node(&own.id) {
            draw_box(own, node, &mut out);
        }
    }
    legend(height - foot, &mut out);
    paths_legend(height - foot + LEGEND_LINE, slowest, &mut out);
    out.push_str("</svg>\n");
    out
}

fn place(chart: &Chart) -> Graph<NodeLabel, EdgeLabel> {
    let mut graph = Graph::with_options(GraphOptions { directed: true, multigraph: true, compound: true });
    for own in &chart.boxes {
        let (width, height) = size(own);
        graph.set_node(own.id.clone(), Some(NodeLabel { width, height, ..NodeLabel::default() }));
    }
    for arrow in &chart.arrows {
        let lines = label_lines(arrow);
        let letters = lines.iter().map(|(line, _)| line.chars().count()).max().unwrap_or_default();
        let mut label = EdgeLabel::default();
        if !lines.is_empty() {
            label.width = letters as f64 * LETTER + 12.0;
            label.height = lines.len() as f64 * LINE + 4.0;
            label.labelpos = dagre::layout::types::LabelPos::Center;
        }
        graph.set_edge(arrow.from.clone(), arrow.to.clone(), Some(label), None);
    }
    let options = LayoutOptions { nodesep: 36.0, edgesep: 24.0, ranksep: 44.0, ..LayoutOptions::default() };
    dagre::layout(&mut graph, Some(options));
    graph
}

fn size(own: &Box) -> (f64, f64) {
    let kind = if own.kind.is_empty() { 0 } else { own.kind.chars().count() + 2 };
    let name = own.name.chars().count() as f64 * (LETTER + 0.8) + kind as f64 * LETTER;
    let words = own.lines.iter().map(|line| line.chars().count()).max().unwrap_or_default() as f64 * LETTER;
    (name.max(words) + 2.0 * PAD_X, (1.0 + own.lines.len() as f64) * LINE + 2.0 * PAD_Y - 3.0)
}

fn head(chart: &Chart, width: f64, height: f64, out: &mut String) {
    let (width, height) = (width.ceil(), height.ceil());
    let font = "system-ui, 'DejaVu Sans', sans-serif";
    let _ = writeln!(
        out,
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" font-family="{font}" font-size="13" role="img" aria-labelledby="title desc">"#
    );
    let _ = writeln!(out, r#"  <title id="title">{}</title>"#, escaped(&chart.title));
    let _ = writeln!(out, r#"  <desc id="desc">{}</desc>"#, escaped(&chart.description));
    let _ = writeln!(out, "  <style>{STYLE}</style>");
    for (id, class, size) in
        [("tip", "tip", 11), ("offer-tip", "offer", 15), ("qualified-tip", "qualified", 15), ("end-tip", "end", 15)]
    {
        let _ = writeln!(
            out,
            r#"  <defs><marker id="{id}" viewBox="0 0 8 8" refX="7" refY="4" markerUnits="userSpaceOnUse" markerWidth="{size}" markerHeight="{size}" orient="auto"><path class="{class}" d="M0 0 L8 4 L0 8 z"/></marker></defs>"#
        );
    }
    let _ = writeln!(
        out,
        r#"  <rect class="bg" x="0.5" y="0.5" width="{}" height="{}" rx="10"/>"#,
        width - 1.0,
        height - 1.0
    );
    let _ = writeln!(
        out,
        r#"  <text class="ink" x="{MARGIN}" y="32" font-size="17" font-weight="600">{}</text>"#,
        escaped(&chart.title)
    );
}

fn x(value: f64) -> f64 {
    ((value + MARGIN) * 10.0).round() / 10.0
}

fn y(value: f64) -> f64 {
    ((value + MARGIN + HEAD) * 10.0).round() / 10.0
}

/// Through all points, each bend rounded.
fn line(points: &[Point]) -> String {
    let mut path = String::new();
    for (index, point) in points.iter().enumerate() {
        let before = index.checked_sub(1).and_then(|before| points.get(before));
        let _ = match (before, points.get(index + 1)) {
            (None, _) => write!(path, "M{} {}", x(point.x), y(point.y)),
            (Some(_), None) => write!(path, " L{} {}", x(point.x), y(point.y)),
            (Some(before), Some(after)) => {
                let (into, out) = (towards(point, before), towards(point, after));
                let (px, py) = (x(point.x), y(point.y));
                write!(path, " L{} {} Q{px} {py} {} {}", x(into.0), y(into.1), x(out.0), y(out.1))
            }
        };
    }
    path
}

/// A little way from one point towards another.
fn towards(from: &Point, to: &Point) -> (f64, f64) {
    let (dx, dy) = (to.x - from.x, to.y - from.y);
    let length = dx.hypot(dy).max(1.0);
    let part = (BEND / length).min(0.5);
    (from.x + dx * part, from.y + dy * part)
}

/// Words on a way, each with its class; last the instants of the slowest paths that go it.
fn label_lines(arrow: &Arrow) -> Vec<(String, &'static str)> {
    let words = arrow.lines.iter().map(|line| (line.clone(), "lab"));
    let later = arrow.marks.iter().filter(|(_, at)| !at.is_zero());
    let marks = later.map(|(goal, at)| (format!("{}: at {}", goal.name(), up(*at)), goal_class(*goal)));
    words.chain(marks).collect()
}

/// A slowest path has its colour and dashes; where several go, each lies on a wider one, and all are seen.
fn draw_line(arrow: &Arrow, edge: &EdgeLabel, out: &mut String) {
    let path = line(&edge.points);
    if arrow.marks.is_empty() {
        let _ = writeln!(out, r#"  <path class="way" d="{path}"/>"#);
    }
    for (goal, wide) in arrow.marks.keys().zip(["", " wide", " wider"]).rev() {
        let _ = writeln!(out, r#"  <path class="{}-way{wide}" d="{path}"/>"#, goal_class(*goal));
    }
}

fn label(arrow: &Arrow, edge: &EdgeLabel, out: &mut String) {
    let (Some(cx), Some(cy)) = (edge.x, edge.y) else { return };
    let lines = label_lines(arrow);
    if lines.is_empty() {
        return;
    }
    let (left, top) = (x(cx - edge.width / 2.0), y(cy - edge.height / 2.0));
    let _ = writeln!(
        out,
        r#"  <rect class="under" x="{left}" y="{top}" width="{}" height="{}" rx="4"/>"#,
        edge.width, edge.height
    );
    for (index, (line, class)) in lines.iter().enumerate() {
        let baseline = top + 15.0 + index as f64 * LINE;
        let weight = if *class == "lab" { "" } else { r#" font-weight="600""# };
        let _ = writeln!(
            out,
            r#"  <text class="{class}" x="{}" y="{baseline:.1}" text-anchor="middle" font-size="12"{weight}>{}</text>"#,
            x(cx),
            escaped(line)
        );
    }
}

fn draw_box(own: &Box, node: &NodeLabel, out: &mut String) {
    let (cx, cy) = (node.x.unwrap_or_default(), node.y.unwrap_or_default());
    let (left, top) = (x(cx - node.width / 2.0), y(cy - node.height / 2.0));
    let round = match own.look {
        Look::Entry | Look::Person => node.height / 2.0,
        Look::Says | Look::Branches | Look::Rings | Look::Target | Look::Callback | Look::Hangup => 7.0,
    };
    let _ = writeln!(
        out,
        r#"  <rect class="{}" x="{left}" y="{top}" width="{:.1}" height="{:.1}" rx="{round}"/>"#,
        class(own.look),
        node.width,
        node.height
    );
    let kind = match own.kind {
        "" => String::new(),
        kind => format!(r#"<tspan class="dim" font-weight="400" font-size="12" dx="7">{kind}</tspan>"#),
    };
    let ink = if own.look == Look::Entry { "inverse" } else { "ink" };
    let _ = writeln!(
        out,
        r#"  <text class="{ink}" x="{}" y="{:.1}" text-anchor="middle" font-weight="600">{}{kind}</text>"#,
        x(cx),
        top + PAD_Y + 11.0,
        escaped(&own.name)
    );
    for (index, line) in own.lines.iter().enumerate() {
        let _ = writeln!(
            out,
            r#"  <text class="dim" x="{}" y="{:.1}" text-anchor="middle" font-size="12">{}</text>"#,
            x(cx),
            top + PAD_Y + 11.0 + (index + 1) as f64 * LINE,
            escaped(line)
        );
    }
}

fn class(look: Look) -> &'static str {
    match look {
        Look::Entry => "entry",
        Look::Says => "says",
        Look::Branches => "branches",
        Look::Rings => "rings",
        Look::Person => "person",
        Look::Target => "target",
        Look::Callback => "callback",
        Look::Hangup => "hangup",
    }
}

const LEGEND: [(Look, &str); 7] = [
    (Look::Says, "says or asks"),
    (Look::Branches, "branches"),
    (Look::Rings, "phones ring"),
    (Look::Person, "a person"),
    (Look::Target, "operator or target"),
    (Look::Callback, "callback"),
    (Look::Hangup, "hangs up"),
];

fn legend_width() -> f64 {
    LEGEND.iter().map(|(_, words)| words.len() as f64 * LETTER + 40.0).sum()
}

fn legend(top: f64, out: &mut String) {
    let mut left = MARGIN;
    let top = top.ceil();
    for (look, words) in LEGEND {
        let _ =
            writeln!(out, r#"  <rect class="{}" x="{left}" y="{top}" width="14" height="14" rx="3"/>"#, class(look));
        let _ = writeln!(
            out,
            r#"  <text class="dim" x="{}" y="{}" font-size="12">{words}</text>"#,
            left + 20.0,
            top + 11.5
        );
        left += words.len() as f64 * LETTER + 40.0;
    }
}

/// What the marked paths are, and what their seconds count.
fn paths_legend(top: f64, slowest: &[Slowest], out: &mut String) {
    let (mut top, left) = (top.ceil(), MARGIN + 44.0);
    let mut before: Option<&Slowest> = None;
    for path in slowest {
        let what = match path.to {
            Goal::FirstOffer => "until any phone rings",
            Goal::QualifiedOffer => "until somebody qualified is rung",
            Goal::End => "until a call that reaches nobody is over",
        };
        let same = before.is_some_and(|before| before.hops == path.hops);
        let way = if same { "the same way" } else { "the slowest way" };
        before = Some(path);
        let (class, middle) = (goal_class(path.to), top + 7.0);
        let (within, limit, margin) = (up(path.within), up(path.limit), up(path.margin));
        let words = format!(
            "{}: {way} {what}, {within}, {margin} of margin included; the limit is {limit}. Instants are from the INVITE.",
            path.to.name()
        );
        let _ = writeln!(out, r#"  <path class="{class}-way" d="M{MARGIN} {middle} L{} {middle}"/>"#, left - 8.0);
        let _ = writeln!(out, r#"  <text class="dim" x="{left}" y="{}" font-size="12">{words}</text>"#, top + 11.5);
        top += LEGEND_LINE;
    }
}

fn goal_class(goal: Goal) -> &'static str {
    match goal {
        Goal::FirstOffer => "offer",
        Goal::QualifiedOffer => "qualified",
        Goal::End => "end",
    }
}

/// Rounded up: a bound is never told as less than it is.
fn up(span: Duration) -> String {
    let tenths = span.as_micros().div_ceil(100_000);
    seconds(Duration::from_millis(u64::try_from(tenths).unwrap_or(u64::MAX).saturating_mul(100)))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
