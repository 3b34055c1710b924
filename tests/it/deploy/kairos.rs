//! The cloud-config for Kairos nodes: its rules, the files in it, and the script that fetches the release.
//!
//! Source of the rules: kairos-init `pkg/bundled/cloudconfigs` (which stages there are, what stays on disk), mudler/yip
//! `pkg/schema`, `pkg/plugins` (fields, permissions, content as a template).

mod install;

use std::collections::BTreeMap;

use serde_json::Value;

use super::text;

const CONFIG: &str = "kairos/kairos-doctor.yaml";

/// The files of the cloud-config that are files here.
const EMBEDDED: [(&str, &str); 5] = [
    ("/usr/local/lib/kairos-doctor/install", "kairos/install"),
    ("/etc/systemd/system/kairos-doctor.service", "systemd/kairos-doctor.service"),
    ("/etc/systemd/system/kairos-doctor.timer", "systemd/kairos-doctor.timer"),
    ("/etc/systemd/system/kairos-doctor-install.service", "kairos/kairos-doctor-install.service"),
    ("/etc/systemd/system/kairos-doctor.service.d/10-install.conf", "kairos/10-install.conf"),
];

/// The one step of the one stage.
fn step() -> Value {
    let all: Value = serde_saphyr::from_str(&text(CONFIG)).unwrap();
    let stages = all["stages"].as_object().expect("it has stages");
    // the units are there before systemd reads its units, as those of Kairos itself
    assert_eq!(stages.keys().collect::<Vec<_>>(), ["initramfs"]);
    let steps = stages["initramfs"].as_array().unwrap();
    assert_eq!(steps.len(), 1);
    steps[0].clone()
}

fn files() -> BTreeMap<String, Value> {
    let step = step();
    let files = step["files"].as_array().unwrap().iter();
    files.map(|file| (file["path"].as_str().unwrap().to_string(), file.clone())).collect()
}

/// The permissions as they are written: YAML 1.1 reads `0644` as octal, and so does Kairos.
fn written_permissions(of: &str) -> Option<String> {
    let text = text(CONFIG);
    let after = text.split_once(&format!("- path: {of}\n"))?.1;
    let line = after.lines().find_map(|line| line.trim().strip_prefix("permissions: "))?;
    Some(line.to_string())
}

#[test]
fn it_is_a_cloud_config_of_what_kairos_knows() {
    let text = text(CONFIG);
    assert_eq!(text.lines().next(), Some("#cloud-config"));
    assert!(!text.contains("{{"), "content is read as a template");
    let step = step();
    for key in step.as_object().unwrap().keys() {
        let known = ["name", "if", "only_service_manager", "directories", "files", "systemctl"];
        assert!(known.contains(&key.as_str()), "{key}");
    }
    for list in ["directories", "files"] {
        for entry in step[list].as_array().unwrap() {
            let keys: Vec<&String> = entry.as_object().unwrap().keys().collect();
            let known = ["path", "permissions", "owner", "group", "content"];
            assert!(keys.iter().all(|key| known.contains(&key.as_str())), "{entry}");
            assert_eq!((&entry["owner"], &entry["group"]), (&0.into(), &0.into()), "{entry}");
        }
    }
}

/// What lies in `/usr/local` stays, what lies in `/etc` is written anew by each boot, and nothing lies elsewhere.
#[test]
fn it_survives_the_boots_of_the_node() {
    let step = step();
    let paths = ["directories", "files"].map(|list| step[list].as_array().unwrap().clone()).concat();
    for entry in paths {
        let path = entry["path"].as_str().unwrap();
        assert!(path.starts_with("/etc/") || path.starts_with("/usr/local/"), "{path}");
    }
    let enabled: Vec<&str> =
        step["systemctl"]["enable"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    for unit in &enabled {
        let content = &files()[&format!("/etc/systemd/system/{unit}")]["content"];
        assert!(content.as_str().unwrap().contains("\n[Install]\n"), "{unit} cannot be enabled");
    }
    assert!(enabled.contains(&"kairos-doctor.timer"));
    // every file's folder is made with permissions of its own: otherwise it would get the file's
    let made: Vec<&str> =
        step["directories"].as_array().unwrap().iter().filter_map(|d| d["path"].as_str()).collect();
    for path in files().keys() {
        let folder = path.rsplit_once('/').unwrap().0;
        assert!(made.contains(&folder) || folder == "/etc/systemd/system", "{folder}");
    }
}

#[test]
fn its_files_are_those_of_deploy() {
    let files = files();
    for (path, source) in EMBEDDED {
        let content = files[path]["content"].as_str().unwrap();
        assert_eq!(content, text(source), "{path} in deploy/{CONFIG} is not deploy/{source}");
    }
    let own = ["/etc/kairos-doctor/release", "/etc/kairos-doctor/environment"];
    let known = |path: &str| own.contains(&path) || EMBEDDED.iter().any(|(embedded, _)| *embedded == path);
    assert!(files.keys().all(|path| known(path)), "{:?}", files.keys());
    // the drop-in with the token is a comment there
    let commented: String =
        text("systemd/hetzner.conf").lines().map(|l| format!("    #     {l}\n")).collect();
    assert!(text(CONFIG).contains(&commented), "deploy/{CONFIG} has another hetzner.conf");
}

#[test]
fn permissions_are_those_that_each_file_needs() {
    for path in files().keys() {
        let wanted = match path.as_str() {
            "/usr/local/lib/kairos-doctor/install" => "0755",
            "/etc/kairos-doctor/environment" => "0600",
            _ => "0644",
        };
        assert_eq!(written_permissions(path).as_deref(), Some(wanted), "{path}");
    }
    assert_eq!(written_permissions("/etc/kairos-doctor").as_deref(), Some("0700"), "it holds the token");
}

/// What the service reads is where the cloud-config writes it.
#[test]
fn the_units_read_what_it_writes() {
    let service = text("systemd/kairos-doctor.service");
    assert!(service.contains("EnvironmentFile=-/etc/kairos-doctor/environment\n"));
    assert!(service.contains("/usr/local/bin/kairos-doctor "));
    let install = text("kairos/kairos-doctor-install.service");
    assert!(install.contains("ExecStart=/bin/sh /usr/local/lib/kairos-doctor/install\n"));
    assert!(text("kairos/install").contains("/etc/kairos-doctor/release"));
    assert!(
        text("systemd/hetzner.conf")
            .contains("LoadCredential=hcloud-token:/etc/kairos-doctor/hcloud-token\n")
    );
}
