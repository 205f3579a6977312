//! What was measured: a table for people, JSON for whatever follows the figures over time.

use std::fmt::Write;
use std::path::Path;

use crate::process::Usage;
use crate::rtp::Heard;

struct Figure {
    key: String,
    label: String,
    value: f64,
    unit: String,
}

#[derive(Default)]
pub struct Figures(Vec<Figure>);

impl Figures {
    pub fn add(&mut self, key: &str, label: &str, value: f64, unit: &str) {
        eprintln!("  {label}: {value:.3} {unit}");
        self.0.push(Figure { key: key.to_owned(), label: label.to_owned(), value, unit: unit.to_owned() });
    }

    pub fn get(&self, key: &str) -> f64 {
        self.0.iter().find(|figure| figure.key == key).unwrap_or_else(|| panic!("no figure {key}")).value
    }

    /// One run of audio; `cpu_us` is what the relay used for all of it.
    pub fn relay(&mut self, key: &str, label: &str, heard: &Heard, cpu_us: Option<f64>) {
        let pps = heard.sent as f64 / heard.lasted.as_secs_f64();
        self.add(&format!("{key}_pps"), &format!("{label}: packets in"), pps, "per second");
        if let Some(cpu_us) = cpu_us {
            let each = cpu_us / heard.received as f64;
            self.add(&format!("{key}_cpu_us"), &format!("{label}: CPU per packet"), each, "µs");
        }
        let lost = (heard.sent - heard.received) as f64;
        self.add(&format!("{key}_lost"), &format!("{label}: packets lost"), lost, "");
        let mut delays = heard.delays_ms.clone();
        self.add(&format!("{key}_p50_ms"), &format!("{label}: delay p50"), percentile(&mut delays, 50.0), "ms");
        self.add(&format!("{key}_p99_ms"), &format!("{label}: delay p99"), percentile(&mut delays, 99.0), "ms");
    }

    /// Which threads the CPU time went to; those under a hundredth of the whole are left out.
    pub fn threads(&mut self, key: &str, used: &Usage, per: f64, unit: &str, scale: f64) {
        let whole: f64 = used.threads_ms.values().sum();
        for (name, ms) in used.threads_ms.iter().filter(|(_, ms)| **ms > whole / 100.0) {
            self.add(&format!("{key}_thread_{name}"), &format!("  of that, threads {name}"), ms * scale / per, unit);
        }
    }

    pub fn table(&self) -> String {
        let wide = self.0.iter().map(|figure| figure.label.chars().count()).max().unwrap_or_default();
        let mut out = String::new();
        for Figure { label, value, unit, .. } in &self.0 {
            let value = shown(*value);
            let pad = wide - label.chars().count();
            let _ = writeln!(out, "{label}{:pad$}  {value:>9} {unit}", "");
        }
        out
    }

    pub fn write(&self, path: &Path) {
        let rows = self.0.iter().map(|Figure { key, label, value, unit }| {
            serde_json::json!({ "key": key, "label": label.trim(), "value": value, "unit": unit })
        });
        let text = serde_json::to_string_pretty(&rows.collect::<Vec<_>>()).expect("plain values");
        std::fs::write(path, text + "\n").expect("target/ is writable");
    }
}

/// Three digits that say something.
fn shown(value: f64) -> String {
    match value.abs() {
        whole if whole >= 100.0 || value.fract() == 0.0 => format!("{value:.0}"),
        ten if ten >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// The value that so many percent of all stay at or below.
pub fn percentile(values: &mut [f64], percent: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let rank = (values.len() as f64 * percent / 100.0).ceil() as usize;
    values.get(rank.saturating_sub(1)).copied().unwrap_or(f64::NAN)
}
