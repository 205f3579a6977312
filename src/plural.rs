//! Counts in sentences for people.

use std::fmt::Display;

/// "1 row", "12 rows"; for words whose plural ends with an s alone.
pub fn counted<N: Display + PartialEq + From<u8>>(count: N, what: &str) -> String {
    let end = if count == N::from(1) { "" } else { "s" };
    format!("{count} {what}{end}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_singular_and_none_is_plural() {
        let all = [counted(0_usize, "call"), counted(1_u64, "call"), counted(2_u32, "phone line")];
        assert_eq!(all, ["0 calls", "1 call", "2 phone lines"]);
    }
}
