//! Plants recognisable strings in every place of an object where a secret could hide.
//!
//! What a check may read is left alone: the report of an inflated cluster is that of the plain one.

use std::collections::BTreeSet;

use serde_json::{Value, json};

pub(crate) struct Inflate {
    on: bool,
    planted: BTreeSet<String>,
}

impl Inflate {
    pub fn new(on: bool) -> Inflate {
        Inflate { on, planted: BTreeSet::new() }
    }

    /// Every canary that stands in some object.
    pub fn planted(self) -> BTreeSet<String> {
        self.planted
    }

    /// One canary for each place of each kind: a leak names where it came from.
    fn canary(&mut self, key: &str, place: &str) -> String {
        let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
        let canary: String = format!("CANARY-{key}-{place}").chars().map(plain).collect();
        self.planted.insert(canary.clone());
        canary
    }

    pub fn kubernetes(&mut self, key: &str, plural: &str, item: &mut Value) {
        if !self.on {
            return;
        }
        self.metadata(key, &mut item["metadata"]);
        let mut plant = |place: &str| self.canary(key, place);
        match plural {
            "nodes" => {
                let name = plant("status.images");
                item["status"]["images"] = json!([{"names": [name], "sizeBytes": 1}]);
                item["status"]["config"] = json!({"error": plant("status.config.error")});
            }
            "configmaps" => {
                item["data"]["canary"] = plant("data").into();
                item["binaryData"] = json!({"canary": plant("binaryData")});
            }
            "secrets" => item["stringData"] = json!({"canary": plant("stringData")}),
            "helmcharts" | "helmchartconfigs" => {
                let values = item["spec"]["valuesContent"].as_str().unwrap_or_default();
                let values = format!("{values}\ncanary:\n  token: {}\n", plant("spec.valuesContent"));
                item["spec"]["valuesContent"] = values.into();
                item["spec"]["set"] = json!({"hcloudToken": plant("spec.set")});
                item["spec"]["chartContent"] = plant("spec.chartContent").into();
                item["spec"]["repoCA"] = plant("spec.repoCA").into();
                item["spec"]["authSecret"] = json!({"name": plant("spec.authSecret")});
            }
            "events" => {
                item["action"] = plant("action").into();
                item["reportingInstance"] = plant("reportingInstance").into();
                item["related"] = json!({"kind": "Secret", "name": plant("related")});
                item["involvedObject"]["fieldPath"] = plant("involvedObject.fieldPath").into();
            }
            "gateways" => {
                let options = json!({"example.com/key": plant("spec.listeners.tls.options")});
                let listeners = item["spec"]["listeners"].as_array_mut();
                match listeners.and_then(|listeners| listeners.first_mut()) {
                    Some(listener) => listener["tls"]["options"] = options,
                    None => {
                        let tls = json!({"options": options});
                        item["spec"]["listeners"] =
                            json!([{"name": "canary", "port": 443, "protocol": "HTTPS", "tls": tls}]);
                    }
                }
            }
            "services" => item["spec"]["externalName"] = plant("spec.externalName").into(),
            "endpointslices" => {
                for endpoint in item["endpoints"].as_array_mut().into_iter().flatten() {
                    endpoint["hostname"] = plant("endpoints.hostname").into();
                    endpoint["deprecatedTopology"] = json!({"k": plant("endpoints.deprecatedTopology")});
                }
            }
            "namespaces" => {
                let message = plant("status.conditions.message");
                item["status"] =
                    json!({"phase": "Active", "conditions": [{"type": "Canary", "message": message}]});
            }
            _ => {}
        }
        for path in ["/spec", "/spec/template/spec"] {
            if let Some(pod) = item.pointer_mut(path).filter(|spec| spec["containers"].is_array()) {
                self.pod(key, pod);
            }
        }
        if let Some(template) = item.pointer_mut("/spec/template/metadata") {
            self.metadata(&format!("{key}.template"), template);
        }
    }

    fn metadata(&mut self, key: &str, metadata: &mut Value) {
        let applied = json!({"data": {"token": self.canary(key, "last-applied")}}).to_string();
        let annotations = &mut metadata["annotations"];
        annotations["kubectl.kubernetes.io/last-applied-configuration"] = applied.into();
        annotations["objectset.rio.cattle.io/applied"] = self.canary(key, "objectset-applied").into();
        annotations["example.com/password"] = self.canary(key, "annotation").into();
        // an argument list that is recorded anyway: only its unknown values are secret
        if let Some(Ok(mut args)) =
            annotations["k3s.io/node-args"].as_str().map(serde_json::from_str::<Vec<String>>)
        {
            args.extend(["--token".into(), self.canary(key, "node-args-token")]);
            args.push(format!("--datastore-endpoint={}", self.canary(key, "node-args-datastore")));
            annotations["k3s.io/node-args"] = json!(args).to_string().into();
        }
        metadata["labels"]["example.com/token"] = self.canary(key, "label").into();
        let field = format!("f:{}", self.canary(key, "managedFields.fieldsV1"));
        metadata["managedFields"] = json!([{"manager": self.canary(key, "managedFields.manager"),
            "operation": "Update", "apiVersion": "v1", "fieldsType": "FieldsV1", "fieldsV1": {field: {}}}]);
        metadata["generateName"] = self.canary(key, "generateName").into();
        let finalizer = format!("example.com/{}", self.canary(key, "finalizers"));
        metadata["finalizers"] = json!([finalizer]);
    }

