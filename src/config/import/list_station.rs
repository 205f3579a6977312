//! What Avaya's terminal (SAT) prints for `list station`: pages of columns that stand at fixed positions, two lines a station.

use crate::config::import::columns::{Exported, Field, one_line};
use crate::config::import::sheet::SEPARATORS;

/// Letters of a room; what follows is of the next column.
const MAX_ROOM: usize = 10;

/// Letters from the first to before the last.
type Part = (usize, usize);

struct Columns {
    name: Part,
    room: Option<Part>,
}

/// The stations, each with its line; `None` for text that is no such list. A header begins with "Ext"; of a station's two
/// lines the first begins with its number.
pub fn read(text: &str) -> Option<Vec<Exported>> {
    let mut columns = None;
    let mut phones = Vec::new();
    for (line, text) in (1_u64..).zip(text.lines()) {
        columns = header(text).or(columns);
        let Some(columns) = &columns else { continue };
        if text.starts_with(|first: char| first.is_ascii_digit()) {
            phones.push(station(line, text, columns));
        }
    }
    (!phones.is_empty()).then_some(phones)
}

/// A header that is cut by a separator is a table's, whose columns stand at no position.
fn header(line: &str) -> Option<Columns> {
    if !line.starts_with("Ext") || line.bytes().any(|byte| SEPARATORS.contains(&byte)) {
        return None;
    }
    let letters: Vec<char> = line.chars().collect();
    let begins = |at: &usize| *at == 0 || letters.get(at - 1).is_some_and(|before| before.is_whitespace());
    let starts: Vec<usize> = (0..letters.len())
        .filter(begins)
        .filter(|at| !letters.get(*at).is_none_or(|first| first.is_whitespace()))
        .collect();
    let part = |word: &str| {
        let word: Vec<char> = word.chars().collect();
        let from = starts.iter().find(|at| letters.get(**at..).is_some_and(|rest| rest.starts_with(&word)))?;
        Some((*from, starts.iter().find(|at| *at > from).copied().unwrap_or(usize::MAX)))
    };
    part("Port")?;
    let room = part("Room").map(|(from, to)| (from, to.min(from + MAX_ROOM)));
    Some(Columns { name: part("Name")?, room })
}

fn station(line: u64, text: &str, columns: &Columns) -> Exported {
    let cut = |(from, to): Part| {
        let letters = text.chars().skip(from).take(to.saturating_sub(from));
        Some(one_line(&letters.collect::<String>())).filter(|part| !part.is_empty())
    };
    let number = text.split_whitespace().next().unwrap_or_default().to_owned();
    let name = cut(columns.name).map(|name| (Field::Name, name));
    Exported { line, number, texts: name.into_iter().collect(), room: columns.room.and_then(cut) }
}
