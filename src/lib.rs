pub mod collect;
pub mod fixture;
