//! Which Hetzner token, endpoint and context: as the hcloud CLI chooses them, except that an option on our command
//! line beats the environment.
//!
//! Source: hcloud CLI `internal/state/config`. Nothing here opens a connection, and no message carries a token.

use std::io::Read;
use std::path::{Path, PathBuf};

use kairos_doctor_checks::facts::{Gap, Known, Text, Why};
use reqwest::Url;
use secrecy::SecretString;
use toml::{Table, Value};

const DEFAULT_ENDPOINT: &str = "https://api.hetzner.cloud/v1";
/// A token is 64 characters, a configuration some hundred bytes for each project.
const FILE_CAP: u64 = 1024 * 1024;

/// What the command line says. Variables of the environment do not belong here: they rank lower.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options<'a> {
    /// `--hcloud-token-file`
    pub token_file: Option<&'a Path>,
    /// `--hcloud-context`
    pub context: Option<&'a str>,
}

/// How to reach the Hetzner API.
#[derive(Clone, Debug)]
pub struct Access {
    pub token: SecretString,
    /// Without a slash at its end; `https://`, or `http://` on loopback.
    pub endpoint: String,
    /// The hcloud context the token belongs to; `None` when it came from the environment or a file.
    pub context: Option<String>,
    /// What a reader may not expect, such as an option that beats HCLOUD_TOKEN; one line each.
    pub notes: Vec<String>,
}

/// Chooses token, endpoint and context. `env` gives the value of an environment variable.
///
/// A [`Gap`] (`hcloud`, not configured) says everything that was looked at.
///
/// # Errors
/// What was asked for and cannot be had, in words for the user: a token file that cannot be read, a context that does not
/// exist, a token with characters that no token has, an endpoint that is no URL or would send the token in the clear.
pub fn access(options: Options, env: &dyn Fn(&str) -> Option<String>) -> Result<Known<Access>, String> {
    let env = |name: &str| env(name).map(|v| v.trim().to_string()).filter(|v| !v.is_empty());
    if options.token_file.is_some() && options.context.is_some() {
        return Err("--hcloud-token-file and --hcloud-context name two tokens: give one of them".into());
    }
    let mut notes = Vec::new();
    let file = ConfigFile::find(&env);
    let explicit = options.context.map(|name| (name.to_string(), "--hcloud-context"));
    // The endpoint of the chosen context counts even when its token does not.
    let chosen = explicit
        .or_else(|| env("HCLOUD_CONTEXT").map(|name| (name, "HCLOUD_CONTEXT")))
        .or_else(|| file.active().map(|name| (name, "active_context")));
    let chosen = chosen.as_ref().map(|(name, by)| (name.as_str(), *by));

    let mut from_context = None;
    let token = if let Some(name) = options.context {
        if let Some(beaten) =
            ["HCLOUD_TOKEN", "HCLOUD_TOKEN_FILE"].into_iter().find(|name| env(name).is_some())
        {
            notes.push(format!("--hcloud-context {} is used, and {beaten} is not", Text::new(name)));
        }
        from_context = Some(name.to_string());
        file.token(name).map_err(|why| format!("--hcloud-context {}: {why}", Text::new(name)))?
    } else if let Some(path) = options.token_file {
        if env("HCLOUD_TOKEN").is_some() {
            notes.push("--hcloud-token-file is used, and HCLOUD_TOKEN is not".into());
        }
        token_of_file(path, "--hcloud-token-file")?
    } else if let Some(token) = env("HCLOUD_TOKEN") {
        checked(&token, "HCLOUD_TOKEN")?
    } else if let Some(path) = env("HCLOUD_TOKEN_FILE") {
        token_of_file(Path::new(&path), "HCLOUD_TOKEN_FILE")?
    } else if let Some((name, by)) = chosen {
        from_context = Some(name.to_string());
        match file.token(name) {
            Ok(token) => token,
            Err(Missing::Illegal(why)) => return Err(why),
            Err(missing) => return Ok(Err(gap(format!("{by} says `{}`, and {missing}", Text::new(name))))),
        }
    } else {
        return Ok(Err(gap(format!("{}, and {}", NO_VARIABLE, file.nothing()))));
    };
    if let Contents::Broken(why) = &file.contents {
        notes.push(format!("{} is left out: {why}", file.name()));
    }
    let (endpoint, by) = match env("HCLOUD_ENDPOINT") {
        Some(endpoint) => (endpoint, "HCLOUD_ENDPOINT".to_string()),
        None => file
            .endpoint(chosen.map(|(name, _)| name))
            .map_or_else(|| (DEFAULT_ENDPOINT.to_string(), String::new()), |e| (e, file.name())),
    };
    let endpoint = checked_endpoint(&endpoint, &by)?;
    Ok(Ok(Access { token, endpoint, context: from_context, notes }))
}

