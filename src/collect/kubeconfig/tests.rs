use std::fs;
use std::time::{Duration, Instant};

use secrecy::ExposeSecret;
use tempfile::TempDir;

use super::*;

/// A home with files in it.
struct Home(TempDir);

const SECRET: &str = "c2VjcmV0LXRva2Vu";

impl Home {
    fn new() -> Home {
        Home(TempDir::new().unwrap())
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    /// A plugin's script. It is given to a shell, since a file that was just written may still be too busy to be run.
    fn plugin(&self, script: &str) {
        self.write("bin/plugin", script);
    }

    /// The kubeconfig that runs it.
    fn exec(&self, more: &str) -> String {
        let script = self.0.path().join("bin/plugin");
        exec("/bin/sh", &format!(", args: ['{}']{more}", script.display()))
    }

    fn surroundings(&self, vars: &[(&str, &str)]) -> Surroundings {
        let home = ("HOME", self.0.path().to_str().unwrap());
        let vars = vars.iter().chain([&home]).map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        let service_account = self.0.path().join("serviceaccount");
        Surroundings { service_account, ..Surroundings::new(vars) }
    }

    async fn load(&self, options: &Options, vars: &[(&str, &str)]) -> Result<Setup, SetupError> {
        load(options, &self.surroundings(vars), Deadline::after(Duration::from_secs(10))).await
    }

    async fn load_file(&self, text: &str) -> Result<Setup, SetupError> {
        let file = self.write("kubeconfig", text);
        self.load(&Options { kubeconfig: Some(file), ..Options::default() }, &[]).await
    }
}

fn authority() -> String {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(Vec::<String>::new()).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    params.self_signed(&key).unwrap().pem()
}

fn base64(text: &str) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(text)
}

/// A kubeconfig with context `one`, its cluster's and its user's fields.
fn kubeconfig(cluster: &str, user: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: one\n\
         contexts: [{{name: one, context: {{cluster: c, user: u}}}}]\n\
         clusters: [{{name: c, cluster: {{server: 'https://127.0.0.1:6443'{cluster}}}}}]\n\
         users: [{{name: u, user: {{{user}}}}}]\n"
    )
}

fn exec(command: &str, more: &str) -> String {
    let version = "apiVersion: client.authentication.k8s.io/v1";
    kubeconfig("", &format!("exec: {{{version}, command: '{command}', interactiveMode: Never{more}}}"))
}

fn sentence(result: Result<Setup, SetupError>) -> String {
    result.err().expect("it cannot be attempted").to_string()
}

#[tokio::test]
async fn without_any_kubeconfig_it_says_what_was_tried() {
    let home = Home::new();
    let said = sentence(home.load(&Options::default(), &[]).await);
    assert!(said.contains(".kube/config") && said.contains("--kubeconfig"), "{said}");
    let said = sentence(home.load(&Options::default(), &[("KUBECONFIG", "/nowhere/a:/nowhere/b")]).await);
    assert!(said.contains("$KUBECONFIG (/nowhere/a, /nowhere/b)"), "{said}");
    let named = Options { kubeconfig: Some("/nowhere/c".into()), ..Options::default() };
    assert!(sentence(home.load(&named, &[]).await).contains("/nowhere/c: there is no such file"));
    assert!(
        sentence(load(&Options::default(), &Surroundings::new([]), Deadline::after(Duration::ZERO)).await)
            .contains("not set")
    );
}

#[tokio::test]
async fn what_cannot_be_read_is_named_and_not_quoted() {
    let home = Home::new();
    let directory = Options { kubeconfig: Some(home.0.path().into()), ..Options::default() };
    assert!(sentence(home.load(&directory, &[]).await).contains("cannot be read"));
    let said = sentence(home.load_file(&format!("users:\n- token: {SECRET}\n  }}broken: [")).await);
    assert!(said.contains("is not a kubeconfig") && said.contains("line"), "{said}");
    assert!(!said.contains(SECRET));
    let said = sentence(home.load_file(&format!("contexts: {SECRET}")).await);
    assert!(said.contains("is not a kubeconfig") && !said.contains(SECRET), "{said}");
}

#[tokio::test]
async fn contexts_users_and_clusters_are_looked_up() {
    let home = Home::new();
    let two = "contexts: [{name: zwei, context: {cluster: c, user: u}}, {name: eins, context: {cluster: c, user: u}}]\n\
               clusters: [{name: c, cluster: {server: 'https://127.0.0.1:1'}}]\n";
    let file = home.write("kubeconfig", two);
    let choose = |context: Option<&str>| Options {
        kubeconfig: Some(file.clone()),
        context: context.map(str::to_owned),
        ..Options::default()
    };
    let said = sentence(home.load(&choose(None), &[]).await);
    assert!(said.contains("--context") && said.contains("eins, zwei"), "{said}");
    let said = sentence(home.load(&choose(Some("drei")), &[]).await);
    assert!(said.contains("context `drei`") && said.contains("eins, zwei"), "{said}");
    let said = sentence(home.load(&choose(Some("eins")), &[]).await);
    assert!(said.contains("user `u`") && said.contains("there are: none"), "{said}");
    let said = sentence(home.load_file(&two.replace("name: c,", "name: other,")).await);
    assert!(said.contains("--context"), "{said}");
    let said = sentence(
        home.load_file(&format!("current-context: eins\n{}", two.replace("name: c,", "name: d,"))).await,
    );
    assert!(said.contains("cluster `c`") && said.contains("there are: d"), "{said}");
}

