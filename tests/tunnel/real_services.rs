//! Programs that know nothing of the tunnel: nginx and curl, redis, PostgreSQL.
//!
//! A test is skipped, and says so, where its program is not installed.

use std::fs;
use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use sha2::{Digest, Sha256};

use crate::endpoint::{Tunnel, eventually};
use crate::services::pattern;
use ministream_fixtures::program::needed;
use ministream_fixtures::unused_address;

/// A service's process, which ends with the test.
pub(crate) struct Service {
    child: Child,
    pub(crate) address: SocketAddr,
    directory: tempfile::TempDir,
}

impl Service {
    pub(crate) fn start(
        directory: tempfile::TempDir,
        address: SocketAddr,
        command: &mut Command,
    ) -> Self {
        let log = fs::File::create(directory.path().join("log")).unwrap();
        let child = command
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let service = Self {
            child,
            address,
            directory,
        };
        eventually("the service listens", || {
            TcpStream::connect(address).is_ok()
        });
        service
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let id = rustix::process::Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        // An orderly end, so that it ends its own processes; on a busy machine some never do.
        rustix::process::kill_process(id, rustix::process::Signal::INT).ok();
        crate::endpoint::wait_or_kill(&mut self.child);
        if std::thread::panicking() {
            eprintln!("{}", fs::read_to_string(self.path("log")).unwrap());
        }
    }
}

/// A web server, and the program that asks it.
pub(crate) fn nginx() -> Option<Service> {
    nginx_with("location /up/ { dav_methods PUT; }")
}

/// One with these lines in its configuration.
pub(crate) fn nginx_with(lines: &str) -> Option<Service> {
    needed("curl")?;
    let nginx = needed("nginx")?;
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    // Its workers may run as another user.
    for folder in ["www", "www/up", "tmp"] {
        fs::create_dir(root.join(folder)).unwrap();
    }
    let address = unused_address();
    let configuration = format!(
        "daemon off; worker_processes 1; pid {root}/pid; error_log stderr;
         {user}
         events {{ worker_connections 1024; }}
         http {{
           access_log off; client_max_body_size 0;
           client_body_temp_path {root}/tmp; proxy_temp_path {root}/tmp;
           fastcgi_temp_path {root}/tmp; uwsgi_temp_path {root}/tmp; scgi_temp_path {root}/tmp;
           server {{ listen {address}; root {root}/www;
             {lines} }}
         }}",
        root = root.display(),
        user = if rustix::process::geteuid().is_root() {
            "user root;"
        } else {
            ""
        },
    );
    let file = root.join("nginx.conf");
    fs::write(&file, configuration).unwrap();
    let mut command = Command::new(nginx);
    command.arg("-c").arg(&file).arg("-p").arg(root);
    Some(Service::start(directory, address, &mut command))
}

fn curl(arguments: &[&str]) -> Vec<u8> {
    ask(&[&["--fail"], arguments].concat())
}

/// What `curl` gets, be it an error of the web server.
pub(crate) fn ask(arguments: &[&str]) -> Vec<u8> {
    let output = Command::new("curl")
        .args(["--silent", "--show-error", "--max-time", "120"])
        .args(arguments)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    output.stdout
}

fn digest(path: &Path) -> [u8; 32] {
    Sha256::digest(fs::read(path).unwrap()).into()
}

fn write_pattern(path: &Path, megabytes: usize) {
    let block = pattern(1_000_000);
    let mut file = fs::File::create(path).unwrap();
    for number in 0..megabytes {
        file.write_all(&number.to_le_bytes()).unwrap();
        file.write_all(&block[8..]).unwrap();
    }
}

fn pages_and_files(carrier: &str, megabytes: usize) {
    let Some(nginx) = nginx() else { return };
    let tunnel = Tunnel::to(carrier, nginx.address, &[]);
    fetch_and_put(&nginx, &tunnel, megabytes);
}

/// A page, and a large file each way.
pub(crate) fn fetch_and_put(nginx: &Service, tunnel: &Tunnel, megabytes: usize) {
    let carrier = tunnel.server.carrier();
    let url = format!("http://{}", tunnel.client.listen());

    fs::write(nginx.path("www/page"), "<p>a page</p>").unwrap();
    assert_eq!(curl(&[&format!("{url}/page")]), b"<p>a page</p>");

    let (original, copy) = (nginx.path("www/large"), nginx.path("copy"));
    write_pattern(&original, megabytes);
    curl(&[&format!("{url}/large"), "--output", copy.to_str().unwrap()]);
    assert!(
        digest(&original) == digest(&copy),
        "downloaded over {carrier}"
    );

    curl(&[
        "--upload-file",
        original.to_str().unwrap(),
        &format!("{url}/up/large"),
    ]);
    assert!(
        digest(&original) == digest(&nginx.path("www/up/large")),
        "uploaded over {carrier}"
    );
}

#[test]
fn nginx_gives_and_takes_a_hundred_megabytes_over_tcp() {
    pages_and_files("tcp://127.0.0.1:0", 100);
}

#[test]
fn nginx_gives_and_takes_ten_megabytes_over_udp() {
    pages_and_files("udp://127.0.0.1:0", 10);
}

#[test]
fn two_hundred_curls_at_once_get_their_pages() {
    let Some(nginx) = nginx() else { return };
    for carrier in ["tcp://127.0.0.1:0", "udp://127.0.0.1:0"] {
        fetch_two_hundred_at_once(&nginx, &Tunnel::to(carrier, nginx.address, &[]));
    }
}

