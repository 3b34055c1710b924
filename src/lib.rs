pub mod collect;
pub mod rbac;
