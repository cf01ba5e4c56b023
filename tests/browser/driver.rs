//! A browser, spoken to over WebDriver (<https://www.w3.org/TR/webdriver2/>): JSON over HTTP.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

/// The key under which WebDriver names an element.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// Longest wait for one answer; a page of ten thousand conversations on a loaded
/// machine takes a few seconds.
const PATIENCE: Duration = Duration::from_secs(120);

/// What Chromium is started with: nothing of its own on the network, a sandbox
/// only where it can have one.
const ARGUMENTS: [&str; 8] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--window-size=1400,900",
];

/// A browser with one window; ends with its value.
pub(crate) struct Browser {
    driver: Child,
    port: u16,
    session: String,
    _profile: TempDir,
}

/// An element of the page.
#[derive(Debug)]
pub(crate) struct Element(String);

impl Browser {
    pub(crate) fn start() -> Self {
        let profile = tempfile::tempdir().unwrap();
        let (driver, port) = (0..DRIVER_ATTEMPTS)
            .find_map(|_| start_driver())
            .expect("chromedriver says on which port it listens");
        let mut arguments: Vec<String> = ARGUMENTS.map(str::to_owned).to_vec();
        arguments.push(format!("--user-data-dir={}", profile.path().display()));
        let mut browser = Self {
            driver,
            port,
            session: String::new(),
            _profile: profile,
        };
        let capabilities = json!({"capabilities": {"alwaysMatch": {
            "goog:chromeOptions": {"args": arguments},
            "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
            "timeouts": {"script": PATIENCE.as_millis()},
        }}});
        let session = browser.call("POST", "/session", &capabilities);
        browser.session = format!("/session/{}", session["sessionId"].as_str().unwrap());
        // Leave the page that Chromium begins with, and forget what it loaded.
        browser.command("url", &json!({"url": "about:blank"}));
        browser.requests();
        browser
    }

    /// Opens a file, at `anchor` if that is not empty.
    pub(crate) fn open(&self, path: &Path, anchor: &str) {
        // The page before must go: a change of the anchor alone does not load.
        self.command("url", &json!({"url": "about:blank"}));
        let url = format!("file://{}{anchor}", path.display());
        self.command("url", &json!({"url": url}));
    }

    /// Opens a page of a server.
    pub(crate) fn visit(&self, url: &str) {
        self.command("url", &json!({"url": url}));
    }

    /// What a script returns.
    pub(crate) fn script(&self, script: &str) -> Value {
        self.command("execute/sync", &json!({"script": script, "args": []}))
    }

    /// What a script returns, which is text.
    pub(crate) fn text(&self, expression: &str) -> String {
        let value = self.script(&format!("return String({expression})"));
        value.as_str().unwrap().to_owned()
    }

    /// The first element that matches.
    pub(crate) fn find(&self, selector: &str) -> Element {
        let found = self.command(
            "element",
            &json!({"using": "css selector", "value": selector}),
        );
        let id = found[ELEMENT].as_str();
        Element(
            id.unwrap_or_else(|| panic!("{selector}: {found}"))
                .to_owned(),
        )
    }

    /// Clicks as a user does: on what is visible. A page that draws its lists anew may have put
    /// another element in the place of the one that was found.
    pub(crate) fn click(&self, selector: &str) {
        loop {
            let Element(id) = self.find(selector);
            let path = format!("{}/element/{id}/click", self.session);
            let value = self.answer("POST", &path, &json!({}));
            if value["error"] == "stale element reference" {
                continue;
            }
            assert!(value["error"].is_null(), "{selector}: {value}");
            return;
        }
    }

    /// Types into an element.
    pub(crate) fn type_into(&self, selector: &str, keys: &str) {
        let Element(id) = self.find(selector);
        self.command(&format!("element/{id}/value"), &json!({"text": keys}));
    }

