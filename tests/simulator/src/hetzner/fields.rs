//! The fields that the real API sends and no check reads: what a slim object becomes when it is served.

use serde_json::{Value, json};

const CREATED: &str = "2026-01-01T00:00:00+00:00";

/// The object with every field that the real API has; what the bundle says stays.
pub(crate) fn complete(path: &str, mut item: Value) -> Value {
    let template = match path {
        "servers" => server(),
        "load_balancers" => load_balancer(),
        "networks" => network(),
        "firewalls" => {
            json!({"id": 0, "name": "", "labels": {}, "created": CREATED, "rules": [], "applied_to": []})
        }
        "locations" => location(),
        _ => json!({"id": 0, "name": "", "labels": {}, "created": CREATED}),
    };
    fill(&mut item, &template);
    for rule in item["rules"].as_array_mut().into_iter().flatten() {
        fill(rule, &json!({"description": null, "port": null, "source_ips": [], "destination_ips": []}));
    }
    for service in item["services"].as_array_mut().into_iter().flatten() {
        fill(service, &lb_service());
    }
    item
}

/// Adds what is absent, at every depth; a null or a list of the bundle counts as said.
fn fill(item: &mut Value, template: &Value) {
    let (Value::Object(item), Value::Object(template)) = (item, template) else { return };
    for (key, value) in template {
        match item.get_mut(key) {
            Some(there) => fill(there, value),
            None => drop(item.insert(key.clone(), value.clone())),
        }
    }
}

fn location() -> Value {
    json!({"id": 1, "name": "fsn1", "description": "Falkenstein DC Park 1", "country": "DE", "city": "Falkenstein",
        "latitude": 50.47612, "longitude": 12.370071, "network_zone": "eu-central"})
}

fn server() -> Value {
    json!({
        "id": 0, "name": "", "status": "running", "created": CREATED, "labels": {},
        "public_net": {"ipv4": null, "ipv6": null, "floating_ips": [], "firewalls": []},
        "private_net": [],
        "server_type": {"id": 22, "name": "cpx21", "description": "CPX 21", "cores": 3, "memory": 4.0, "disk": 80,
            "deprecated": false, "prices": [], "storage_type": "local", "cpu_type": "shared", "category": "Shared vCPU",
            "architecture": "x86", "deprecation": null, "locations": []},
        "location": location(),
        "datacenter": null,
        "image": {"id": 114690387, "type": "snapshot", "status": "available", "name": null, "description": "kairos",
            "image_size": 2.3, "disk_size": 10.0, "created": CREATED, "created_from": null, "bound_to": null,
            "os_flavor": "unknown", "os_version": null, "rapid_deploy": false, "protection": {"delete": false},
            "deprecated": null, "deleted": null, "labels": {}, "architecture": "x86"},
        "iso": null, "rescue_enabled": false, "locked": false, "backup_window": null, "outgoing_traffic": 0,
        "ingoing_traffic": 0, "included_traffic": 654_321, "protection": {"delete": false, "rebuild": false},
        "volumes": [], "load_balancers": [], "primary_disk_size": 80, "placement_group": null,
    })
}

fn load_balancer() -> Value {
    json!({
        "id": 0, "name": "", "created": CREATED, "labels": {}, "location": location(),
        "public_net": {"enabled": true,
            "ipv4": {"ip": null, "dns_ptr": null}, "ipv6": {"ip": null, "dns_ptr": null}},
        "private_net": [],
        "load_balancer_type": {"id": 1, "name": "lb11", "description": "LB11", "max_connections": 10_000,
            "max_services": 5, "max_targets": 25, "max_assigned_certificates": 10, "deprecated": null, "prices": []},
        "protection": {"delete": false}, "services": [], "targets": [], "algorithm": {"type": "round_robin"},
        "outgoing_traffic": 0, "ingoing_traffic": 0, "included_traffic": 654_321,
    })
}

fn lb_service() -> Value {
    json!({"protocol": "tcp", "listen_port": 0, "destination_port": 0, "proxyprotocol": false,
        "health_check": {"protocol": "tcp", "port": 0, "interval": 15, "timeout": 10, "retries": 3}})
}

fn network() -> Value {
    json!({"id": 0, "name": "", "created": CREATED, "labels": {}, "ip_range": "", "subnets": [], "routes": [],
        "servers": [], "load_balancers": [], "protection": {"delete": false}, "expose_routes_to_vswitch": false})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_bundle_says_stays() {
        let item =
            json!({"id": 7, "public_net": {"ipv4": {"ip": "127.0.0.2"}}, "location": {"name": "nbg1"}});
        let server = complete("servers", item);
        assert_eq!(server["id"], 7);
        assert_eq!(server["location"]["name"], "nbg1");
        assert_eq!(server["public_net"]["ipv4"]["ip"], "127.0.0.2");
        assert_eq!(server["rescue_enabled"], false);
        assert!(server["image"]["description"].is_string());
    }
}
