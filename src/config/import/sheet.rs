//! A table that another program exported, read as it is: any usual encoding and separator, remarks above the header, line
//! breaks inside quotes. Never panics on any bytes.

use std::collections::BTreeSet;

use csv::{ReaderBuilder, StringRecord};

use crate::config::import::quotes;
use crate::plural::counted;

/// A PBX of 50,000 phones with 500 columns each exports some 100 MB; more is the wrong file.
pub const MAX_BYTES: usize = 128 << 20;
/// Lines above the header: a title, a date, a filter.
const MAX_PREAMBLE: usize = 20;
/// As many phones as an extension map holds, and lines that are none.
const MAX_ROWS: usize = 100_000;
/// What separates columns, the likeliest first.
pub const SEPARATORS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// How the bytes were read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    Utf8,
    Utf16,
    /// Neither: bytes above 127 are read as Windows-1252, of which Latin-1 is a part.
    Windows1252,
}

impl Encoding {
    pub fn as_str(self) -> &'static str {
        match self {
            Encoding::Utf8 => "UTF-8",
            Encoding::Utf16 => "UTF-16",
            Encoding::Windows1252 => "Windows-1252",
        }
    }
}

/// A header and rows of the same columns.
#[derive(Debug)]
pub struct Sheet {
    pub encoding: Encoding,
    pub columns: Vec<Column>,
    pub rows: Vec<Row>,
    /// Rows with more cells than the header: which of them stand under which header is not known.
    pub wrong: Vec<Wrong>,
}

/// A row that is of no use, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// Of the file; 0 for what is of no one row.
    pub line: u64,
    pub why: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// As the file has it.
    pub name: String,
    /// In lower case, words parted by one blank: "directory number 1".
    pub key: String,
}

#[derive(Debug)]
pub struct Row {
    /// Where it begins in the file, from 1.
    pub line: u64,
    cells: StringRecord,
}

impl Row {
    /// Empty for a column that this row does not have.
    pub fn cell(&self, column: usize) -> &str {
        self.cells.get(column).unwrap_or_default().trim()
    }
}

/// How many rows are wrong; one may have several faults.
pub fn rows(wrong: &[Wrong]) -> usize {
    wrong.iter().map(|wrong| wrong.line).collect::<BTreeSet<u64>>().len()
}

/// Why a file is no table, in one sentence.
pub type Unreadable = String;

/// Reads a table whose header is the first row that `is_header` takes, by the keys of its columns.
///
/// # Errors
/// When there is no such row, a quote swallows rows, or the file is no export at all.
pub fn read(bytes: &[u8], is_header: impl Fn(&[Column]) -> bool, wanted: &str) -> Result<Sheet, Unreadable> {
    if bytes.len() > MAX_BYTES {
        return Err(format!("this file has more than {} MB; it is no export", MAX_BYTES >> 20));
    }
    if let Some((_, what)) = NO_TABLES.iter().find(|(mark, _)| bytes.starts_with(mark)) {
        return Err(format!("this is {what}, no table: open it and save it as CSV (UTF-8)"));
    }
    let (text, encoding) = decode_whole(bytes);
    if text.chars().take(MAX_SNIFFED).filter(|letter| is_obeyed(*letter)).count() * 4 > text.len().min(MAX_SNIFFED) {
        return Err("this file is no text; export the table as CSV".to_owned());
    }
    let text = text.replace(is_obeyed, " ");
    if text.trim().is_empty() {
        return Err("the file is empty".to_owned());
    }
    // Lines are counted by "\n"; between "\r" and "\n" they would be counted one row late.
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    for separator in SEPARATORS {
        let mut records = records(&text, separator);
        for _ in 0..MAX_PREAMBLE {
            let Some((_, record)) = records.next() else { break };
            let columns: Vec<Column> = record.iter().map(column).collect();
            if is_header(&columns) {
                quotes::check(&text, char::from(separator))?;
                return below(encoding, columns, records, separator);
            }
        }
    }
    let mut why = format!("no header is found among the first {MAX_PREAMBLE} rows: {wanted}; {}", first_row(&text));
    if let Err(broken) = SEPARATORS.iter().try_for_each(|separator| quotes::check(&text, char::from(*separator))) {
        why = format!("{why}; {broken}");
    }
    Err(why)
}

/// Letters that tell text from something else: no table has a quarter of them without a shape.
const MAX_SNIFFED: usize = 1_000;

/// What people take for a table, by its first bytes.
const NO_TABLES: [(&[u8], &str); 3] = [
    (b"PK\x03\x04", "an Excel workbook or a ZIP archive"),
    (b"\xD0\xCF\x11\xE0", "an old Excel workbook"),
    (b"\x1F\x8B", "a compressed file"),
];

/// The rows below a header.
fn below(
    encoding: Encoding,
    columns: Vec<Column>,
    records: impl Iterator<Item = (u64, StringRecord)>,
    separator: u8,
) -> Result<Sheet, Unreadable> {
    let (mut rows, mut wrong) = (Vec::new(), Vec::new());
    for (line, cells) in records {
        if rows.len() + wrong.len() == MAX_ROWS {
            return Err(format!("this file has more than {MAX_ROWS} rows; split it"));
        }
        if cells.len() <= columns.len() {
            rows.push(Row { line, cells });
            continue;
        }
        let (has, header) = (cells.len(), columns.len());
        let separator = if separator == b'\t' { "a tab".to_owned() } else { format!("`{}`", char::from(separator)) };
        let why = format!(
            "this row has {has} cells and the header {header}; put quotes around a text that holds {separator}, or end the \
             header with one, too, where every row does"
        );
        wrong.push(Wrong { line, why });
    }
    Ok(Sheet { encoding, columns, rows, wrong })
}