    fn pod(&mut self, key: &str, spec: &mut Value) {
        let secret = self.canary(key, "volumes.secret");
        spec["volumes"] = json!([{"name": "canary", "secret": {"secretName": secret}},
            {"name": "csi", "csi": {"driver": "d", "volumeAttributes": {"k": self.canary(key, "volumes.csi")}}}]);
        spec["imagePullSecrets"] = json!([{"name": self.canary(key, "imagePullSecrets")}]);
        spec["initContainers"] = json!([{"name": "canary", "image": "i", "env": [
            {"name": "HCLOUD_TOKEN", "value": self.canary(key, "initContainers.env")}]}]);
        for container in spec["containers"].as_array_mut().into_iter().flatten() {
            self.container(key, container);
        }
    }

    fn container(&mut self, key: &str, container: &mut Value) {
        let there = container["env"].as_array().cloned().unwrap_or_default();
        let mut env = Vec::new();
        for name in ["HCLOUD_TOKEN", "ROBOT_PASSWORD", "DATABASE_URL", "AWS_SECRET_ACCESS_KEY"] {
            // a variable that the container has is a fact, and stays
            if !there.iter().any(|variable| variable["name"] == name) {
                env.push(json!({"name": name, "value": self.canary(key, &format!("env.{name}"))}));
            }
        }
        env.extend(there);
        container["env"] = env.into();
        let mut args = container["args"].as_array().cloned().unwrap_or_default();
        args.push(format!("--token={}", self.canary(key, "args.token=")).into());
        args.extend([json!("--password"), self.canary(key, "args.password").into()]);
        container["args"] = args.into();
        let header = json!({"name": "Authorization", "value": self.canary(key, "livenessProbe.httpHeaders")});
        container["livenessProbe"] = json!({"httpGet": {"path": "/", "port": 1, "httpHeaders": [header]}});
        let command = json!(["sh", "-c", self.canary(key, "lifecycle.command")]);
        container["lifecycle"] = json!({"postStart": {"exec": {"command": command}}});
    }

    pub fn hetzner(&mut self, key: &str, path: &str, item: &mut Value) {
        if !self.on {
            return;
        }
        let mut plant = |place: &str| self.canary(key, place);
        item["labels"]["example.com/token"] = plant("labels").into();
        // the API never gives it back; a field of a coming version could
        item["user_data"] = format!("#cloud-config\nk3s_token: {}\n", plant("user_data")).into();
        match path {
            "servers" => {
                item["image"]["description"] = plant("image.description").into();
                item["image"]["labels"] = json!({"k": plant("image.labels")});
                item["image"]["created_from"] = json!({"id": 1, "name": plant("image.created_from")});
                item["iso"] =
                    json!({"id": 1, "name": plant("iso.name"), "description": plant("iso.description")});
                item["placement_group"] = json!({"id": 1, "name": plant("placement_group.name"),
                    "labels": {"k": plant("placement_group.labels")}, "type": "spread", "servers": []});
                item["root_password"] = plant("root_password").into();
                for ip in ["ipv4", "ipv6"] {
                    if let Some(address) =
                        item.pointer_mut(&format!("/public_net/{ip}")).filter(|a| a.is_object())
                    {
                        address["dns_ptr"] = plant("public_net.dns_ptr").into();
                    }
                }
            }
            "load_balancers" => {
                for service in item["services"].as_array_mut().into_iter().flatten() {
                    if service["http"].is_object() {
                        service["http"]["cookie_name"] = plant("services.http.cookie_name").into();
                        service["http"]["cookie_lifetime"] = 300.into();
                    }
                    if service["health_check"]["http"].is_object() {
                        service["health_check"]["http"]["response"] =
                            plant("health_check.http.response").into();
                        service["health_check"]["http"]["domain"] = plant("health_check.http.domain").into();
                    }
                }
                for target in item["targets"].as_array_mut().into_iter().flatten() {
                    if target["type"] == "label_selector" {
                        target["label_selector"] = json!({"selector": plant("targets.label_selector")});
                    }
                }
                item["certificate"] = plant("certificate").into();
            }
            "firewalls" => {
                for rule in item["rules"].as_array_mut().into_iter().flatten() {
                    rule["description"] = plant("rules.description").into();
                }
                for applied in item["applied_to"].as_array_mut().into_iter().flatten() {
                    if applied["type"] == "label_selector" {
                        applied["label_selector"] = json!({"selector": plant("applied_to.label_selector")});
                    }
                }
            }
            "locations" => item["description"] = plant("description").into(),
            _ => {}
        }
    }
}
