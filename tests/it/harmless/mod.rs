//! Harmless by proof: whatever it is told to send, and whatever it is answered, nothing leaves but the requests that the README
//! lists, to the two servers that it was given.

mod fences;
mod guard;
mod hetzner;
mod hosts;
mod kubernetes;
mod listed;
mod peer;
mod rights;
