//! The committed rights are those that the needs ask for, and read nothing that could hold a secret.

use std::path::Path;

use kairos_doctor::rbac;

#[test]
fn the_committed_rights_are_the_generated_ones() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/rbac.yaml");
    let generated = rbac::yaml();
    if std::env::var_os("UPDATE_GENERATED").is_some() {
        std::fs::write(&path, &generated).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap();
    assert_eq!(committed, generated, "run it with UPDATE_GENERATED=1 and look at the difference");
}

#[test]
fn nothing_but_reading_is_granted_and_never_a_secret() {
    let mut rules = 0;
    for manifest in rbac::manifests() {
        for rule in manifest["rules"].as_array().into_iter().flatten() {
            rules += 1;
            for verb in rule["verbs"].as_array().unwrap() {
                assert!(verb == "get" || verb == "list", "{rule}");
            }
            for part in ["apiGroups", "resources", "nonResourceURLs", "resourceNames"] {
                for text in rule[part].as_array().into_iter().flatten().filter_map(|v| v.as_str()) {
                    assert!(!text.contains('*') && !text.contains("secret"), "{rule}");
                }
            }
            if rule["resources"].as_array().is_some_and(|all| all.iter().any(|r| r == "configmaps")) {
                assert!(rule["resourceNames"].is_array(), "{rule}");
            }
        }
    }
    assert!(rules > 3, "only {rules} rules: did the needs vanish?");
}