#[tokio::test]
async fn a_list_of_kubeconfigs_is_merged_and_absent_ones_are_left_out() {
    let home = Home::new();
    let first = home
        .write("first", "contexts: [{name: one, context: {cluster: c, user: u}}]\ncurrent-context: one\n");
    let second = home.write("second", &kubeconfig("", "token: abc"));
    let list = format!("{}::/nowhere/else:{}", first.display(), second.display());
    let setup = home.load(&Options::default(), &[("KUBECONFIG", &list)]).await.unwrap();
    assert_eq!(setup.context.as_deref(), Some("one"));
    assert_eq!(setup.server(), "https://127.0.0.1:6443");
}

#[tokio::test]
async fn an_authority_without_a_certificate_is_an_error_and_a_bad_one_among_good_ones_is_not() {
    let home = Home::new();
    let with =
        |pem: &str| kubeconfig(&format!(", certificate-authority-data: {}", base64(pem)), "token: abc");
    let empty = "-----BEGIN CERTIFICATE-----\naGVsbG8K\n-----END CERTIFICATE-----\n";
    for nothing in ["hello", "-----BEGIN CERTIFICATE-----\nhalf", empty] {
        let said = sentence(home.load_file(&with(nothing)).await);
        assert!(said.contains("holds no certificate"), "{said}");
    }
    let said =
        sentence(home.load_file(&kubeconfig(", certificate-authority-data: '%%'", "token: abc")).await);
    assert!(said.contains("not base64"), "{said}");
    let said =
        sentence(home.load_file(&kubeconfig(", certificate-authority: nowhere.crt", "token: abc")).await);
    assert!(said.contains("nowhere.crt, cannot be read"), "{said}");
    let setup = home.load_file(&with(&format!("{empty}{}", authority()))).await.unwrap();
    assert_eq!(setup.roots.len(), 1);
    let said = sentence(
        home.load_file(&kubeconfig(
            "",
            &format!("client-certificate-data: {}, client-key-data: eA==", base64("x")),
        ))
        .await,
    );
    assert!(said.contains("client certificate of context `one`"), "{said}");
    let said = sentence(home.load_file(&kubeconfig("", "client-certificate-data: eA==")).await);
    assert!(said.contains("without its key"), "{said}");
}

#[tokio::test]
async fn kube_is_tamed_and_tokens_are_trimmed() {
    let home = Home::new();
    home.write("token", "abc\n");
    let file = home.write("kubeconfig", &kubeconfig("", "tokenFile: token"));
    let options = Options { kubeconfig: Some(file), impersonate: Some("jane".into()), context: None };
    let setup = home.load(&options, &[]).await.unwrap();
    assert_eq!(setup.config.auth_info.token.as_ref().unwrap().expose_secret(), "abc");
    assert_eq!(setup.config.auth_info.impersonate.as_deref(), Some("jane"));
    let block = home.load_file(&kubeconfig("", "token: \"abc\\n\"")).await.unwrap();
    assert!(kube::Client::try_from(block.config).is_ok(), "kube panics on a newline");
    for (token, expected) in [("a\\nb", "no token has"), (" ", "is empty")] {
        let said = sentence(home.load_file(&kubeconfig("", &format!("token: \"{token}\""))).await);
        assert!(said.contains(expected), "{said}");
    }
    assert!(!setup.config.default_retry && setup.config.reset_reader_on_write);
    assert!(setup.config.read_timeout.is_some() && setup.config.connect_timeout.is_some());
}

#[tokio::test]
async fn a_pod_uses_its_service_account() {
    let home = Home::new();
    let pod = [("KUBERNETES_SERVICE_HOST", "fd00::1"), ("KUBERNETES_SERVICE_PORT", "443")];
    let said = sentence(home.load(&Options::default(), &pod).await);
    assert!(said.contains("no service account"), "{said}");
    home.write("serviceaccount/token", "abc\n");
    home.write("serviceaccount/ca.crt", &authority());
    let setup = home.load(&Options::default(), &pod).await.unwrap();
    assert_eq!((setup.context.clone(), setup.server().as_str()), (None, "https://[fd00::1]:443"));
    assert_eq!(setup.roots.len(), 1);
    let named = Options { context: Some("one".into()), ..Options::default() };
    assert!(sentence(home.load(&named, &pod).await).contains("no kubeconfig found"));
    home.write(".kube/config", &kubeconfig("", "token: abc"));
    assert_eq!(home.load(&Options::default(), &pod).await.unwrap().context.as_deref(), Some("one"));
}

