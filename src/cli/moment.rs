//! Times as people type them: "7d", "24h", "2026-07-01", "2026-07-01T08:00", an RFC 3339 instant.

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, Zoned};

use crate::cli::exit::Usage;

/// Reads a time; a span means that long before `now`. The zone is asked for only where days or times of day are meant.
///
/// # Errors
/// In words, with what may be written; and those of `zone`.
pub fn read(text: &str, now: Timestamp, zone: impl FnOnce() -> Result<TimeZone, Usage>) -> Result<Timestamp, Usage> {
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(at);
    }
    // Hours are the same everywhere; days are not, and this refuses them.
    let span = text.parse::<Span>().ok();
    if let Some(at) = span.and_then(|span| now.checked_sub(span.abs()).ok()) {
        return Ok(at);
    }
    let zone = zone()?;
    let local = now.to_zoned(zone.clone());
    let read = if let Some(span) = span {
        before(&local, span)
    } else if let Ok(at) = text.parse::<DateTime>() {
        at.to_zoned(zone.clone()).ok().map(|at| at.timestamp())
    } else if let Ok(day) = text.parse::<Date>() {
        day.to_zoned(zone.clone()).ok().map(|at| at.timestamp())
    } else if text == "today" {
        local.start_of_day().ok().map(|at| at.timestamp())
    } else {
        None
    };
    read.ok_or_else(|| Usage(format!("`{text}` is no time; write 7d, 24h, today, 2026-07-01 or 2026-07-01T08:00")))
}

fn before(now: &Zoned, span: Span) -> Option<Timestamp> {
    now.checked_sub(span.abs()).ok().map(|at| at.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reads(text: &str) -> Option<String> {
        let now: Timestamp = "2026-03-10T12:00:00Z".parse().expect("now");
        let zone = TimeZone::get("America/New_York").expect("zone");
        read(text, now, || Ok(zone)).ok().map(|at| at.to_string())
    }

    #[test]
    fn hours_and_instants_need_no_zone() {
        let now: Timestamp = "2026-03-10T12:00:00Z".parse().expect("now");
        let reads = |text| read(text, now, || Err(Usage("which zone?".to_owned()))).map(|at| at.to_string()).ok();
        assert_eq!(reads("24h").as_deref(), Some("2026-03-09T12:00:00Z"));
        assert_eq!(reads("2026-03-09T08:30:00Z").as_deref(), Some("2026-03-09T08:30:00Z"));
        assert_eq!([reads("today"), reads("7d"), reads("2026-03-09")], [None, None, None]);
    }

    #[test]
    fn spans_reach_back_over_a_change_of_the_clocks() {
        // Clocks went forward on 8 March: five calendar days before are 119 hours.
        assert_eq!(reads("5d").as_deref(), Some("2026-03-05T13:00:00Z"));
        assert_eq!(reads("24h").as_deref(), Some("2026-03-09T12:00:00Z"));
        assert_eq!(reads("1w").as_deref(), Some("2026-03-03T13:00:00Z"));
    }

    #[test]
    fn days_and_times_are_the_hospitals() {
        assert_eq!(reads("2026-03-01").as_deref(), Some("2026-03-01T05:00:00Z"));
        assert_eq!(reads("2026-03-09T08:30").as_deref(), Some("2026-03-09T12:30:00Z"));
        assert_eq!(reads("today").as_deref(), Some("2026-03-10T04:00:00Z"));
        assert_eq!(reads("2026-03-09T08:30:00Z").as_deref(), Some("2026-03-09T08:30:00Z"));
        assert_eq!(reads("yesterday-ish"), None);
    }
}