const NO_VARIABLE: &str = "no token: none of HCLOUD_TOKEN, HCLOUD_TOKEN_FILE, --hcloud-token-file, --hcloud-context and HCLOUD_CONTEXT is set";

fn gap(detail: String) -> Gap {
    Gap::new("hcloud", Why::NotConfigured, detail)
}

/// The hcloud CLI's file, or why there is none.
struct ConfigFile {
    path: Option<PathBuf>,
    contents: Contents,
}

enum Contents {
    Absent,
    Broken(String),
    There(Table),
}

/// Why a context gives no token.
enum Missing {
    /// There is a token, and it has characters that no token has.
    Illegal(String),
    Other(String),
}

impl std::fmt::Display for Missing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (Missing::Illegal(why) | Missing::Other(why)) = self;
        f.write_str(why)
    }
}

impl ConfigFile {
    fn find(env: &dyn Fn(&str) -> Option<String>) -> ConfigFile {
        let home = if cfg!(windows) {
            env("APPDATA").map(|home| Path::new(&home).join("hcloud"))
        } else {
            env("HOME").map(|home| Path::new(&home).join(".config/hcloud"))
        };
        let path = env("HCLOUD_CONFIG").map(PathBuf::from).or_else(|| home.map(|home| home.join("cli.toml")));
        let contents = match path.as_deref().map(read) {
            None => Contents::Absent,
            Some(Err(e)) if e.kind() == std::io::ErrorKind::NotFound => Contents::Absent,
            Some(Err(e)) => Contents::Broken(format!("it cannot be read: {e}")),
            // Neither toml's message nor its excerpt may be shown: they can hold the token.
            Some(Ok(text)) => match text.parse::<Table>() {
                Ok(table) => Contents::There(table),
                Err(e) => {
                    let before = e.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
                    Contents::Broken(format!("line {} is not valid TOML", before.matches('\n').count() + 1))
                }
            },
        };
        ConfigFile { path, contents }
    }

    fn name(&self) -> String {
        match &self.path {
            Some(path) => format!("`{}`", Text::new(&path.to_string_lossy())),
            None => "the hcloud CLI's file".into(),
        }
    }

    fn table(&self) -> Option<&Table> {
        if let Contents::There(table) = &self.contents { Some(table) } else { None }
    }

    fn active(&self) -> Option<String> {
        self.table()?.get("active_context")?.as_str().filter(|name| !name.is_empty()).map(str::to_string)
    }

    fn contexts(&self) -> impl Iterator<Item = &Table> {
        let all = self.table().and_then(|t| t.get("contexts")).and_then(Value::as_array);
        all.into_iter().flatten().filter_map(Value::as_table)
    }

    fn context(&self, name: &str) -> Option<&Table> {
        self.contexts().find(|context| text(context, "name") == Some(name))
    }

