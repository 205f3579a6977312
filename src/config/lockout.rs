//! `[lockout]` of a hospital's file: after how many wrong PINs and badges whoever keys them is locked, and for how long.

use crate::config::reader::Fields;
use crate::grammar::{BLANK, Kind, Need, Table, key};
use crate::identity::{LONGEST_LOCK, LockoutRules, MAX_WRONG};
use crate::time::Duration;

/// The shortest of both times: less would be no lock.
const SHORTEST: Duration = Duration::from_secs(60);
const WRONG: Kind = Kind::Number { least: 1, most: MAX_WRONG as u64 };
const TIME: Kind = Kind::Duration { least: SHORTEST, most: LONGEST_LOCK };

pub static LOCKOUT: Table = Table {
    name: "lockout",
    subject: "`lockout`",
    written: "[lockout]",
    doc: "When wrong PINs and badges lock: a person after so many wrong PINs, a calling number after so many wrong PINs and \
          badges, across calls and restarts. While locked, whatever is keyed is refused in the same words.",
    keys: &[
        key!("wrong_for_person", WRONG, Need::Default("5"), "wrong PINs of one person, from whatever phone"),
        key!("wrong_from_number", WRONG, Need::Default("20"), "wrong PINs and badges from one calling number"),
        key!("within", TIME, Need::Default("\"1h\""), "wrong ones further apart are not counted together"),
        key!(
            "lock",
            TIME,
            Need::Default("\"15m\""),
            "the first lock; each further one is twice as long, a day at most"
        ),
    ],
    example: "[lockout]\nwrong_for_person = 3\nlock = \"30m\"\n",
    ..BLANK
};

pub fn read(fields: Option<Fields<'_>>) -> LockoutRules {
    let usual = LockoutRules::default();
    let Some(fields) = fields else { return usual };
    let wrong = |key: &'static str, usual: u32| -> u32 {
        let (least, most) = fields.bounds(key);
        let Some(number) = fields.optional::<usize>(key) else { return usual };
        match u32::try_from(number) {
            Ok(number) if (least..=most).contains(&u64::from(number)) => number,
            Ok(_) | Err(_) => {
                let finding = fields.key_place(key).error(format!("`{key}` must be {least} to {most}"));
                fields.problems.push(finding.remedy("write a number in those bounds"));
                usual
            }
        }
    };
    let time = |key: &'static str, usual: Duration| -> Duration {
        let Some(time) = fields.optional::<Duration>(key) else { return usual };
        if (SHORTEST..=LONGEST_LOCK).contains(&time) {
            return time;
        }
        let finding = fields.key_place(key).error(format!("`{key}` must be a minute to a day"));
        fields.problems.push(finding.remedy("write a time in those bounds, such as \"15m\""));
        usual
    };
    LockoutRules {
        wrong_for_person: wrong("wrong_for_person", usual.wrong_for_person),
        wrong_from_number: wrong("wrong_from_number", usual.wrong_from_number),
        within: time("within", usual.within),
        lock: time("lock", usual.lock),
    }
}
