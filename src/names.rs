//! Names that the command line takes: any text is let through, to be judged with better words than clap has; the shell
//! completes those that there are.

use std::ffi::OsStr;

use clap::builder::{PossibleValue, StringValueParser, TypedValueParser};
use clap::{Arg, Command, Error};
use kairos_doctor_checks::ALL;

use crate::demo;

/// What a word on the command line names.
#[derive(Clone, Copy, Debug)]
pub enum Names {
    /// A check, by code or slug.
    Checks,
    /// A check, or an area of them.
    ChecksAndAreas,
    /// A cluster that is built in.
    Clusters,
}

impl TypedValueParser for Names {
    type Value = String;

    fn parse_ref(&self, cmd: &Command, arg: Option<&Arg>, value: &OsStr) -> Result<String, Error> {
        StringValueParser::new().parse_ref(cmd, arg, value)
    }

    /// Codes with their titles, then slugs, then areas. With `hide_possible_values` only completion scripts ask for them.
    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        let checks = || {
            let codes = ALL.iter().map(|check| PossibleValue::new(check.code).help(check.title));
            codes.chain(ALL.iter().map(|check| PossibleValue::new(check.slug).help(check.code)))
        };
        Some(match self {
            Names::Checks => Box::new(checks()),
            Names::ChecksAndAreas => Box::new(checks().chain(areas().into_iter().map(PossibleValue::new))),
            Names::Clusters => Box::new(demo::names().map(PossibleValue::new)),
        })
    }
}

/// The areas of the checks, in the order of their codes.
pub fn areas() -> Vec<&'static str> {
    let mut areas: Vec<&str> = ALL.iter().map(|check| check.area()).collect();
    areas.dedup();
    areas
}
