//! What k3s and Kairos were told, and what became of it.

pub mod etcd_member_address;
