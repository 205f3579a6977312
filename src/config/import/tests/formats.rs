//! Exports as PBXs write them, in every encoding, and files that are none.

use super::*;

#[test]
fn each_pbxs_export_is_read_by_its_own_columns() {
    for (bytes, kind, lines) in
        [(CUCM, Kind::Cucm, 25), (FREEPBX, Kind::FreePbx, 4), (LIST_STATION, Kind::Avaya, 4), (AVAYA, Kind::Avaya, 3)]
    {
        let export = read(bytes);
        assert_eq!((export.kind, export.phones.len()), (kind, lines), "{:?}", export.number_columns);
    }
}

#[test]
fn the_lines_of_a_phone_keep_their_own_texts() {
    let export = read(CUCM);
    let second: Vec<_> = export.phones.iter().filter(|phone| phone.number == "2790").collect();
    assert_eq!(second.len(), 2);
    let names: Vec<&str> =
        second[0].texts.iter().filter(|(field, _)| *field == Field::Name).map(|(_, text)| text.as_str()).collect();
    assert_eq!(names, ["4 West main line"]);
    assert_eq!(second[0].shown(), "4W Charge Nurse");
}

#[test]
fn the_terminals_list_is_read_by_its_columns_over_pages() {
    let export = read(LIST_STATION);
    let first = &export.phones[0];
    assert_eq!(
        (first.number.as_str(), first.shown(), first.room.as_deref()),
        ("2700", "4 West Nurse 1", Some("4W-10"))
    );
    assert_eq!((export.phones[2].shown(), export.phones[2].room.as_deref()), ("ICU Bay 1", None));
    assert_eq!((export.phones[3].number.as_str(), export.phones[3].line), ("2721", 21));
}

#[test]
fn avayas_csv_is_cut_at_its_separators_and_never_by_position() {
    let told = |bytes: &[u8]| -> Vec<(String, String, Option<String>)> {
        let phones = read(bytes).phones.into_iter();
        phones.map(|phone| (phone.number.clone(), phone.shown().to_owned(), phone.room)).collect()
    };
    let phone =
        |number: &str, name: &str, room: Option<&str>| (number.to_owned(), name.to_owned(), room.map(str::to_owned));
    let expected = [
        phone("2700", "4 West Nurse 1", Some("4W-10")),
        phone("2701", "4 West Nurse 2", Some("4W-11")),
        phone("2720", "ICU Bay 1", None),
    ];
    assert_eq!(told(AVAYA), expected);
    let text = std::str::from_utf8(AVAYA).expect("UTF-8");
    for separator in [",", "\t", "|"] {
        assert_eq!(told(text.replace(';', separator).as_bytes()), expected, "cut at {separator:?}");
    }
    let short = "Ext;Port;Name;Room;Security Code\n2700;S0;ICU;1;8841\n";
    assert_eq!(told(short.as_bytes()), [phone("2700", "ICU", Some("1"))]);
}

#[test]
fn the_terminals_list_ends_a_name_where_the_next_column_begins() {
    let text = "Ext    Port    Room    Name       Security Code\n2700   S00001  4W-10   4 West 10  8841\n";
    let export = read(text.as_bytes());
    let phone = &export.phones[0];
    assert_eq!((phone.shown(), phone.room.as_deref()), ("4 West 10", Some("4W-10")));
}

/// Each export with the words that stand in it under Password, Secret or Security Code.
const SECRETS: [(&[u8], &str); 3] = [(CUCM, "secret-pw"), (FREEPBX, "not-to-be-read"), (AVAYA, "8841")];

#[test]
fn secrets_of_an_export_reach_neither_what_is_shown_nor_the_file() {
    for (bytes, secret) in SECRETS {
        assert!(String::from_utf8_lossy(bytes).contains(secret), "the sample has none");
        let export = read(bytes);
        let proposal = propose(&export, &rules_of(RULES), HOSPITAL, false);
        let all = format!("{export:?}{proposal:?}{}", written(HOSPITAL, &proposal));
        assert!(!all.contains(secret), "{secret} in {all}");
    }
}

