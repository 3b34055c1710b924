//! What k3s and Kairos were told, and what became of it.
