//! Properties that hold whatever stands in a file.

use super::*;

/// Stands in a table under headers of secrets alone.
const SECRET: &str = "hunter2";

const HEADERS: [&str; 14] = [
    "Extension",
    "Directory Number 1",
    "Name",
    "Description",
    "Room",
    "Location",
    "Device Pool",
    "User",
    "Phone",
    "Systems",
    "Modules",
    "Mobile",
    "Role",
    "Shifts",
];
const SECRET_HEADERS: [&str; 9] = [
    "Password",
    "Security Code",
    "PIN",
    "Digest User",
    "secret",
    "Voicemail Password",
    "SIP-Secret",
    "User PIN",
    "Kennwort",
];

/// A table of all these columns in any order, quoted where it must be, or bare with cells that may hold its separator.
fn table_with_secrets() -> impl Strategy<Value = Vec<u8>> {
    let headers: Vec<&str> = HEADERS.into_iter().chain(SECRET_HEADERS).collect();
    let rows = proptest::collection::vec(proptest::collection::vec("[0-9XQ,;|]{0,6}", headers.len()), 0..6);
    let separator = proptest::sample::select(sheet::SEPARATORS.to_vec());
    (Just(headers).prop_shuffle(), rows, separator, any::<bool>()).prop_map(|(headers, rows, separator, bare)| {
        let style = if bare { csv::QuoteStyle::Never } else { csv::QuoteStyle::Necessary };
        let mut table = csv::WriterBuilder::new().delimiter(separator).quote_style(style).from_writer(Vec::new());
        table.write_record(&headers).expect("written");
        for row in rows {
            let cell = |(header, cell): (&&str, String)| match SECRET_HEADERS.contains(header) {
                true => format!("{SECRET}{cell}"),
                false => cell,
            };
            table.write_record(headers.iter().zip(row).map(cell)).expect("written");
        }
        table.into_inner().expect("flushed")
    })
}

/// All that an import says of a table, and writes of it.
fn all_that_is_told(bytes: &[u8], named: &Named) -> String {
    let phones = columns::read(bytes, named).map(|export| {
        let proposal = propose(&export, &rules_of(RULES), HOSPITAL, true);
        format!("{export:?} {proposal:?} {}", written(HOSPITAL, &proposal))
    });
    let people = analysts::read(bytes, &known()).map(|people| {
        let written: String = people.new.iter().map(|person| analysts::text(person, &known())).collect();
        format!("{people:?} {written}")
    });
    format!("{phones:?} {people:?}")
}

proptest! {
    #[test]
    fn no_cell_under_a_header_of_secrets_is_told_or_written(
        bytes in table_with_secrets(),
        cut in 0_usize..400,
        column in proptest::option::of(proptest::sample::select([&HEADERS[..], &SECRET_HEADERS].concat())),
    ) {
        let named = Named { number: None, text: column.into_iter().map(str::to_owned).collect() };
        // A header that is lost, or half of it, leaves rows that nobody can read.
        for bytes in [&bytes[..], bytes.get(cut..).unwrap_or_default()] {
            let told = all_that_is_told(bytes, &named);
            prop_assert!(!told.contains(SECRET), "{told}");
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused_and_never_break_the_file(
        bytes in proptest::collection::vec(any::<u8>(), 0..2_000),
        header in prop_oneof![
            Just(&b""[..]),
            Just(&b"extension,name,room\n"[..]),
            Just(&b"Directory Number 1;Description;Location\n"[..]),
            Just(&b"Ext/   Port/  Name/    Room/\n"[..]),
        ],
    ) {
        let bytes = [header, bytes.as_slice()].concat();
        if let Ok(export) = columns::read(&bytes, &Named::default()) {
            let proposal = propose(&export, &rules_of(RULES), HOSPITAL, true);
            let text = written(HOSPITAL, &proposal);
            let again = propose(&export, &rules_of(RULES), &text, true);
            prop_assert!(again.changes_nothing(), "{:?}", again);
        }
        let _ = analysts::read(&[b"name,user,shifts,systems\n", bytes.as_slice()].concat(), &known());
    }

    #[test]
    fn any_phones_of_known_units_are_on_the_map_once_after_an_import(
        rows in proptest::collection::vec((0u32..3_000, "[0-9]{1,5}", prop_oneof![Just("4 West"), Just("ICU"), Just("Fax"), Just("x")]), 0..60),
    ) {
        let mut text = "extension,name\n".to_owned();
        for (number, odd, name) in &rows {
            text.push_str(&format!("{number:04},{name}\n{odd},{name}\n"));
        }
        let export = read(text.as_bytes());
        let file = written(HOSPITAL, &propose(&export, &[], HOSPITAL, false));
        let present = Present::read(&file.parse().expect("TOML")).expect("readable");
        let mut seen = BTreeSet::new();
        for range in present.ranges() {
            for value in range.first.value..=range.last.value {
                prop_assert!(seen.insert((range.first.digits, value)), "twice: {value} in {file}");
            }
        }
    }
}
