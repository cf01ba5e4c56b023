//! The page of `ministream-replay proxy --control`, with conversations that go on.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use ministream_fixtures::needs;
use serde_json::json;
use tempfile::TempDir;

use crate::driver::Browser;

const PATIENCE: Duration = Duration::from_secs(30);

/// A program that writes a line when it is ready; ends with its value.
struct Program {
    child: Child,
    ready: String,
}

impl Program {
    fn start(directory: &Path, arguments: &[&str]) -> Self {
        let file = directory.join(arguments[0]);
        let child = Command::new(env!("CARGO_BIN_EXE_ministream-replay"))
            .args(arguments)
            .args(["--ready-file", file.to_str().unwrap()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut program = Self {
            child,
            ready: String::new(),
        };
        eventually("a program is ready", || file.exists());
        program.ready = fs::read_to_string(file).unwrap();
        program
    }

    fn field(&self, name: &str) -> &str {
        let mut words = self.ready.split_whitespace();
        words.find_map(|word| word.strip_prefix(name)).unwrap()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

#[track_caller]
fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < until, "{what}");
        thread::sleep(Duration::from_millis(30));
    }
}

fn echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().map(Result::unwrap) {
            thread::spawn(move || std::io::copy(&mut &stream, &mut &stream).ok());
        }
    });
    address
}

/// A client before a proxy before a server, and a browser on the proxy's page.
struct Shown {
    browser: Browser,
    client: Program,
    _proxy: Program,
    _server: Program,
    _directory: TempDir,
}

impl Shown {
    fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        let (free, target) = ("tcp://127.0.0.1:0", echo().to_string());
        let server = Program::start(path, &["server", "--carrier", free, "--target", &target]);
        let upstream = server.field("carrier=");
        let proxy = ["proxy", "--carrier", free, "--upstream", upstream, "-q"];
        let control = ["--control", "127.0.0.1:0"];
        let proxy = Program::start(path, &[&proxy[..], &control].concat());
        let carrier = proxy.field("carrier=");
        let client = ["client", "--carrier", carrier, "--listen", "127.0.0.1:0"];
        let client = Program::start(path, &client);
        let browser = Browser::start();
        browser.visit(proxy.field("control="));
        Self {
            browser,
            client,
            _proxy: proxy,
            _server: server,
            _directory: directory,
        }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.client.field("listen=")).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    fn text_of(&self, selector: &str) -> String {
        let selector = json!(selector);
        self.browser
            .text(&format!("document.querySelector({selector}).innerText"))
    }

    #[track_caller]
    fn shows(&self, selector: &str, text: &str) {
        let until = Instant::now() + PATIENCE;
        while !self.text_of(selector).contains(text) {
            let shown = self.text_of(selector);
            assert!(Instant::now() < until, "{selector}: {text:?} in {shown:?}");
            thread::sleep(Duration::from_millis(30));
        }
    }

    /// The rows of the ladder with a class.
    fn count(&self, class: &str) -> String {
        let class = json!(format!("#rows .{class}"));
        self.browser
            .text(&format!("document.querySelectorAll({class}).length"))
    }
}

fn say(mut stream: &TcpStream, bytes: &[u8]) {
    stream.write_all(bytes).unwrap();
}

fn expect_bytes(mut stream: &TcpStream, bytes: &[u8]) {
    let mut received = vec![0; bytes.len()];
    stream.read_exact(&mut received).unwrap();
    assert_eq!(received, bytes);
}

#[test]
fn conversations_are_shown_as_they_go_on_and_are_text_whatever_is_in_them() {
    needs!("chromium", "chromedriver");
    let shown = Shown::start();
    let stream = shown.connect();
    for hostile in [
        &b"<script>document.title='taken'</script>"[..],
        b"<img src=x onerror=\"document.title='taken'\">",
    ] {
        say(&stream, hostile);
        expect_bytes(&stream, hostile);
    }
    shown.shows("#rows", "SYN");
    shown.shows("#rows", "<script>document.title");
    shown.shows("#rows", "<img src=x");
    shown.shows("#conversations", "open");
    eventually("all messages are there", || shown.count("row") == "6");
    assert_eq!(shown.count("s2c"), "3");
    assert_eq!(
        shown.browser.text("document.title"),
        "ministream-replay proxy"
    );
    assert_eq!(shown.browser.text("document.images.length"), "0");
    let own = shown.browser.text("location.origin");
    for url in shown.browser.requests() {
        assert!(url.starts_with(&own) || url == "about:blank", "{url}");
    }
    // Chromium asks for an icon of its own accord.
    let console = shown.browser.console().into_iter();
    let odd: Vec<String> = console.filter(|line| !line.contains("favicon")).collect();
    assert!(odd.is_empty(), "{odd:?}");
}

#[test]
fn rules_faults_pause_step_and_kill_are_at_hand() {
    needs!("chromium", "chromedriver");
    let shown = Shown::start();
    let browser = &shown.browser;
    browser.type_into("#rule", "type==data: dorp");
    browser.click("#put-rule");
    shown.shows("#problem", "column 13");
    browser.script("document.getElementById('rule').value = ''");
    browser.type_into("#rule", "dir==c2s && type==data: replace /one/ \"two\"");
    browser.click("#put-rule");
    shown.shows("#rules", "1. dir==c2s");
    let stream = shown.connect();
    say(&stream, b"one");
    expect_bytes(&stream, b"two");
    shown.shows("#rules", "1 match: 1 changed");
    shown.shows("#rows .touched", "rule 1: dir==c2s");

    browser.type_into("#fault", "latency=5ms");
    browser.click("#new-fault button");
    shown.shows("#faults", "s2c: latency=5ms");

    browser.click("#pause");
    shown.shows("#state", "paused");
    say(&stream, b"three");
    shown.shows("#state", "1 held");
    shown.shows("#queue", "three");
    browser.click("#step");
    // The answer is held now.
    shown.shows("#queue", "three");
    eventually("it is the server's", || {
        browser.text("document.querySelectorAll('#queue .s2c').length") == "1"
    });
    browser.click("#pause");
    shown.shows("#state", "running");
    expect_bytes(&stream, b"three");

    browser.click("#conversations .pick");
    shown.shows("#ladder-title", "Messages of c1");
    browser.click("#conversations li > button.small");
    let mut rest = Vec::new();
    (&stream).read_to_end(&mut rest).unwrap();
    assert!(rest.is_empty());
    eventually("both closes are shown as made", || {
        shown.count("made") == "2"
    });

    browser.click("#reset");
    shown.shows("#rules", "None");
    shown.shows("#faults", "None");
}

#[test]
fn a_phone_shows_all_of_it_without_scrolling_sideways() {
    needs!("chromium", "chromedriver");
    let shown = Shown::start();
    let stream = shown.connect();
    let long = [b'x'; 300];
    say(&stream, &long);
    expect_bytes(&stream, &long);
    shown.shows("#rows", "DATA");
    for (width, columns) in [(360, 1), (800, 2), (1400, 3)] {
        let metrics =
            json!({"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": false});
        shown
            .browser
            .chromium("Emulation.setDeviceMetricsOverride", &metrics);
        let fits = "document.documentElement.scrollWidth <= document.documentElement.clientWidth";
        assert_eq!(shown.browser.text(fits), "true", "{width}");
        let shape = "getComputedStyle(document.querySelector('main')).gridTemplateColumns";
        let shape = shown.browser.text(shape);
        assert_eq!(shape.split(' ').count(), columns, "{width}: {shape}");
    }
}
