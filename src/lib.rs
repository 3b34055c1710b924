pub mod collect;
pub mod report;