/// What stands where a header should. None of its cells is told: without a header, any may be a password.
fn first_row(text: &str) -> String {
    let of = |separator: u8| records(text, separator).next().map(|(_, record)| record);
    let row = SEPARATORS.into_iter().filter_map(of).max_by_key(StringRecord::len).unwrap_or_default();
    let is_data = |cell: &str| cell.contains(char::is_numeric) && !cell.contains(char::is_alphabetic);
    match row.iter().any(is_data) {
        true => "it begins with a row of data: write one with the columns' names above it".to_owned(),
        false => format!("its first row has {}", counted(row.len(), "cell")),
    }
}

/// Which of two columns of one name is meant, nobody can say.
///
/// # Errors
/// When one of the columns that are `read` stands there twice.
pub fn refuse_twice<'a>(columns: &[Column], read: impl Iterator<Item = &'a str>) -> Result<(), Unreadable> {
    let mut seen = BTreeSet::new();
    let twice: BTreeSet<&str> =
        columns.iter().map(|column| column.key.as_str()).filter(|key| !seen.insert(*key)).collect();
    let mut named = read.filter_map(|key| columns.iter().find(|column| column.key == key && twice.contains(key)));
    named.next().map_or(Ok(()), |column| Err(format!("two columns are called `{}`; rename or remove one", column.name)))
}

/// Rows that hold something, each with its line. A row that cannot be read has no cells.
fn records(text: &str, separator: u8) -> impl Iterator<Item = (u64, StringRecord)> {
    let reader =
        ReaderBuilder::new().has_headers(false).flexible(true).delimiter(separator).from_reader(text.as_bytes());
    let rows = reader.into_records().map_while(Result::ok);
    // The line at which a record ends is not told, and the one at which it begins is.
    let with_line = rows.map(|record| (record.position().map_or(1, csv::Position::line), record));
    with_line.filter(|(_, record)| record.iter().any(|cell| !cell.trim().is_empty()))
}

fn column(name: &str) -> Column {
    Column { name: name.trim().to_owned(), key: words(name).join(" ") }
}

/// Runs of letters and digits, in lower case.
pub fn words(text: &str) -> Vec<String> {
    let lower = text.to_lowercase();
    let parts = lower.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty());
    parts.map(str::to_owned).collect()
}

/// The text of a file, however it is written. A letter that a terminal would obey is a blank.
pub fn decode(bytes: &[u8]) -> (String, Encoding) {
    let (text, encoding) = decode_whole(bytes);
    (text.replace(is_obeyed, " "), encoding)
}

fn is_obeyed(letter: char) -> bool {
    letter.is_control() && !matches!(letter, '\n' | '\r' | '\t')
}

fn decode_whole(bytes: &[u8]) -> (String, Encoding) {
    if let Some(rest) = bytes.strip_prefix(b"\xEF\xBB\xBF") {
        return (String::from_utf8_lossy(rest).into_owned(), Encoding::Utf8);
    }
    if let Some(rest) = bytes.strip_prefix(b"\xFF\xFE") {
        return (utf16(rest, u16::from_le_bytes), Encoding::Utf16);
    }
    if let Some(rest) = bytes.strip_prefix(b"\xFE\xFF") {
        return (utf16(rest, u16::from_be_bytes), Encoding::Utf16);
    }
    // Without a mark: in a table's header every second byte of UTF-16 is nothing.
    let start = bytes.get(..64.min(bytes.len())).unwrap_or_default();
    let zeros = |parity: usize| start.iter().skip(parity).step_by(2).filter(|byte| **byte == 0).count();
    if start.len() >= 8 && zeros(1) * 4 > start.len() {
        return (utf16(bytes, u16::from_le_bytes), Encoding::Utf16);
    }
    if start.len() >= 8 && zeros(0) * 4 > start.len() {
        return (utf16(bytes, u16::from_be_bytes), Encoding::Utf16);
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => (text.to_owned(), Encoding::Utf8),
        Err(_) => (bytes.iter().map(|byte| windows_1252(*byte)).collect(), Encoding::Windows1252),
    }
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> String {
    let pairs = bytes.chunks_exact(2).filter_map(|pair| <[u8; 2]>::try_from(pair).ok());
    String::from_utf16_lossy(&pairs.map(unit).collect::<Vec<u16>>())
}

/// The letters at 0x80 to 0x9F; all others stand at their own number (as in Latin-1).
const UPPER_CONTROLS: [char; 32] = [
    '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}', '\u{90}', '‘', '’',
    '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
];

fn windows_1252(byte: u8) -> char {
    match byte {
        0x80..=0x9F => UPPER_CONTROLS.get(usize::from(byte - 0x80)).copied().unwrap_or(' '),
        _ => char::from(byte),
    }
}