#[test]
fn a_column_of_secrets_is_read_for_nobody() {
    for header in ["Password", "Security Code", "PIN", "Digest User", "SIP Secret", "Voicemail Password", "Kennwort"] {
        let text = format!("Extension;{header}\n2700;8841\n");
        let named = Named { number: None, text: vec![header.to_lowercase()] };
        let refused = columns::read(text.as_bytes(), &named).expect_err("refused");
        assert!(refused.contains("secret") && !refused.contains("8841"), "{refused}");
        let named = Named { number: Some(header.to_owned()), text: Vec::new() };
        assert!(columns::read(text.as_bytes(), &named).expect_err("refused").contains("secret"));
    }
}

#[test]
fn a_row_whose_cells_have_slipped_is_refused() {
    let text = "extension,name,secret,room\n2700,ICU, Bay 1,8841,\n2701,ICU,8841\n";
    let export = read(text.as_bytes());
    assert_eq!(export.phones.iter().map(|phone| phone.number.as_str()).collect::<Vec<_>>(), ["2701"]);
    let wrong: Vec<(u64, &str)> = export.wrong.iter().map(|wrong| (wrong.line, wrong.why.as_str())).collect();
    let why = "this row has 5 cells and the header 4; put quotes around a text that holds `,`, or end the header \
               with one, too, where every row does";
    assert_eq!(wrong, [(2, why)]);
}

#[test]
fn a_file_without_a_header_is_refused_and_its_cells_are_not_told() {
    let refused = |bytes: &[u8]| columns::read(bytes, &Named::default()).expect_err("refused");
    for (bytes, told) in [
        (&b"2700;4 West;hunter2\n"[..], "begins with a row of data"),
        (b"Smith,hunter2\nJones,hunter3\n", "its first row has 2 cells"),
        (b"PK\x03\x04\x14\x00", "save it as CSV"),
        (b"\x01\x02\x03\x04\n\x05", "no text"),
        (b"", "the file is empty"),
        (b"\xEF\xBB\xBF\r\n\r\n", "the file is empty"),
    ] {
        let why = refused(bytes);
        assert!(why.contains(told) && !why.contains("hunter"), "{why}");
    }
}

#[test]
fn nothing_that_a_terminal_would_obey_is_read() {
    let export = read(b"extension,\x1b[2Jname,name\n\x1b[31m27,\x07x\x9b,ICU\x1b]0;\x07\n");
    assert!(!format!("{export:?}").contains("\\u{1b}") && !format!("{export:?}").contains("\\u{7}"), "{export:?}");
}

#[test]
fn a_cell_that_is_no_one_number_is_refused_and_never_made_one() {
    let of = |cell: &str| propose(&read(format!("extension;name\n{cell};ICU\n").as_bytes()), &[], HOSPITAL, false);
    for cell in
        ["2702.0", "2705-2709", "2.70E+03", "27 04", "2701/2702", "1234567890123456", "x2701", "+1 (202) 555-0117"]
    {
        let proposal = of(cell);
        assert!(proposal.wanted.is_empty() && proposal.wrong.len() == 1, "{cell}: {proposal:?}");
    }
    for cell in ["2701", " 2701 ", "\"=\"\"2701\"\"\"", "=\"2701\"", "'2701", "\\+1 (555) 010-2701", "+15550102701"] {
        assert_eq!(shown(&of(cell).wanted), ["2701"], "{cell}");
    }
    assert!(of("+4930123").wrong[0].why.contains("strip_prefixes"));
    assert!(of("2702.0").wrong[0].why.contains("write its digits alone"));
}

#[test]
fn a_column_that_stands_there_twice_is_refused() {
    for header in ["Extension,Name,extension", "Extension,Room,Name,Room", "Directory Number 1,Directory Number 1"] {
        let refused = columns::read(format!("{header}\n2700,x,2701,y\n").as_bytes(), &Named::default());
        assert!(refused.expect_err("refused").contains("two columns are called"), "{header}");
    }
}

