//! The command line: one module a subcommand.

pub mod answer;
pub mod call;
