//! Certificates at Hetzner and from cert-manager.