#[tokio::test]
async fn a_plugin_runs_once_and_gives_a_token() {
    let home = Home::new();
    home.plugin(
        "echo run >> \"$COUNT\"; printf '%s' \"$KUBERNETES_EXEC_INFO\" > \"$COUNT.info\"\n\
         echo '{\"kind\":\"ExecCredential\",\"apiVersion\":\"client.authentication.k8s.io/v1\",\"status\":{\"token\":\"abc\"}}'",
    );
    let count = home.0.path().join("count");
    let more = format!(", provideClusterInfo: true, env: [{{name: COUNT, value: '{}'}}]", count.display());
    let setup = home.load_file(&home.exec(&more)).await.unwrap();
    assert!(setup.config.auth_info.exec.is_none(), "kube must not run it again");
    assert_eq!(setup.config.auth_info.token.as_ref().unwrap().expose_secret(), "abc");
    assert_eq!(fs::read_to_string(&count).unwrap(), "run\n");
    let info: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(home.0.path().join("count.info")).unwrap()).unwrap();
    assert_eq!(info["apiVersion"], "client.authentication.k8s.io/v1");
    assert_eq!(info["spec"]["cluster"]["server"], "https://127.0.0.1:6443");
}

#[tokio::test]
async fn a_plugin_can_give_a_client_certificate() {
    let home = Home::new();
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::new(Vec::<String>::new()).unwrap().self_signed(&key).unwrap();
    let status =
        serde_json::json!({"clientCertificateData": certificate.pem(), "clientKeyData": key.serialize_pem()});
    let credential = serde_json::json!({
        "kind": "ExecCredential", "apiVersion": "client.authentication.k8s.io/v1", "status": status,
    });
    home.write("credential", &credential.to_string());
    home.plugin("cat \"$(dirname \"$0\")/../credential\"");
    let setup = home.load_file(&home.exec("")).await.unwrap();
    assert!(setup.client_not_after.is_some());
    assert!(kube::Client::try_from(setup.config).is_ok(), "kube takes them");
}

#[tokio::test]
async fn a_plugin_that_hangs_is_left_in_time() {
    let home = Home::new();
    home.plugin("exec sleep 60");
    let file = home.write("kubeconfig", &home.exec(""));
    let options = Options { kubeconfig: Some(file), ..Options::default() };
    let begun = Instant::now();
    let said =
        sentence(load(&options, &home.surroundings(&[]), Deadline::after(Duration::from_millis(300))).await);
    assert!(said.contains("did not end within 0.3 s"), "{said}");
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn a_plugin_that_fails_is_named() {
    let home = Home::new();
    let said = sentence(home.load_file(&exec("no-such-plugin", ", installHint: install it")).await);
    assert!(said.contains("`no-such-plugin`") && said.contains("install it"), "{said}");
    let printed = format!("echo '{{\"status\":{{\"token\":\"{SECRET}\"}}}}'");
    for (script, expected) in [
        ("echo 'log in first' >&2; exit 3", "exit status: 3): log in first"),
        ("exit 1", "it said nothing"),
        ("echo nonsense", "did not print an ExecCredential as JSON"),
        (&*printed, "of the version that it was asked for"),
        (
            "echo '{\"kind\":\"ExecCredential\",\"apiVersion\":\"client.authentication.k8s.io/v1\",\"status\":{}}'",
            "printed no credential",
        ),
    ] {
        home.plugin(script);
        let said = sentence(home.load_file(&home.exec("")).await);
        assert!(said.contains(expected) && said.contains("--context") && !said.contains(SECRET), "{said}");
    }
    let always = home.exec("").replace("Never", "Always");
    assert!(sentence(home.load_file(&always).await).contains("needs a terminal"));
    let old = home.exec("").replace("k8s.io/v1,", "k8s.io/v1alpha1,");
    assert!(sentence(home.load_file(&old).await).contains("v1alpha1"));
    let provider = kubeconfig("", "auth-provider: {name: gcp, config: {cmd-path: /bin/false}}");
    assert!(sentence(home.load_file(&provider).await).contains("auth-provider `gcp`"));
}

#[tokio::test]
async fn no_proxy_is_compared_with_the_server() {
    let home = Home::new();
    let file =
        home.write("kubeconfig", &kubeconfig("", "token: abc").replace("127.0.0.1:6443", "10.9.9.9:6443"));
    let options = Options { kubeconfig: Some(file), ..Options::default() };
    let proxy = ("HTTPS_PROXY", "http://jane:secret@127.0.0.1:3128");
    let through = home.load(&options, &[proxy]).await.unwrap();
    assert_eq!(through.proxy().as_deref(), Some("http://127.0.0.1:3128"));
    let through = home.load(&options, &[proxy, ("NO_PROXY", "127.0.0.1,,")]).await.unwrap();
    assert!(through.proxy().is_some());
    let direct = home.load(&options, &[proxy, ("no_proxy", "10.0.0.0/8")]).await.unwrap();
    assert!(direct.proxy().is_none());
}
