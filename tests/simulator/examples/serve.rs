//! Serves a bundle from a process of its own until its standard input ends:
//! `cargo run -p kairos-doctor-simulator --example serve -- BUNDLE.json`. Prints the environment for a client.

use std::io::{Read, Write};

use kairos_doctor_simulator::{Options, Simulator};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args_os().nth(1).ok_or("give it a bundle (.json)")?;
    let bundle = serde_json::from_slice(&std::fs::read(path)?)?;
    let simulator = Simulator::try_start(&bundle, Options::default())?;
    println!("KUBECONFIG={}", simulator.kubeconfig_path().display());
    println!("HCLOUD_ENDPOINT={}", simulator.hetzner_endpoint());
    println!("HCLOUD_TOKEN={}", simulator.hetzner_token());
    println!("SSL_CERT_FILE={}", simulator.hetzner_ca_file().display());
    std::io::stdout().flush()?;
    std::io::stdin().read_to_end(&mut Vec::new())?;
    for request in simulator.requests() {
        eprintln!("{} {} {} {}", request.status, request.method, request.path, request.query);
    }
    Ok(())
}
