//! A headless Chromium, spoken to over the pipes of its DevTools protocol: no port is opened for it.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

/// How long it may take to answer anything.
const PATIENCE: Duration = Duration::from_secs(120);

/// The first of the names on the PATH that says its version: some systems have a file of that name that only tells how to
/// install one.
pub fn installed() -> Option<PathBuf> {
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let path = std::env::var_os("PATH")?;
    let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let mut files = names.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
    files.find(|file| {
        file.is_file() && Command::new(file).arg("--version").output().is_ok_and(|run| run.status.success())
    })
}

pub struct Chromium {
    child: Child,
    commands: File,
    answers: Receiver<Value>,
    /// Events that came while an answer was waited for.
    events: VecDeque<Value>,
    next: u64,
    session: Value,
    _folder: TempDir,
}

impl Chromium {
    pub fn start(program: &Path) -> Chromium {
        let folder = tempfile::tempdir().expect("a folder");
        let pipe = |name: &str| {
            let path = folder.path().join(name);
            let made = Command::new("mkfifo").arg(&path).status().expect("mkfifo starts");
            assert!(made.success(), "no named pipe");
            path
        };
        let (to, from) = (pipe("commands"), pipe("answers"));
        // It reads commands from descriptor 3 and writes to 4, which a shell can give it.
        let child = Command::new("sh")
            .args(["-c", r#"exec "$0" "$@" 3<"$TO" 4>"$FROM""#])
            .arg(program)
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"])
            .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
            .args(["--disable-dev-shm-usage", "--hide-scrollbars", "--remote-debugging-pipe"])
            .arg(format!("--user-data-dir={}", folder.path().join("profile").display()))
            .envs([("TO", &to), ("FROM", &from)])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("a shell starts");
        // In the shell's order: each of these waits for the other side.
        let commands = OpenOptions::new().write(true).open(&to).expect("the pipe opens");
        let answers = File::open(&from).expect("the pipe opens");
        let (tell, heard) = channel();
        std::thread::spawn(move || {
            let messages = BufReader::new(answers).split(0);
            for message in messages.map_while(Result::ok) {
                let Ok(message) = serde_json::from_slice(&message) else { return };
                if tell.send(message).is_err() {
                    return;
                }
            }
        });
        let mut chromium = Chromium {
            child,
            commands,
            answers: heard,
            events: VecDeque::new(),
            next: 0,
            session: Value::Null,
            _folder: folder,
        };
        let target = chromium.ask("Target.createTarget", json!({"url": "about:blank"}));
        let attach = json!({"targetId": target["targetId"], "flatten": true});
        chromium.session = chromium.ask("Target.attachToTarget", attach)["sessionId"].clone();
        for domain in ["Page", "Network", "Runtime", "Log"] {
            chromium.ask(&format!("{domain}.enable"), json!({}));
        }
        chromium
    }

    /// Sends a command and gives its result.
    pub fn ask(&mut self, method: &str, params: Value) -> Value {
        self.next += 1;
        let mut command = json!({"id": self.next, "method": method, "params": params});
        if self.session.is_string() {
            command["sessionId"] = self.session.clone();
        }
        self.commands.write_all(format!("{command}\0").as_bytes()).expect("Chromium listens");
        loop {
            let message = self.answers.recv_timeout(PATIENCE).unwrap_or_else(|e| panic!("{method}: {e}"));
            if message["id"] == self.next {
                assert!(message["error"].is_null(), "{method}: {}", message["error"]);
                return message["result"].clone();
            }
            if message["method"].is_string() {
                self.events.push_back(message);
            }
        }
    }

    /// Opens a page and gives every URL that was asked for until it had loaded.
    pub fn open(&mut self, page: &Path) -> Vec<String> {
        self.events.clear();
        self.ask("Page.navigate", json!({"url": format!("file://{}", page.display())}));
        while !self.events.iter().any(|event| event["method"] == "Page.loadEventFired") {
            let message = self.answers.recv_timeout(PATIENCE).expect("the page loads");
            self.events.push_back(message);
        }
        let asked = self.events.iter().filter(|event| event["method"] == "Network.requestWillBeSent");
        asked
            .map(|event| event["params"]["request"]["url"].as_str().unwrap_or_default().to_string())
            .collect()
    }

    /// What Chromium complained of: blocked styles, bad attributes.
    pub fn complaints(&self) -> Vec<String> {
        let entries = self.events.iter().filter(|event| event["method"] == "Log.entryAdded");
        entries.map(|event| event["params"]["entry"]["text"].to_string()).collect()
    }

    /// How wide and high the page is shown, in which scheme, on a `screen` or in `print`.
    pub fn view(&mut self, width: u32, height: u32, scheme: &str, media: &str) {
        let size = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600});
        self.ask("Emulation.setDeviceMetricsOverride", size);
        let features = json!([{"name": "prefers-color-scheme", "value": scheme}]);
        self.ask("Emulation.setEmulatedMedia", json!({"media": media, "features": features}));
    }

    /// The value of an expression, which the page's policy does not forbid to whoever debugs it.
    pub fn value(&mut self, expression: &str) -> Value {
        let asked = json!({"expression": expression, "returnByValue": true, "awaitPromise": true});
        let answer = self.ask("Runtime.evaluate", asked);
        assert!(answer["exceptionDetails"].is_null(), "{}", answer["exceptionDetails"]);
        answer["result"]["value"].clone()
    }

    /// A picture of what is in view, or of the whole page.
    pub fn screenshot(&mut self, whole: bool) -> Vec<u8> {
        let answer =
            self.ask("Page.captureScreenshot", json!({"format": "png", "captureBeyondViewport": whole}));
        decoded(&answer["data"])
    }

    pub fn pdf(&mut self) -> Vec<u8> {
        let paper = json!({"paperWidth": 8.27, "paperHeight": 11.69, "preferCSSPageSize": true, "printBackground": true});
        decoded(&self.ask("Page.printToPDF", paper)["data"])
    }
}

fn decoded(data: &Value) -> Vec<u8> {
    use base64::Engine;
    let data = data.as_str().expect("a picture");
    base64::engine::general_purpose::STANDARD.decode(data).expect("base64")
}

impl Drop for Chromium {
    fn drop(&mut self) {
        // The browser ends its own children; a killed one would leave them.
        let _ = self.commands.write_all(b"{\"id\":0,\"method\":\"Browser.close\"}\0");
        for _ in 0..50 {
            if matches!(self.child.try_wait(), Ok(Some(_))) {
                return;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
