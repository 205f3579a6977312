//! What people may take, and from when until when: the filter of live calls, asked once between any two instants at which
//! its answer can change.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use jiff::civil::Date;

use super::{Because, Demand, Lapse, Row, Wanted, Window};
use crate::ids::{AnalystId, ModuleId, SiteId, SystemId};
use crate::release::ReleaseLine;
use crate::routing::qualify;
use crate::routing::{Analyst, Need, Person, Refusal, Schedule, Staff, Who, at_best};

/// Everybody who holds something of one system.
pub(super) struct People<'a> {
    demand: &'a Demand,
    wanted: &'a Wanted,
    line: Option<&'a ReleaseLine>,
    pub(super) each: Vec<Holder<'a>>,
}

pub(super) struct Holder<'a> {
    pub(super) analyst: &'a Analyst,
    /// On duty whenever signed in.
    pub(super) whenever: bool,
    /// When on shift, and when on call.
    pub(super) shifts: Vec<(Timestamp, Timestamp)>,
    pub(super) on_call: Vec<(Timestamp, Timestamp)>,
    /// As if everything were well, in each of the pieces of the window in which nothing changes.
    pieces: Vec<(Window, Person)>,
}

/// What one of them may take of one thing, in one piece of the window.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Piece {
    pub(super) from: Timestamp,
    pub(super) until: Timestamp,
    /// As somebody on shift, and as somebody on call.
    pub(super) at_work: bool,
    pub(super) on_call: bool,
    /// Would be true but for this.
    pub(super) lapse: Option<(Timestamp, Because)>,
}

/// By position in [`People::each`].
type OfModule = Vec<Vec<Piece>>;

/// Modules (and sites) of a system that the same people may take at the same times.
pub(super) struct Group {
    pub(super) modules: Vec<ModuleId>,
    pub(super) sites: Vec<SiteId>,
    /// By position in [`People::each`].
    pub(super) pieces: OfModule,
    /// Of each lapse among the pieces, by analyst: its number in [`Lapses`].
    pub(super) lapses: BTreeMap<(usize, Timestamp, Because), usize>,
}

impl<'a> People<'a> {
    pub(super) fn of(staff: &'a Staff, demand: &'a Demand, wanted: &'a Wanted, window: Window) -> People<'a> {
        let line = staff.line(&demand.hospital, &wanted.system);
        let holds = |analyst: &&Analyst| analyst.qualifications.iter().any(|held| held.system == wanted.system);
        let need = need(demand, wanted, None, None);
        let holder = |analyst: &'a Analyst| {
            let spells = |schedule: &Schedule| schedule.spells(window.from, window.until);
            let piece = |piece: Window| (piece, at_best(staff, analyst, &need, piece.from));
            Holder {
                analyst,
                whenever: analyst.shifts == Schedule::Always,
                shifts: if analyst.shifts == Schedule::Always { Vec::new() } else { spells(&analyst.shifts) },
                on_call: spells(&analyst.on_call),
                pieces: pieces(analyst, wanted, line, window).into_iter().map(piece).collect(),
            }
        };
        let each = staff.of(&demand.hospital).filter(holds).map(holder).collect();
        People { demand, wanted, line, each }
    }

    /// Modules and sites, those alike together.
    pub(super) fn groups(&self, lapses: &mut Lapses) -> Vec<Group> {
        let sites: Vec<Option<&SiteId>> = match self.wanted.sites.as_slice() {
            [] => vec![None],
            sites => sites.iter().map(Some).collect(),
        };
        // Sites that are alike for every module are one.
        let mut alike: Vec<(Vec<&SiteId>, Vec<OfModule>)> = Vec::new();
        for site in sites {
            let modules = self.wanted.modules.iter();
            let held: Vec<_> =
                modules.map(|module| self.each.iter().map(|one| self.held(one, module, site)).collect()).collect();
            match alike.iter_mut().find(|(_, known)| *known == held) {
                Some((sites, _)) => sites.extend(site),
                None => alike.push((site.into_iter().collect(), held)),
            }
        }
        let several = alike.len() > 1;
        let mut groups: Vec<Group> = Vec::new();
        for (sites, modules) in alike {
            let sites: Vec<SiteId> = sites.into_iter().filter(|_| several).cloned().collect();
            for (module, pieces) in self.wanted.modules.iter().zip(modules) {
                match groups.iter_mut().find(|group| group.sites == sites && group.pieces == pieces) {
                    Some(group) => group.modules.push(module.clone()),
                    None => {
                        let (modules, sites) = (vec![module.clone()], sites.clone());
                        groups.push(Group { modules, sites, pieces, lapses: BTreeMap::new() });
                    }
                }
            }
        }
        for group in &mut groups {
            self.note(group, lapses);
        }
        groups
    }

    fn note(&self, group: &mut Group, lapses: &mut Lapses) {
        for (place, (holder, pieces)) in self.each.iter().zip(&group.pieces).enumerate() {
            for (at, because) in pieces.iter().filter_map(|piece| piece.lapse.clone()) {
                let number = lapses.note(&holder.analyst.id, &self.wanted.system, at, &because, &group.modules);
                group.lapses.insert((place, at, because), number);
            }
        }
    }

