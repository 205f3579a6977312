//! /metrics: one scrape's figures in the text format of OpenMetrics 1.0. No label ever holds a name or a number of a
//! person; what is counted per event comes from the switch's fixed list of names.

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::api::Gauges;
use crate::media::Counters;
use crate::store::JournalState;
use crate::switch::{Health, Status};

pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Everything of one scrape. `status` is absent when the switch did not answer; its figures are then left out, which an
/// alert on `wardline_up` sees.
pub fn text(status: Option<&Status>, gauges: &Gauges, ready: bool) -> Result<String, std::fmt::Error> {
    let mut figures = Figures(Registry::with_prefix("wardline"));
    figures.gauge("up", "1 while the switch answers", usize::from(status.is_some()));
    figures.gauge("ready", "1 while new calls are taken", usize::from(ready));
    figures.labelled_gauge("build", "Version of the program", "version", &[(env!("CARGO_PKG_VERSION"), 1)]);
    figures.gauge("uptime_seconds", "Seconds since the start", gauges.uptime.as_secs());
    if let Some(status) = status {
        switch(&mut figures, status);
    }
    storage(&mut figures, gauges);
    media(&mut figures, &gauges.media);
    edges(&mut figures, gauges);
    let mut text = String::new();
    encode(&mut text, &figures.0)?;
    Ok(text)
}

fn switch(figures: &mut Figures, status: &Status) {
    figures.gauge("calls", "Calls now", status.calls);
    let help = "Attempts to call back now that have not reached the ward";
    figures.gauge("calling_back", help, status.calling_back);
    figures.gauge("legs", "Legs of calls now", status.legs);
    figures.gauge("dialogs", "SIP dialogs now", status.dialogs);
    figures.gauge("transactions", "SIP transactions now", status.transactions);
    figures.gauge("timers", "Timers running now", status.timers);
    let ports =
        [("free", status.ports_free), ("used", status.ports_used), ("resting", status.ports_resting)].map(small);
    figures.labelled_gauge("ports", "RTP port pairs by what they do", "state", &ports);
    figures.gauge("bindings", "Registered phones now", status.bindings);
    figures.gauge("waiting", "Callers waiting for a free analyst now", status.waiting);
    figures.gauge("callbacks", "Callbacks that wait for their time", status.callbacks);
    let help = "Callbacks owed that are tried no more: a person must call";
    figures.gauge("callbacks_failed", help, status.callbacks_failed);
    let up = |health: &Health| match health {
        Health::Up => Some(1),
        Health::Down => Some(0),
        // Not probed: neither.
        Health::Unknown => None,
    };
    let trunks: Vec<(&str, i64)> =
        status.trunks.iter().filter_map(|(trunk, health)| Some((trunk.as_str(), up(health)?))).collect();
    figures.labelled_gauge("trunk_up", "1 while a probed trunk answers OPTIONS", "trunk", &trunks);
    let plain = |trunk| i64::from(status.plain.contains_key(trunk));
    let trunks: Vec<(&str, i64)> = status.trunks.keys().map(|trunk| (trunk.as_str(), plain(trunk))).collect();
    figures.labelled_gauge("trunk_plain", "1 where a trunk goes unencrypted", "trunk", &trunks);
    let rehearsal: Vec<(&str, i64)> = status
        .standings
        .iter()
        .map(|(hospital, standing)| (hospital.as_str(), i64::from(standing.is_rehearsal())))
        .collect();
    let help = "1 until the hospital is declared live (wardline golive)";
    figures.labelled_gauge("hospital_rehearsal", help, "hospital", &rehearsal);
    figures.gauge("draining", "1 while the node drains", usize::from(status.draining));
    let events: Vec<(&str, u64)> = status.counters.iter().map(|(name, count)| (name.as_str(), *count)).collect();
    figures.labelled_counter("events", "What happened in the switch", "event", &events);
}

fn storage(figures: &mut Figures, gauges: &Gauges) {
    let is = |state| i64::from(gauges.journal == state);
    let states = [
        ("healthy", is(JournalState::Healthy)),
        ("degraded", is(JournalState::Degraded)),
        ("full", is(JournalState::Full)),
    ];
    figures.labelled_gauge("journal_state", "1 at the state the journal is in", "state", &states);
    let trouble = gauges.trouble.clone().unwrap_or_default();
    figures.gauge("journal_held_records", "Records held in memory because the disk refuses", trouble.held_records);
    figures.gauge("journal_held_bytes", "Bytes held in memory because the disk refuses", trouble.held_bytes);
    figures.counter("journal_lost_records", "Records that could not be kept", trouble.lost);
    figures.gauge("journal_written_seq", "Last record in the journal", gauges.written.0);
    figures.gauge("store_seq", "Last record in the store", gauges.projected.stored.0);
    let behind = gauges.written.0.saturating_sub(gauges.projected.stored.0);
    figures.gauge("store_behind_records", "Records in the journal and not in the store yet", behind);
    figures.gauge("store_stuck", "1 while the store does not follow", usize::from(gauges.projected.error.is_some()));
    figures.counter("store_skipped_records", "Records the store refuses for good", gauges.projected.skipped);
}

