use std::path::PathBuf;

use secrecy::ExposeSecret;

use super::*;

const CONFIG: &str = r#"
active_context = "prod"
[preferences]
endpoint = "https://global.example/v1/"
[[contexts]]
name = "prod"
token = "token-of-prod"
[[contexts]]
name = "lab"
token = "token-of-lab"
  [contexts.preferences]
  endpoint = "https://lab.example/v1"
[[contexts]]
name = "blank"
token = ""
[[contexts]]
name = "odd"
token = "secret with spaces"
"#;

/// A directory of its own, gone at the end.
struct Dir(PathBuf);

impl Dir {
    fn new(name: &str) -> Dir {
        let dir = std::env::temp_dir().join(format!("kairos-doctor-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        Dir(dir)
    }

    fn file(&self, name: &str, text: impl AsRef<[u8]>) -> String {
        let path = self.0.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_string()
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn with(options: Options, vars: &[(&str, &str)]) -> Result<Known<Access>, String> {
    access(options, &|name| vars.iter().find(|(key, _)| *key == name).map(|(_, value)| value.to_string()))
}

fn ask(vars: &[(&str, &str)]) -> Result<Known<Access>, String> {
    with(Options::default(), vars)
}

fn context(name: &str) -> Options<'_> {
    Options { context: Some(name), token_file: None }
}

fn found(access: Result<Known<Access>, String>) -> (String, String, Option<String>) {
    let access = access.unwrap().unwrap();
    (access.token.expose_secret().to_string(), access.endpoint, access.context)
}

#[test]
fn the_order_is_that_of_the_hcloud_cli() {
    let dir = Dir::new("order");
    let config = dir.file("cli.toml", CONFIG);
    let file = dir.file("token", "  token-of-file \n");
    let mut vars = vec![
        ("HCLOUD_TOKEN", " token-of-env\n"),
        ("HCLOUD_TOKEN_FILE", file.as_str()),
        ("HCLOUD_CONTEXT", "lab"),
        ("HCLOUD_CONFIG", config.as_str()),
    ];
    let mut tokens = Vec::new();
    while vars.len() > 1 {
        let (token, endpoint, context) = found(ask(&vars));
        assert_eq!(endpoint, "https://lab.example/v1");
        assert_eq!(context.is_some(), token == "token-of-lab");
        tokens.push(token);
        vars.remove(0);
    }
    assert_eq!(tokens, ["token-of-env", "token-of-file", "token-of-lab"]);
    let prod =
        ("token-of-prod".to_string(), "https://global.example/v1".to_string(), Some("prod".to_string()));
    assert_eq!(found(ask(&vars)), prod);
    vars.push(("HCLOUD_ENDPOINT", "https://env.example/v2"));
    assert_eq!(found(ask(&vars)).1, "https://env.example/v2");
}

#[test]
fn an_option_beats_the_environment_and_says_so() {
    let dir = Dir::new("option");
    let config = dir.file("cli.toml", CONFIG);
    let vars = [("HCLOUD_TOKEN", "token-of-env"), ("HCLOUD_CONFIG", config.as_str())];
    let access = with(context("lab"), &vars).unwrap().unwrap();
    assert_eq!(access.token.expose_secret(), "token-of-lab");
    assert_eq!(access.notes, ["--hcloud-context lab is used, and HCLOUD_TOKEN is not"]);

    let file = dir.file("token", "token-of-file");
    let options = Options { token_file: Some(Path::new(&file)), context: None };
    let access = with(options, &vars).unwrap().unwrap();
    assert_eq!((access.token.expose_secret(), access.context), ("token-of-file", None));
    assert_eq!(access.notes, ["--hcloud-token-file is used, and HCLOUD_TOKEN is not"]);
}

#[test]
fn the_file_of_the_home_directory_is_found() {
    let dir = Dir::new("home");
    dir.file(".config/hcloud/cli.toml", CONFIG);
    let home = dir.0.to_str().unwrap();
    if !cfg!(windows) {
        assert_eq!(found(ask(&[("HOME", home)])).0, "token-of-prod");
    }
}

#[test]
fn nothing_configured_names_all_that_was_looked_at() {
    let gap = ask(&[("HCLOUD_CONFIG", "/nowhere/cli.toml"), ("HCLOUD_TOKEN", "")]).unwrap().unwrap_err();
    assert_eq!((&*gap.need, gap.why), ("hcloud", Why::NotConfigured));
    assert_eq!(gap.detail, format!("{NO_VARIABLE}, and there is no `/nowhere/cli.toml`").as_str());
    let gap = ask(&[]).unwrap().unwrap_err();
    assert!(gap.detail.ends_with("neither HCLOUD_CONFIG nor HOME says where the hcloud CLI's file is"));

    let dir = Dir::new("nothing");
    let config = dir.file("cli.toml", "[[contexts]]\nname = 'a'\ntoken = 'x'\n");
    let gap = ask(&[("HCLOUD_CONFIG", &config)]).unwrap().unwrap_err();
    assert!(gap.detail.ends_with("cli.toml` has no active_context"), "{}", gap.detail);
    let empty = dir.file("empty.toml", "");
    let gap = ask(&[("HCLOUD_CONFIG", &empty)]).unwrap().unwrap_err();
    assert!(gap.detail.ends_with("empty.toml` has no contexts"), "{}", gap.detail);
    let gap = ask(&[("HCLOUD_CONFIG", &config), ("HCLOUD_CONTEXT", "b")]).unwrap().unwrap_err();
    assert!(gap.detail.starts_with("HCLOUD_CONTEXT says `b`, and there is no such context in"));
}

#[test]
fn what_was_asked_for_and_is_not_there_is_an_error() {
    let dir = Dir::new("asked");
    let config = dir.file("cli.toml", CONFIG);
    let vars = [("HCLOUD_CONFIG", config.as_str())];
    let error = with(context("prud"), &vars).unwrap_err();
    assert!(error.starts_with("--hcloud-context prud: there is no such context in"), "{error}");
    assert!(error.ends_with("there is `prod`, `lab`, `blank`, `odd`"), "{error}");
    let error = with(context("blank"), &vars).unwrap_err();
    assert!(error.contains("that context has no token"), "{error}");
    let error = with(context("a"), &[("HCLOUD_CONFIG", "/nowhere/cli.toml")]).unwrap_err();
    assert_eq!(error, "--hcloud-context a: there is no `/nowhere/cli.toml`");

    let error = ask(&[("HCLOUD_TOKEN_FILE", "/nowhere/token")]).unwrap_err();
    assert!(error.starts_with("HCLOUD_TOKEN_FILE `/nowhere/token` cannot be read: "), "{error}");
    let empty = dir.file("empty", "\n");
    let options = Options { token_file: Some(Path::new(&empty)), context: None };
    assert!(with(options, &[]).unwrap_err().ends_with("empty` is empty"));
    let both = Options { token_file: Some(Path::new(&empty)), context: Some("a") };
    assert!(with(both, &[]).unwrap_err().contains("give one of them"));
}

#[test]
fn no_message_carries_a_token() {
    let dir = Dir::new("secret");
    let config = dir.file("cli.toml", CONFIG);
    let error = with(context("odd"), &[("HCLOUD_CONFIG", &config)]).unwrap_err();
    assert!(error.contains("is no token") && !error.contains("secret with"), "{error}");
    let error = ask(&[("HCLOUD_CONFIG", config.as_str()), ("HCLOUD_CONTEXT", "odd")]).unwrap_err();
    assert!(error.contains("is no token") && !error.contains("secret with"), "{error}");
    assert!(!ask(&[("HCLOUD_TOKEN", "sec\u{1}ret")]).unwrap_err().contains("ret"));

    let broken = dir.file("broken.toml", "[[contexts]]\nname = 'a'\ntoken = \"sesame\" sesame\n");
    let gap = ask(&[("HCLOUD_CONFIG", &broken)]).unwrap().unwrap_err();
    assert!(gap.detail.ends_with("line 3 is not valid TOML"), "{}", gap.detail);
    let access =
        ask(&[("HCLOUD_CONFIG", broken.as_str()), ("HCLOUD_TOKEN", "open-sesame")]).unwrap().unwrap();
    assert!(access.notes[0].ends_with("line 3 is not valid TOML"), "{:?}", access.notes);
    assert!(!format!("{access:?}").contains("sesame"));
}

#[test]
fn an_endpoint_that_would_show_the_token_is_refused() {
    let endpoint = |url: &str| ask(&[("HCLOUD_TOKEN", "t"), ("HCLOUD_ENDPOINT", url)]);
    for good in
        ["https://api.example/v1", "http://127.0.0.7:80/v1", "http://[::1]:1/v1", "http://localhost:9"]
    {
        assert!(endpoint(good).is_ok(), "{good}");
    }
    for bad in [
        "http://api.example/v1",
        "http://127.0.0.1.example/v1",
        "http://localhost.example/v1",
        "ftp://127.0.0.1/v1",
        "https://user:sesame@api.example/v1",
        "https://api.example/v1?token=sesame",
        "api.example",
        "https://",
    ] {
        let error = endpoint(bad).unwrap_err();
        assert!(error.starts_with("the Hetzner endpoint of HCLOUD_ENDPOINT "), "{error}");
        assert!(!error.contains("sesame"), "{error}");
    }
    assert_eq!(found(ask(&[("HCLOUD_TOKEN", "t")])).1, DEFAULT_ENDPOINT);
}

#[test]
fn contents_of_odd_types_are_as_good_as_absent() {
    let dir = Dir::new("types");
    let config = dir.file("cli.toml", "active_context = 5\ncontexts = 'x'\npreferences = []\n");
    let gap = ask(&[("HCLOUD_CONFIG", &config)]).unwrap().unwrap_err();
    assert_eq!(gap.why, Why::NotConfigured);
    let binary = dir.file("binary.toml", [0xff, 0xfe, 0x00]);
    let gap = ask(&[("HCLOUD_CONFIG", &binary)]).unwrap().unwrap_err();
    assert!(gap.detail.contains("cannot be read"), "{}", gap.detail);
}