    /// Presses keys, wherever the focus is.
    pub(crate) fn press(&self, keys: &str) {
        let strokes: Vec<Value> = keys
            .chars()
            .flat_map(|key| {
                ["keyDown", "keyUp"].map(|kind| json!({"type": kind, "value": key.to_string()}))
            })
            .collect();
        let actions = json!({"actions": [{"type": "key", "id": "keys", "actions": strokes}]});
        self.command("actions", &actions);
    }

    /// What the console was told since the last call.
    pub(crate) fn console(&self) -> Vec<String> {
        let entries = self.command("se/log", &json!({"type": "browser"}));
        let entries = entries.as_array().unwrap().iter();
        entries.map(|entry| entry["message"].to_string()).collect()
    }

    /// The addresses that were asked for since the last call, without those that
    /// Chromium asks itself.
    pub(crate) fn requests(&self) -> Vec<String> {
        let entries = self.command("se/log", &json!({"type": "performance"}));
        entries
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|entry| {
                let event: Value = serde_json::from_str(entry["message"].as_str()?).ok()?;
                let message = &event["message"];
                (message["method"] == "Network.requestWillBeSent").then(|| {
                    message["params"]["request"]["url"]
                        .as_str()
                        .map(str::to_owned)
                })?
            })
            .filter(|url: &String| !url.starts_with("chrome://"))
            .collect()
    }

    /// A command of Chromium's own protocol.
    pub(crate) fn chromium(&self, command: &str, parameters: &Value) -> Value {
        let body = json!({"cmd": command, "params": parameters});
        self.command("goog/cdp/execute", &body)
    }

    #[track_caller]
    fn command(&self, command: &str, body: &Value) -> Value {
        self.call("POST", &format!("{}/{command}", self.session), body)
    }

    #[track_caller]
    fn call(&self, method: &str, path: &str, body: &Value) -> Value {
        let value = self.answer(method, path, body);
        assert!(value["error"].is_null(), "{method} {path} {body}: {value}");
        value
    }

    /// What the driver answers, which may be an error.
    fn answer(&self, method: &str, path: &str, body: &Value) -> Value {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let body = body.to_string();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n",
            self.port,
            body.len()
        );
        stream.write_all((head + &body).as_bytes()).unwrap();
        let mut answer = String::new();
        read_answer(stream, &mut answer);
        let answer: Value = serde_json::from_str(&answer).unwrap();
        answer["value"].clone()
    }
}

/// Reads the body of an answer, which says how long it is.
fn read_answer(stream: TcpStream, answer: &mut String) {
    let mut stream = BufReader::new(stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).unwrap();
        if line.trim_end().is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().unwrap();
        }
    }
    stream.take(length).read_to_string(answer).unwrap();
}

/// How often a driver is started at most.
const DRIVER_ATTEMPTS: u32 = 5;

/// Starts a driver, which has the system choose a port for IPv4 and then needs the same one
/// for IPv6: where another program has that, it ends.
fn start_driver() -> Option<(Child, u16)> {
    let mut driver = Command::new("chromedriver")
        .arg("--port=0")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("chromedriver runs: .ci/install installs chromium-driver");
    let lines = BufReader::new(driver.stdout.take().unwrap()).lines();
    let port = lines.map(Result::unwrap).find_map(|line| {
        let port = line.split_once("successfully on port ")?.1;
        port.trim_end_matches('.').parse().ok()
    });
    if port.is_none() {
        driver.wait().unwrap();
    }
    Some((driver, port?))
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Ending the session ends Chromium; ending the driver alone would leave it.
        let end = format!(
            "DELETE {} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n",
            self.session
        );
        if let Ok(mut stream) = TcpStream::connect(("127.0.0.1", self.port))
            && stream.write_all(end.as_bytes()).is_ok()
        {
            read_answer(stream, &mut String::new());
        }
        self.driver
            .kill()
            .expect("the driver is a child of this process");
        self.driver
            .wait()
            .expect("the driver is a child of this process");
    }
}
