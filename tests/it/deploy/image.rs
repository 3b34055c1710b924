//! The image: what its last stage has.

use super::text;

/// The instructions of the stage that is the image: keyword and the rest of the line.
fn last_stage() -> Vec<(String, String)> {
    let whole = text("Containerfile").replace("\\\n", " ");
    let lines = whole.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let mut stage = Vec::new();
    for line in lines {
        let (keyword, rest) = line.split_once(' ').expect("a keyword and more");
        if keyword == "FROM" {
            stage.clear();
        }
        stage.push((keyword.to_string(), rest.trim().to_string()));
    }
    stage
}

/// The files of the image: from which stage each comes, and where it lies.
pub fn files() -> Vec<(String, String)> {
    let copied = last_stage().into_iter().filter(|(keyword, _)| keyword == "COPY").map(|(_, rest)| {
        let words: Vec<&str> = rest.split_whitespace().collect();
        let [from, _, to] = words[..] else { panic!("`COPY {rest}` is not `--from=STAGE FILE FILE`") };
        let stage = from.strip_prefix("--from=").expect("it comes from a stage");
        (stage.to_string(), to.to_string())
    });
    copied.collect()
}

/// The one path that the image starts.
pub fn entrypoint() -> String {
    let found =
        last_stage().into_iter().find(|(keyword, _)| keyword == "ENTRYPOINT").expect("an entry point");
    let words: Vec<String> = serde_json::from_str(&found.1).expect("an array: there is no shell");
    let [path] = &words[..] else { panic!("arguments belong to who runs it: {words:?}") };
    path.clone()
}

#[test]
fn the_image_is_a_binary_and_the_authorities_that_it_trusts() {
    let stage = last_stage();
    assert_eq!(stage[0], ("FROM".into(), "scratch".into()));
    let keywords: Vec<&str> = stage.iter().map(|(keyword, _)| keyword.as_str()).collect();
    assert_eq!(keywords, ["FROM", "COPY", "COPY", "USER", "ENTRYPOINT"], "nothing is run in it");
    let places: Vec<(String, String)> = files();
    assert!(places.contains(&("binary".into(), entrypoint())), "{places:?}");
    assert!(places.contains(&("roots".into(), "/etc/ssl/certs/ca-certificates.crt".into())), "{places:?}");
    let (_, user) = stage.iter().find(|(keyword, _)| keyword == "USER").unwrap();
    let cronjob = super::cronjob();
    let pod = &cronjob["spec"]["jobTemplate"]["spec"]["template"]["spec"]["securityContext"];
    assert_eq!(*user, format!("{}:{}", pod["runAsUser"], pod["runAsGroup"]));
}

/// The image is built from this source alone, with the profile and the linking that the empty folder of the chroot test is
/// tried with.
#[test]
fn the_binary_of_the_image_is_static() {
    let text = text("Containerfile");
    assert!(text.contains("-C target-feature=+crt-static") && text.contains("--locked --profile dist"));
    let ignored = |name: &str| std::fs::read_to_string(super::path("..").join(name)).unwrap();
    for name in [".containerignore", ".dockerignore"] {
        assert!(ignored(name).lines().any(|line| line == "target"), "{name}");
    }
}