    fn held(&self, holder: &Holder<'_>, module: &ModuleId, site: Option<&SiteId>) -> Vec<Piece> {
        let need = need(self.demand, self.wanted, Some(module), site);
        let mut held: Vec<Piece> = Vec::new();
        for (window, person) in &holder.pieces {
            let of_site = holder.analyst.sites.as_ref().zip(site).is_none_or(|(sites, site)| sites.contains(site));
            let person = Person { of_site, ..person.clone() };
            let rung = |who, by_plan: bool| by_plan && qualify::judge(&person, who, &need).is_ok();
            let at_work = rung(Who::Qualified, self.demand.rings_at_work);
            let on_call = rung(Who::OnCall, self.demand.rings_on_call);
            let lapse = qualify::qualified(&person, &need).err().and_then(|refusal| self.lapse(holder, refusal));
            let piece = Piece { from: window.from, until: window.until, at_work, on_call, lapse };
            match held.last_mut() {
                Some(last) if (last.at_work, last.on_call, &last.lapse) == (at_work, on_call, &piece.lapse) => {
                    last.until = piece.until;
                }
                Some(_) | None => held.push(piece),
            }
        }
        held
    }

    /// What used to count and does not any more. What expired long ago is no news.
    fn lapse(&self, holder: &Holder<'_>, refusal: Refusal) -> Option<(Timestamp, Because)> {
        match refusal {
            Refusal::Stale { since, .. } => {
                let go_live = self.line?.go_lives().iter().find(|go_live| go_live.clock == since)?;
                Some((go_live.from, Because::Stale { release: go_live.release.clone() }))
            }
            Refusal::Expired { on } => {
                let at = morning_after(on, holder.analyst)?;
                let first = holder.pieces.first().map(|(window, _)| window.from)?;
                (at >= first).then_some((at, Because::Expires { on }))
            }
            Refusal::OtherHospital { .. }
            | Refusal::OtherSite { .. }
            | Refusal::Language { .. }
            | Refusal::NoQualification { .. }
            | Refusal::Module { .. }
            | Refusal::Level { .. }
            | Refusal::NotYetValid { .. }
            | Refusal::Release { .. }
            | Refusal::NotOnCall
            | Refusal::NotSupervisor
            | Refusal::NotInWrapUp
            | Refusal::AlreadyTried
            | Refusal::RingsAlready
            | Refusal::LeaseRefused
            | Refusal::Ringing
            | Refusal::OnCall
            | Refusal::NotSignedIn
            | Refusal::Paused { .. }
            | Refusal::OffShift
            | Refusal::WrapUp
            | Refusal::NoPhone
            | Refusal::PhoneTaken => None,
        }
    }
}

fn need(demand: &Demand, wanted: &Wanted, module: Option<&ModuleId>, site: Option<&SiteId>) -> Need {
    Need {
        hospital: demand.hospital.clone(),
        site: site.cloned(),
        system: Some(wanted.system.clone()),
        module: module.cloned(),
        release: None,
        language: demand.language.clone(),
        level: demand.level,
    }
}

/// The window, cut wherever a qualification of the system may begin or end to count.
fn pieces(analyst: &Analyst, wanted: &Wanted, line: Option<&ReleaseLine>, window: Window) -> Vec<Window> {
    let mut cuts: BTreeSet<Timestamp> = BTreeSet::from([window.from, window.until]);
    for held in analyst.qualifications.iter().filter(|held| held.system == wanted.system) {
        cuts.extend(held.valid_from.and_then(|day| morning(day, analyst)));
        cuts.extend(held.valid_until.and_then(|day| morning_after(day, analyst)));
    }
    cuts.extend(line.into_iter().flat_map(|line| line.go_lives()).map(|go_live| go_live.from));
    let cuts: Vec<Timestamp> = cuts.range(window.from..=window.until).copied().collect();
    cuts.windows(2).filter_map(|cut| Some(Window { from: *cut.first()?, until: *cut.last()? })).collect()
}

fn morning(day: Date, analyst: &Analyst) -> Option<Timestamp> {
    day.to_zoned(analyst.zone.clone()).ok().map(|morning| morning.timestamp())
}

fn morning_after(day: Date, analyst: &Analyst) -> Option<Timestamp> {
    morning(day.tomorrow().ok()?, analyst)
}

/// Everything that lapses, each once with all modules that it concerns.
#[derive(Default)]
pub(super) struct Lapses {
    numbers: BTreeMap<(AnalystId, SystemId, Timestamp, Because), usize>,
    modules: Vec<BTreeSet<ModuleId>>,
}

impl Lapses {
    fn note(
        &mut self,
        analyst: &AnalystId,
        system: &SystemId,
        at: Timestamp,
        because: &Because,
        modules: &[ModuleId],
    ) -> usize {
        let next = self.numbers.len();
        let number = *self.numbers.entry((analyst.clone(), system.clone(), at, because.clone())).or_insert(next);
        if number == self.modules.len() {
            self.modules.push(BTreeSet::new());
        }
        if let Some(known) = self.modules.get_mut(number) {
            known.extend(modules.iter().cloned());
        }
        number
    }

    /// In the order of analyst, system and time; rows name them by their new places.
    pub(super) fn into_sorted(self, rows: &mut [Row]) -> Vec<Lapse> {
        let mut places: BTreeMap<usize, usize> = BTreeMap::new();
        let mut sorted = Vec::new();
        let Lapses { numbers, mut modules } = self;
        for (place, ((analyst, system, at, because), number)) in numbers.into_iter().enumerate() {
            places.insert(number, place);
            let modules = modules.get_mut(number).map(std::mem::take).unwrap_or_default().into_iter().collect();
            sorted.push(Lapse { analyst, system, at, because, modules });
        }
        for stretch in rows.iter_mut().flat_map(|row| &mut row.stretches) {
            stretch.lapsed = stretch.lapsed.iter().filter_map(|number| places.get(number).copied()).collect();
            stretch.lapsed.sort_unstable();
        }
        sorted
    }
}
