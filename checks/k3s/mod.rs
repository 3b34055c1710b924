//! What k3s and Kairos were told, and what became of it.

pub mod etcd_member_address;
pub mod helm_charts_installed;
pub mod k3s_disable_values;
pub mod placeholders_substituted;