pub(crate) fn fetch_two_hundred_at_once(nginx: &Service, tunnel: &Tunnel) {
    for number in 0..200 {
        let page = format!("page {number} ").repeat(500);
        fs::write(nginx.path(&format!("www/{number}")), page).unwrap();
    }
    let listen = tunnel.client.listen();
    let curls: Vec<Child> = (0..200)
        .map(|number| {
            Command::new("curl")
                .args(["--silent", "--show-error", "--fail", "--max-time", "60"])
                .arg(format!("http://{listen}/{number}"))
                .stdout(Stdio::piped())
                .spawn()
                .unwrap()
        })
        .collect();
    for (number, curl) in curls.into_iter().enumerate() {
        let output = curl.wait_with_output().unwrap();
        let page = format!("page {number} ").repeat(500);
        let carrier = tunnel.server.carrier();
        assert!(output.stdout == page.as_bytes(), "{number} over {carrier}");
    }
}

#[test]
fn redis_answers_its_own_benchmark() {
    let Some(redis) = redis() else { return };
    for carrier in ["tcp://127.0.0.1:0", "udp://127.0.0.1:0"] {
        run_redis_benchmark(&Tunnel::to(carrier, redis.address, &[]), 5000);
    }
}

const REDIS_BENCHMARK: &str = "redis-benchmark";

/// A database in memory, and the program that measures it.
pub(crate) fn redis() -> Option<Service> {
    needed(REDIS_BENCHMARK)?;
    let server = needed("redis-server")?;
    let address = unused_address();
    let mut command = Command::new(server);
    command
        .args(["--save", "", "--appendonly", "no"])
        .args(["--bind", "127.0.0.1", "--port"])
        .arg(address.port().to_string());
    let directory = tempfile::tempdir().unwrap();
    Some(Service::start(directory, address, &mut command))
}

pub(crate) fn run_redis_benchmark(tunnel: &Tunnel, requests: usize) {
    let carrier = tunnel.server.carrier();
    measure_redis(tunnel.client.listen(), requests, carrier);
}

/// The same with nothing before the database; `what` for what goes wrong.
pub(crate) fn measure_redis(address: SocketAddr, requests: usize, what: &str) {
    let output = Command::new(REDIS_BENCHMARK)
        .args(["-h", "127.0.0.1", "-p"])
        .arg(address.port().to_string())
        .args(["-n", &requests.to_string(), "-c", "20"])
        .args(["-t", "set,get,lpush", "-d", "300", "--csv"])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{what}: {text}");
    for test in ["\"SET\"", "\"GET\"", "\"LPUSH\""] {
        assert!(text.contains(test), "{what}: {text}");
    }
}

const PSQL: &str = "psql";

/// A database, and the program that asks it.
pub(crate) fn postgresql() -> Option<Service> {
    needed(PSQL)?;
    let initdb = needed("initdb")?;
    let postgres = needed("postgres")?;
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    fs::create_dir(&data).unwrap();
    let is_root = rustix::process::geteuid().is_root();
    // It does not run as root; Debian's package makes a user for it.
    let as_its_user = |program: &Path| {
        if !is_root {
            return Command::new(program);
        }
        let mut command = Command::new("setpriv");
        command
            .args(["--reuid=postgres", "--regid=postgres", "--init-groups"])
            .arg(program);
        command
    };
    if is_root {
        let given = Command::new("chown")
            .args(["-R", "postgres"])
            .arg(directory.path())
            .status()
            .unwrap();
        assert!(given.success());
    }
    let made = as_its_user(&initdb)
        .args(["--auth=trust", "--username=tester", "--no-sync", "-D"])
        .arg(&data)
        .current_dir("/")
        .output()
        .unwrap();
    assert!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );
    let address = unused_address();
    let mut command = as_its_user(&postgres);
    command
        .current_dir("/")
        .arg("-D")
        .arg(&data)
        .args(["-c", "listen_addresses=127.0.0.1", "-c", "fsync=off", "-p"])
        .arg(address.port().to_string())
        .arg("-k")
        .arg(&data);
    Some(Service::start(directory, address, &mut command))
}

#[test]
fn a_postgresql_session_works_through_the_tunnel() {
    let Some(postgres) = postgresql() else { return };
    let tunnel = Tunnel::to("tcp://127.0.0.1:0", postgres.address, &[]);
    let query = "create table t as select n, repeat(md5(n::text), 30) as x \
                 from generate_series(1, 20000) n; \
                 select count(*), sum(length(x)) from t; \
                 select x from t order by n;";
    let text = ask_postgresql(tunnel.client.listen(), query);
    let mut lines = text.lines().filter(|line| !line.starts_with("SELECT"));
    assert_eq!(lines.next(), Some("20000|19200000"));
    assert_eq!(lines.clone().count(), 20_000);
    assert!(lines.all(|line| line.len() == 960));
}

/// What the database answers to a query, when it is up.
pub(crate) fn ask_postgresql(address: SocketAddr, query: &str) -> String {
    let mut output = None;
    eventually("the database is up", || {
        let run = Command::new(PSQL)
            .args([
                "-h",
                "127.0.0.1",
                "-U",
                "tester",
                "-d",
                "postgres",
                "-At",
                "-p",
            ])
            .arg(address.port().to_string())
            .args(["-c", query])
            .output()
            .unwrap();
        let starting = String::from_utf8_lossy(&run.stderr).contains("starting up");
        output = Some(run);
        !starting
    });
    let output = output.unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}
