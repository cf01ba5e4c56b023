//! A real router for tests: `i2pd`, which reaches nothing but this machine.
//!
//! It is its own floodfill, so that two sessions at it find each other; its
//! tunnels have no hops; it knows no other router and asks nobody for one.

use std::fs::{self, File};
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::{program, unused_address};

/// How long it may take until the router listens.
const START_TIMEOUT: Duration = Duration::from_secs(20);
/// How long it may take to end when asked to, before it is killed.
const END_TIMEOUT: Duration = Duration::from_secs(3);

/// A running router with a directory of its own. Dropping it ends it and
/// removes the directory.
#[derive(Debug)]
pub struct Router {
    child: Option<Child>,
    directory: PathBuf,
    i2cp: SocketAddr,
    transport: SocketAddr,
    console: SocketAddr,
    sam: SocketAddr,
}

impl Router {
    /// Starts a router and waits until its I2CP port answers.
    ///
    /// # Panics
    /// It does not come up; the message says what its log says.
    pub fn start() -> Self {
        let mut router = Self {
            child: None,
            directory: make_directory().expect("the temporary directory can be written"),
            i2cp: unused_address(),
            transport: unused_address(),
            console: unused_address(),
            sam: unused_address(),
        };
        router.restart();
        router
    }

    /// Where it speaks I2CP.
    pub const fn i2cp(&self) -> SocketAddr {
        self.i2cp
    }

    /// Where it speaks NTCP2 with other routers.
    pub const fn transport(&self) -> SocketAddr {
        self.transport
    }

    /// Where its web console is.
    pub const fn console(&self) -> SocketAddr {
        self.console
    }

    /// Where it speaks SAM.
    pub const fn sam(&self) -> SocketAddr {
        self.sam
    }

    /// What it logged.
    pub fn log(&self) -> String {
        let log = fs::read(self.directory.join("log")).unwrap_or_default();
        String::from_utf8_lossy(&log).into_owned()
    }

    /// Kills it without warning, as a crash would. Its ports and its directory
    /// remain for [`restart`](Self::restart).
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("a child of ours can be killed");
            child.wait().expect("a killed child ends");
        }
    }

    /// Starts it again at the same ports; it remembers no lease sets.
    ///
    /// # Panics
    /// As [`start`](Self::start).
    pub fn restart(&mut self) {
        self.kill();
        self.write_configuration()
            .expect("the router's directory can be written");
        self.child = Some(
            self.spawn()
                .expect("i2pd can be started: a test begins with needs!(\"i2pd\")"),
        );
        let start = Instant::now();
        while TcpStream::connect(self.i2cp).is_err() {
            let ended = self.child.as_mut().map(Child::try_wait);
            let still_runs = matches!(ended, Some(Ok(None)));
            assert!(
                still_runs && start.elapsed() < START_TIMEOUT,
                "i2pd does not listen at {}: {ended:?}\n{}",
                self.i2cp,
                self.log()
            );
            sleep(Duration::from_millis(50));
        }
    }

    fn spawn(&self) -> io::Result<Child> {
        let at = |name: &str| self.directory.join(name);
        let log = File::create(at("log"))?;
        Command::new(program::find("i2pd").ok_or(io::ErrorKind::NotFound)?)
            .arg(argument("datadir", &at("data")))
            .arg(argument("conf", &at("i2pd.conf")))
            .arg(argument("tunconf", &at("tunnels.conf")))
            .arg(argument("certsdir", &at("certificates")))
            .args(["--log=stdout", "--loglevel=warn"])
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
    }

    fn write_configuration(&self) -> io::Result<()> {
        fs::create_dir_all(self.directory.join("data"))?;
        fs::create_dir_all(self.directory.join("certificates"))?;
        fs::write(self.directory.join("tunnels.conf"), "")?;
        let configuration = CONFIGURATION
            .replace("I2CP_PORT", &self.i2cp.port().to_string())
            .replace("CONSOLE_PORT", &self.console.port().to_string())
            .replace("SAM_PORT", &self.sam.port().to_string())
            .replace("TRANSPORT_PORT", &self.transport.port().to_string());
        fs::write(self.directory.join("i2pd.conf"), configuration)
    }
}

impl Drop for Router {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            terminate(&mut child);
        }
        if let Err(error) = fs::remove_dir_all(&self.directory) {
            eprintln!("{} remains: {error}", self.directory.display());
        }
    }
}

/// SIGTERM, and SIGKILL if that does not help.
fn terminate(child: &mut Child) {
    let asked = Command::new("kill").arg(child.id().to_string()).status();
    let start = Instant::now();
    while asked.is_ok() && start.elapsed() < END_TIMEOUT {
        if matches!(child.try_wait(), Ok(Some(_))) {
            return;
        }
        sleep(Duration::from_millis(20));
    }
    if let Err(error) = child.kill().and_then(|()| child.wait()) {
        eprintln!("i2pd {} remains: {error}", child.id());
    }
}

fn argument(name: &str, path: &Path) -> String {
    format!("--{name}={}", path.display())
}

fn make_directory() -> io::Result<PathBuf> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = format!("ministream-router-{}-{number}", std::process::id());
    let directory = std::env::temp_dir().join(name);
    fs::create_dir(&directory)?;
    Ok(directory)
}

/// Nothing but loopback, no other router, no services but I2CP, SAM and the console.
const CONFIGURATION: &str = "\
host = 127.0.0.1
address4 = 127.0.0.1
ifname4 = lo
port = TRANSPORT_PORT
ipv4 = true
ipv6 = false
nat = false
reservedrange = false
netid = 99
floodfill = true
notransit = true
bandwidth = X
[ntcp2]
enabled = true
published = true
port = TRANSPORT_PORT
[ssu2]
enabled = false
[http]
enabled = true
address = 127.0.0.1
port = CONSOLE_PORT
[httpproxy]
enabled = false
[socksproxy]
enabled = false
[sam]
enabled = true
address = 127.0.0.1
port = SAM_PORT
[bob]
enabled = false
[i2pcontrol]
enabled = false
[upnp]
enabled = false
[nettime]
enabled = false
frompeers = false
[addressbook]
enabled = false
[reseed]
threshold = 0
urls =
yggurls =
[i2cp]
enabled = true
address = 127.0.0.1
port = I2CP_PORT
singlethread = true
[persist]
profiles = false
[exploratory]
inbound.length = 0
outbound.length = 0
inbound.quantity = 1
outbound.quantity = 1
";
