//! Which release of a system runs when: the one that runs first, and the go-lives after it.

use jiff::Timestamp;
use jiff::civil::DateTime;

/// Go-lives that one system's file keeps. Two a year for ten years, with room.
pub const MAX_GO_LIVES: usize = 50;

/// The releases of one installation, in the order in which they run. Never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReleaseLine {
    first: String,
    later: Vec<GoLive>,
}

/// A release, and the instant from which it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GoLive {
    pub release: String,
    pub from: Timestamp,
    /// The same on the hospital's clock, for words.
    pub clock: DateTime,
}

impl ReleaseLine {
    /// `later` in any order.
    pub fn new(first: &str, mut later: Vec<GoLive>) -> ReleaseLine {
        later.sort_by_key(|go_live| go_live.from);
        ReleaseLine { first: first.to_owned(), later }
    }

    /// The release in force at `wall`; a go-live's own instant belongs to it.
    pub fn at(&self, wall: Timestamp) -> &str {
        self.name(self.position(wall))
    }

    /// Its place in the line: 0 is the first.
    pub fn position(&self, wall: Timestamp) -> usize {
        self.later.partition_point(|go_live| go_live.from <= wall)
    }

    /// The release at a place of the line; beyond its end, the last.
    pub fn name(&self, position: usize) -> &str {
        let later = position.checked_sub(1).and_then(|index| self.later.get(index).or(self.later.last()));
        later.map_or(&self.first, |go_live| &go_live.release)
    }

    /// `None` for the first release, which has always run.
    pub fn go_live(&self, position: usize) -> Option<&GoLive> {
        self.later.get(position.checked_sub(1)?)
    }

    pub fn go_lives(&self) -> &[GoLive] {
        &self.later
    }

    /// All names, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.first.as_str()).chain(self.later.iter().map(|go_live| go_live.release.as_str()))
    }

    /// The next go-live after `wall`.
    pub fn next_after(&self, wall: Timestamp) -> Option<&GoLive> {
        self.later.get(self.position(wall))
    }
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;

    fn go_live(release: &str, clock: &str) -> GoLive {
        let clock: DateTime = clock.parse().expect("a date and time");
        let from = TimeZone::UTC.to_timestamp(clock).expect("in UTC every time is one");
        GoLive { release: release.to_owned(), from, clock }
    }

    #[test]
    fn a_release_runs_from_its_instant_until_the_next() {
        let line = ReleaseLine::new("1", vec![go_live("3", "2027-06-01T00:00"), go_live("2", "2027-03-06T02:00")]);
        let at = |text: &str| line.at(text.parse().expect("a time"));
        assert_eq!(at("2027-03-06T01:59:59Z"), "1");
        assert_eq!(at("2027-03-06T02:00:00Z"), "2");
        assert_eq!(at("2030-01-01T00:00:00Z"), "3");
        assert_eq!(line.names().collect::<Vec<_>>(), ["1", "2", "3"]);
        let next = line.next_after("2027-03-06T02:00:00Z".parse().expect("a time"));
        assert_eq!(next.map(|next| next.release.as_str()), Some("3"));
    }
}