fn media(figures: &mut Figures, media: &Counters) {
    figures.gauge("media_legs", "Media legs open now", media.legs_open);
    let packets = [
        ("rtp_received", media.rtp_received),
        ("rtp_sent", media.rtp_sent),
        ("rtp_relayed", media.rtp_relayed),
        ("rtcp_received", media.rtcp_received),
        ("frames_transcoded", media.frames_transcoded),
    ];
    figures.labelled_counter("media_packets", "Packets and frames handled", "kind", &packets);
    let troubles = [
        ("junk", media.junk),
        ("forged", media.forged),
        ("unknown_type", media.unknown_type),
        ("wrong_source", media.wrong_source),
        ("send_failed", media.send_failed),
        ("prompts_missing", media.prompts_missing),
        ("pacing_skips", media.pacing_skips),
        ("events_delayed", media.events_delayed),
        ("events_dropped", media.events_dropped),
        ("commands_ignored", media.commands_ignored),
        ("commands_refused", media.commands_refused),
    ];
    figures.labelled_counter("media_troubles", "What went wrong in media, by kind", "kind", &troubles);
}

fn edges(figures: &mut Figures, gauges: &Gauges) {
    figures.counter("inbox_dropped", "Inputs dropped because a lane was full", gauges.inbox_dropped);
    figures.counter("inbox_stale", "INVITEs that waited too long in front of the switch", gauges.inbox_stale);
    figures.gauge("tcp_connections", "SIP connections over TCP now", gauges.tcp_connections);
    figures.counter(
        "tcp_refused",
        "SIP connections over TCP and TLS refused: no room, or a failed handshake",
        gauges.tcp_refused,
    );
    figures.counter("udp_send_errors", "SIP datagrams that could not be sent", gauges.udp_send_errors);
    if let Some(canary) = gauges.canary {
        let ago = canary.succeeded_ago.unwrap_or(gauges.uptime);
        figures.gauge("canary_age_seconds", "Seconds since the canary's last good call", ago.as_secs());
    }
}

fn small((name, value): (&'static str, usize)) -> (&'static str, i64) {
    (name, i64::try_from(value).unwrap_or(i64::MAX))
}

/// A registry that lives for one scrape.
struct Figures(Registry);

impl Figures {
    fn gauge<N: TryInto<i64>>(&mut self, name: &str, help: &str, value: N) {
        let gauge = Gauge::<i64>::default();
        gauge.set(value.try_into().unwrap_or(i64::MAX));
        self.0.register(name, help, gauge);
    }

    /// `_total` is added to the name, as OpenMetrics has it.
    fn counter(&mut self, name: &str, help: &str, value: u64) {
        let counter = Counter::<u64>::default();
        counter.inc_by(value);
        self.0.register(name, help, counter);
    }

    fn labelled_gauge(&mut self, name: &str, help: &str, label: &'static str, values: &[(&str, i64)]) {
        let family = Family::<Vec<(&'static str, String)>, Gauge<i64>>::default();
        for (value_of_label, value) in values {
            family.get_or_create(&vec![(label, (*value_of_label).to_owned())]).set(*value);
        }
        self.0.register(name, help, family);
    }

    fn labelled_counter(&mut self, name: &str, help: &str, label: &'static str, values: &[(&str, u64)]) {
        let family = Family::<Vec<(&'static str, String)>, Counter<u64>>::default();
        for (value_of_label, value) in values {
            family.get_or_create(&vec![(label, (*value_of_label).to_owned())]).inc_by(*value);
        }
        self.0.register(name, help, family);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Seq;
    use crate::store::Projected;
    use crate::ticket::Standing;
    use crate::time::Duration;

    fn gauges() -> Gauges {
        Gauges {
            uptime: Duration::from_secs(42),
            journal: JournalState::Degraded,
            trouble: None,
            written: Seq(120),
            projected: Projected { stored: Seq(100), error: None, skipped: 2 },
            media: Counters { legs_open: 4, rtp_received: 900, ..Counters::default() },
            inbox_dropped: 7,
            inbox_stale: 0,
            tcp_connections: 3,
            tcp_refused: 0,
            udp_send_errors: 6,
            canary: None,
        }
    }

    #[test]
    fn a_scrape_shows_the_switch_the_journal_and_the_media() {
        let mut status = Status { calls: 2, ports_free: 996, ports_used: 4, ..Status::default() };
        status.counters.insert("strangers".to_owned(), 5);
        let live = Standing::Declared { by: "kim".to_owned(), at: jiff::Timestamp::UNIX_EPOCH };
        status.standings.extend([("harbor".into(), live), ("cedar".into(), Standing::Rehearsal)]);
        status.trunks.extend([("pbx".into(), Health::Up), ("carrier".into(), Health::Unknown)]);
        status.plain.insert("carrier".into(), "isolated voice network".to_owned());
        let text = text(Some(&status), &gauges(), true).expect("text");
        for line in [
            "wardline_up 1",
            "wardline_ready 1",
            "wardline_calls 2",
            "wardline_ports{state=\"free\"} 996",
            "wardline_events_total{event=\"strangers\"} 5",
            "wardline_trunk_plain{trunk=\"pbx\"} 0",
            "wardline_trunk_plain{trunk=\"carrier\"} 1",
            "wardline_hospital_rehearsal{hospital=\"harbor\"} 0",
            "wardline_hospital_rehearsal{hospital=\"cedar\"} 1",
            "wardline_journal_state{state=\"degraded\"} 1",
            "wardline_journal_state{state=\"healthy\"} 0",
            "wardline_store_behind_records 20",
            "wardline_store_skipped_records_total 2",
            "wardline_media_packets_total{kind=\"rtp_received\"} 900",
            "wardline_inbox_dropped_total 7",
            "wardline_udp_send_errors_total 6",
        ] {
            assert!(text.lines().any(|shown| shown == line), "no line `{line}` in\n{text}");
        }
        assert!(text.ends_with("# EOF\n"));
    }

    #[test]
    fn a_switch_that_does_not_answer_shows_as_down_and_without_figures() {
        let text = text(None, &gauges(), false).expect("text");
        assert!(text.contains("wardline_up 0\n"));
        assert!(!text.contains("wardline_calls"));
    }
}
