//! The fixtures are part of the program: a change to one is a change to it.

fn main() {
    println!("cargo::rerun-if-changed=fixtures");
}
