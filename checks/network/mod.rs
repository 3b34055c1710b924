//! How pods reach each other.