// -- Quotes -----------------------------------------------------------------------------------------------------------

#[test]
fn a_quote_that_is_never_closed_refuses_the_file_and_says_where_it_opened() {
    let refused = |text: &str| columns::read(text.as_bytes(), &Named::default()).expect_err("refused");
    let open = refused("extension,name\r\n2700,ICU 1\r\n2701,\"ICU 2\r\n2702,ICU 3\r\n");
    assert!(open.starts_with("line 3, column 6: a quote opens here and is never closed"), "{open}");
    let late = refused("extension,name\n2701,\"ICU 2\n2702,\"ICU 3\"\n2703,ICU 4\n");
    assert!(late.starts_with("line 2, column 6: a quote opens here and closes at line 3, column 6"), "{late}");
    let far = format!("extension,name\n2701,\"{}\",\n", "x\n".repeat(40));
    assert!(refused(&far).starts_with("line 2, column 6: a quote opens here and closes only after more than"));
    let unheard = refused("colour,shape\n1,\"2\n");
    assert!(unheard.contains("no header") && unheard.contains("line 2, column 3"), "{unheard}");
}

#[test]
fn quotes_that_are_written_right_are_no_trouble() {
    let text = "extension,name\n2700,\"the \"\"A\"\" desk,\nsecond floor\" \n2701,12\" screen\n2702,\"\"\n";
    let shown: Vec<String> = read(text.as_bytes()).phones.iter().map(|phone| phone.shown().to_owned()).collect();
    assert_eq!(shown, ["the \"A\" desk, second floor", "12\" screen", ""]);
}

#[test]
fn every_encoding_reads_the_same_rows() {
    let text = std::str::from_utf8(CUCM).expect("UTF-8");
    let utf16 = |to: fn(u16) -> [u8; 2], mark: &[u8]| -> Vec<u8> {
        mark.iter().copied().chain(text.encode_utf16().flat_map(to)).collect()
    };
    let latin: Vec<u8> = text.chars().map(|letter| u8::try_from(u32::from(letter)).expect("Latin-1")).collect();
    let plain = read(CUCM).phones;
    assert!(plain.iter().any(|phone| phone.shown() == "Cafétéria second floor"), "a quoted line break is a blank");
    let all = [
        ([b"\xEF\xBB\xBF", CUCM].concat(), Encoding::Utf8),
        (utf16(u16::to_le_bytes, b"\xFF\xFE"), Encoding::Utf16),
        (utf16(u16::to_be_bytes, b"\xFE\xFF"), Encoding::Utf16),
        (utf16(u16::to_le_bytes, b""), Encoding::Utf16),
        (latin, Encoding::Windows1252),
    ];
    for (bytes, encoding) in all {
        let export = read(&bytes);
        assert_eq!(export.encoding, encoding);
        assert_eq!(export.phones, plain);
    }
    assert_eq!(sheet::decode(b"\x80 caf\xe9").0, "€ café");
}

#[test]
fn any_table_is_read_with_remarks_above_its_header_and_by_named_columns() {
    let text = "Phones of the house\n;;\nRaum;Nebenstelle;Wer\n4W-10;2700;Nurse\n";
    let named = Named { number: Some("Nebenstelle".to_owned()), text: vec!["Raum".to_owned()] };
    let export = columns::read(text.as_bytes(), &named).expect("a table");
    assert_eq!(
        (export.phones[0].number.as_str(), export.phones[0].shown(), export.phones[0].line),
        ("2700", "4W-10", 4)
    );
    let without = columns::read(text.as_bytes(), &Named::default()).expect_err("no known header");
    assert!(without.contains("--number-column") && without.contains("its first row has 1 cell"), "{without}");
    let missing = Named { text: vec!["Zimmer".to_owned()], ..named };
    assert_eq!(
        columns::read(text.as_bytes(), &missing).expect_err("no such column"),
        "the file has no column `Zimmer`"
    );
}
