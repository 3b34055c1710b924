pub mod collect;
pub mod redact;
