//! One pass over the edges of everybody's duties counts who is there between any two of them.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::holds::{Group, People};
use super::{Row, Stretch, Wanted, Window};
use crate::ids::AnalystId;

/// What begins or ends at an edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Duty {
    Shift,
    OnCall,
    /// On duty, but for the lapse of this number.
    Lapsed(usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Edge {
    at: Timestamp,
    /// By position among the people.
    who: usize,
    duty: Duty,
    begins: bool,
}

pub(super) fn row(wanted: &Wanted, group: Group, people: &People<'_>, window: Window) -> Row {
    let stretches = stretches(&edges(&group, people), people, window);
    let whenever = people
        .each
        .iter()
        .zip(&group.pieces)
        .filter(|(holder, pieces)| holder.whenever && pieces.iter().any(|piece| piece.at_work));
    Row {
        whenever: whenever.map(|(holder, _)| holder.analyst.id.clone()).collect(),
        system: wanted.system.clone(),
        whole: group.modules.len() == wanted.modules.len(),
        modules: group.modules,
        sites: group.sites,
        stretches,
    }
}

/// Where what somebody may take and the time in which somebody works overlap.
fn edges(group: &Group, people: &People<'_>) -> Vec<Edge> {
    let mut edges = Vec::new();
    for (who, (holder, pieces)) in people.each.iter().zip(&group.pieces).enumerate() {
        for piece in pieces {
            let lapsed = piece.lapse.as_ref().and_then(|(at, because)| {
                group.lapses.get(&(who, *at, because.clone())).map(|number| Duty::Lapsed(*number))
            });
            let at_work = if piece.at_work { Some(Duty::Shift) } else { lapsed };
            let on_call = if piece.on_call { Some(Duty::OnCall) } else { lapsed };
            for (spells, duty) in [(&holder.shifts, at_work), (&holder.on_call, on_call)] {
                let Some(duty) = duty else { continue };
                // Both are in order, so what ended before the piece can be passed over at once.
                let first = spells.partition_point(|(_, until)| *until <= piece.from);
                for (from, until) in spells.iter().skip(first).take_while(|(from, _)| *from < piece.until) {
                    let (from, until) = ((*from).max(piece.from), (*until).min(piece.until));
                    edges.push(Edge { at: from, who, duty, begins: true });
                    edges.push(Edge { at: until, who, duty, begins: false });
                }
            }
        }
    }
    edges.sort_unstable();
    edges
}

/// Who is there now.
#[derive(Default)]
struct Now {
    shift: Vec<u32>,
    on_call: Vec<u32>,
    on_shift: usize,
    only_on_call: usize,
    /// Of the positions of all who are there: of one alone, it is the position.
    sum: usize,
    lapsed: BTreeMap<usize, u32>,
}

impl Now {
    fn take(&mut self, edge: &Edge) {
        self.count(edge.who, false);
        let step = |count: &mut u32| *count = if edge.begins { *count + 1 } else { count.saturating_sub(1) };
        let count = match edge.duty {
            Duty::Shift => self.shift.get_mut(edge.who),
            Duty::OnCall => self.on_call.get_mut(edge.who),
            Duty::Lapsed(number) => Some(self.lapsed.entry(number).or_default()),
        };
        count.into_iter().for_each(step);
        self.lapsed.retain(|_, count| *count > 0);
        self.count(edge.who, true);
    }

    /// Takes somebody out of the figures, or puts them in as they are now.
    fn count(&mut self, who: usize, into: bool) {
        let is = |counts: &[u32]| counts.get(who).is_some_and(|count| *count > 0);
        let (on_shift, on_call) = (is(&self.shift), is(&self.on_call));
        let counted = match (on_shift, on_call) {
            (true, _) => &mut self.on_shift,
            (false, true) => &mut self.only_on_call,
            (false, false) => return,
        };
        (*counted, self.sum) = if into { (*counted + 1, self.sum + who) } else { (*counted - 1, self.sum - who) };
    }
}

fn stretches(edges: &[Edge], people: &People<'_>, window: Window) -> Vec<Stretch> {
    let size = people.each.len();
    let mut now = Now { shift: vec![0; size], on_call: vec![0; size], ..Now::default() };
    let mut stretches: Vec<Stretch> = Vec::new();
    let mut from = window.from;
    let mut rest = edges;
    loop {
        let here = rest.iter().take_while(|edge| edge.at <= from).count();
        let (due, later) = rest.split_at(here);
        due.iter().for_each(|edge| now.take(edge));
        let until = later.first().map_or(window.until, |edge| edge.at);
        if from < until {
            push(&mut stretches, stretch(&now, people, Window { from, until }));
        }
        if later.is_empty() {
            return stretches;
        }
        (from, rest) = (until, later);
    }
}

fn stretch(now: &Now, people: &People<'_>, window: Window) -> Stretch {
    let (on_shift, on_call) = (now.on_shift, now.only_on_call);
    let single = || -> Option<AnalystId> { people.each.get(now.sum).map(|holder| holder.analyst.id.clone()) };
    Stretch {
        from: window.from,
        until: window.until,
        on_shift,
        on_call,
        single: if on_shift + on_call == 1 { single() } else { None },
        lapsed: if on_shift + on_call == 0 { now.lapsed.keys().copied().collect() } else { Vec::new() },
    }
}

fn push(stretches: &mut Vec<Stretch>, next: Stretch) {
    match stretches.last_mut() {
        Some(last)
            if (last.on_shift, last.on_call, &last.single, &last.lapsed)
                == (next.on_shift, next.on_call, &next.single, &next.lapsed) =>
        {
            last.until = next.until;
        }
        Some(_) | None => stretches.push(next),
    }
}
