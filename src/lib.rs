pub mod collect;
pub mod redact;
pub mod fixture;
pub mod report;
pub mod rbac;
