//! The Hetzner Cloud Controller Manager itself.
