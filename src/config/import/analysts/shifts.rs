//! Shifts as people write them into a cell.

use std::collections::BTreeSet;

use crate::ivr::condition::DAY_NAMES;

/// Days and hours as they are written into the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    pub days: Vec<&'static str>,
    pub from: String,
    pub to: String,
}

/// "mon-fri 07:00-15:30; sat,sun 8-20".
pub fn read(text: &str, faults: &mut Vec<String>) -> Vec<Span> {
    let mut spans = Vec::new();
    for part in text.split([';', '|', '\n']).map(str::trim).filter(|part| !part.is_empty()) {
        match span(part) {
            Some(span) => spans.push(span),
            None => faults.push(format!("`{part}` is no shift; write days and hours, such as mon-fri 07:00-15:30")),
        }
    }
    spans
}

fn span(text: &str) -> Option<Span> {
    let (days, hours) = text.rsplit_once(char::is_whitespace)?;
    let (from, to) = hours.split_once(['-', '–'])?;
    let mut all = BTreeSet::new();
    for part in days.split([',', ' ', '+', '&']).map(str::trim).filter(|part| !part.is_empty()) {
        if ["daily", "all", "every"].contains(&part.to_lowercase().as_str()) {
            all.extend(0..DAY_NAMES.len());
            continue;
        }
        let (first, last) = part.split_once(['-', '–']).unwrap_or((part, part));
        let (first, last) = (day(first)?, day(last)?);
        // From Friday to Monday goes over the weekend.
        let length = (last + DAY_NAMES.len() - first) % DAY_NAMES.len();
        all.extend((0..=length).map(|more| (first + more) % DAY_NAMES.len()));
    }
    let days: Vec<&'static str> = all.into_iter().filter_map(|day| DAY_NAMES.get(day).copied()).collect();
    (!days.is_empty()).then_some(Span { days, from: time(from, false)?, to: time(to, true)? })
}

/// By its first three letters.
fn day(text: &str) -> Option<usize> {
    let start: String = text.trim().to_lowercase().chars().take(3).collect();
    DAY_NAMES.iter().position(|day| *day == start)
}

/// "7", "7:30", "0730" and "07:30" as "07:30"; 24:00 ends a day.
fn time(text: &str, end: bool) -> Option<String> {
    let text = text.trim();
    let digits = |text: &str| -> Option<u32> {
        text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
    };
    let (hours, minutes) = match text.split_once([':', '.']) {
        Some((hours, minutes)) => (digits(hours)?, digits(minutes)?),
        None if text.len() == 4 && text.is_ascii() => (digits(&text[..2])?, digits(&text[2..])?),
        None => (digits(text)?, 0),
    };
    let whole = end && hours == 24 && minutes == 0;
    (whole || (hours < 24 && minutes < 60)).then(|| format!("{hours:02}:{minutes:02}"))
}
