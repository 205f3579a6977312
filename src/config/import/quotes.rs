//! Quotes of a table that are not written as RFC 4180 has them. A reader goes on at a quote that is not closed and takes
//! all rows behind it for one cell; whoever acts on what a table lacks must know.

/// Line breaks in one cell: an address, a remark. More are rows that a quote swallows.
const MAX_BREAKS: usize = 20;

/// Where a letter stands.
#[derive(Clone, Copy)]
enum At {
    /// Nothing of the cell is read yet.
    Start,
    Bare,
    Quoted,
    /// Behind a quote that closes the cell, or is the first of two.
    Closed,
    /// Behind blanks that follow a closed cell.
    Over,
}

/// The first quote that does not do what it seems to do, with line and column (in letters, from 1) and the remedy.
/// Lines end with "\n".
///
/// # Errors
/// That sentence.
pub fn check(text: &str, separator: char) -> Result<(), String> {
    let (mut line, mut column) = (1_u64, 0_u64);
    let (mut opened, mut closed, mut breaks) = ((0, 0), (0, 0), 0);
    let mut at = At::Start;
    for letter in text.chars() {
        column += 1;
        at = match (at, letter) {
            (At::Quoted, '"') => {
                closed = (line, column);
                At::Closed
            }
            (At::Quoted, '\n') if breaks == MAX_BREAKS => {
                return Err(opens(opened, &format!("closes only after more than {MAX_BREAKS} line breaks, if ever")));
            }
            (At::Quoted, letter) => {
                breaks += usize::from(letter == '\n');
                At::Quoted
            }
            (At::Closed, '"') => At::Quoted,
            (At::Start | At::Bare | At::Closed | At::Over, '\n') => At::Start,
            (At::Start | At::Bare | At::Closed | At::Over, letter) if letter == separator => At::Start,
            (At::Start, '"') => {
                (opened, breaks) = ((line, column), 0);
                At::Quoted
            }
            (At::Start | At::Bare, _) => At::Bare,
            (At::Closed | At::Over, ' ') => At::Over,
            (At::Closed | At::Over, _) => {
                let (line, column) = closed;
                return Err(opens(opened, &format!("closes at line {line}, column {column}, and more text follows")));
            }
        };
        if letter == '\n' {
            (line, column) = (line + 1, 0);
        }
    }
    match at {
        At::Quoted => Err(opens(opened, "is never closed, so the rows after it would be lost")),
        At::Start | At::Bare | At::Closed | At::Over => Ok(()),
    }
}

fn opens((line, column): (u64, u64), what: &str) -> String {
    format!(
        "line {line}, column {column}: a quote opens here and {what}; close the cell with a quote, or take this one away \
         (a quote within a cell is written twice)"
    )
}