    fn token(&self, name: &str) -> Result<SecretString, Missing> {
        let Some(context) = self.context(name) else { return Err(Missing::Other(self.no_such_context())) };
        match text(context, "token").map(str::trim).filter(|token| !token.is_empty()) {
            Some(token) => {
                let whose = format!("the token of context `{}` in {}", Text::new(name), self.name());
                checked(token, &whose).map_err(Missing::Illegal)
            }
            None => Err(Missing::Other(format!("that context has no token in {}", self.name()))),
        }
    }

    /// What stands in place of a context that was asked for.
    fn no_such_context(&self) -> String {
        let names: Vec<String> =
            self.contexts().filter_map(|c| text(c, "name")).map(|n| format!("`{}`", Text::new(n))).collect();
        match &self.contents {
            Contents::There(_) if !names.is_empty() => {
                format!("there is no such context in {}; there is {}", self.name(), names.join(", "))
            }
            _ => self.nothing(),
        }
    }

    /// Why the file gives no context at all.
    fn nothing(&self) -> String {
        match (&self.contents, &self.path) {
            (Contents::There(_), _) if self.contexts().next().is_some() => {
                format!("{} has no active_context", self.name())
            }
            (Contents::There(_), _) => format!("{} has no contexts", self.name()),
            (Contents::Broken(why), _) => format!("of {} {why}", self.name()),
            (Contents::Absent, Some(_)) => format!("there is no {}", self.name()),
            (Contents::Absent, None) => {
                "neither HCLOUD_CONFIG nor HOME says where the hcloud CLI's file is".into()
            }
        }
    }

    fn endpoint(&self, context: Option<&str>) -> Option<String> {
        let preference = |table: &Table| {
            let endpoint = text(table.get("preferences")?.as_table()?, "endpoint")?.trim();
            (!endpoint.is_empty()).then(|| endpoint.to_string())
        };
        context.and_then(|name| self.context(name)).and_then(preference).or_else(|| preference(self.table()?))
    }
}

fn text<'a>(table: &'a Table, key: &str) -> Option<&'a str> {
    table.get(key)?.as_str()
}

fn read(path: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    let file = std::fs::File::open(path)?;
    file.take(FILE_CAP + 1).read_to_string(&mut text)?;
    if text.len() as u64 > FILE_CAP {
        return Err(std::io::Error::other("it is larger than 1 MiB"));
    }
    Ok(text)
}

fn token_of_file(path: &Path, by: &str) -> Result<SecretString, String> {
    let name = format!("{by} `{}`", Text::new(&path.to_string_lossy()));
    let token = read(path).map_err(|e| format!("{name} cannot be read: {e}"))?;
    match token.trim() {
        "" => Err(format!("{name} is empty")),
        token => checked(token, &name),
    }
}

/// A token that fits into a header.
fn checked(token: &str, whose: &str) -> Result<SecretString, String> {
    if token.bytes().all(|b| b.is_ascii_graphic()) {
        return Ok(SecretString::from(token));
    }
    Err(format!("{whose} is no token: it holds a space, a control character or a letter that is not ASCII"))
}

fn checked_endpoint(endpoint: &str, by: &str) -> Result<String, String> {
    let wrong = |why: &str| Err(format!("the Hetzner endpoint of {by} {why}"));
    let Ok(url) = Url::parse(endpoint) else { return wrong("is no URL") };
    if !url.username().is_empty() || url.password().is_some() {
        return wrong("holds a user name or password: a token belongs into HCLOUD_TOKEN");
    }
    if url.query().is_some() || url.fragment().is_some() {
        return wrong("has a query or a fragment: it should end with the version, as in `/v1`");
    }
    let host = url.host_str().unwrap_or_default();
    match url.scheme() {
        "https" => {}
        "http" if is_loopback(host) => {}
        "http" => return wrong("begins with http:// and would send the token in the clear: write https://"),
        _ => return wrong("does not begin with https://"),
    }
    Ok(url.as_str().trim_end_matches('/').to_string())
}

/// A host, as [`Url::host_str`] writes it, that is this machine.
pub(super) fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests;
