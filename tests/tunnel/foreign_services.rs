//! What real programs say to each other is never taken for ours: nginx with and without TLS,
//! redis, PostgreSQL, SSH, DNS, an I2P router. Captured as a user would, with `tcpdump`.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use ministream::capture::{CaptureFile, PacketSource};
use ministream::conversation::EndOfInput;
use ministream::dissect::{Collected, DissectOptions, Dissector};
use ministream_fixtures::namespace::in_namespace;
use ministream_fixtures::needs;
use ministream_fixtures::program::{find, skip};
use ministream_fixtures::router::Router;
use ministream_fixtures::{Random, unused_address};

use crate::endpoint::{connect, eventually, wait};
use crate::real_services::{
    Service, ask, ask_postgresql, measure_redis, nginx_with, postgresql, redis,
};

/// `tcpdump` on the loopback device.
struct Capture {
    child: Child,
    file: PathBuf,
}

impl Capture {
    fn start(directory: &Path) -> Option<Self> {
        let file = directory.join("foreign.pcap");
        let mut child = Command::new(find("tcpdump").unwrap())
            .args(["-i", "lo", "-U", "-s", "0", "-B", "65536", "-w"])
            .arg(&file)
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let capture = |file: &Path| fs::metadata(file).is_ok_and(|file| file.len() >= 24);
        eventually("tcpdump captures, or is not allowed to", || {
            capture(&file) || child.try_wait().unwrap().is_some()
        });
        if child.try_wait().unwrap().is_some() {
            skip("needs tcpdump to be allowed to capture");
            return None;
        }
        Some(Self { child, file })
    }

    /// Waits until a datagram that is sent now was captured, and stops.
    fn finish(mut self) -> PathBuf {
        let mark = b"the end of what was captured";
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.send_to(mark, unused_address()).unwrap();
        eventually("the last packet is in the file", || {
            let bytes = fs::read(&self.file).unwrap();
            bytes.windows(mark.len()).any(|window| window == mark)
        });
        self.child.kill().unwrap();
        wait(&mut self.child);
        self.file
    }
}

#[test]
fn what_real_programs_say_is_never_taken_for_ours() {
    needs!(
        "tcpdump",
        "nginx",
        "curl",
        "openssl",
        "redis-server",
        "redis-benchmark",
        "postgres",
        "initdb",
        "psql",
        "sshd",
        "ssh",
        "ssh-keygen",
        "dnsmasq",
        "i2pd"
    );
    let name = "foreign_services::what_real_programs_say_is_never_taken_for_ours";
    in_namespace(name, || {
        let directory = tempfile::tempdir().unwrap();
        let Some(capture) = Capture::start(directory.path()) else {
            return;
        };
        let talks: [fn(); 6] = [
            talk_http_and_tls,
            talk_redis,
            talk_postgresql,
            talk_ssh,
            talk_dns,
            talk_to_router,
        ];
        for talk in talks {
            talk();
        }
        let mut input = CaptureFile::open(capture.finish()).unwrap();
        let mut dissector = Dissector::new(DissectOptions::default());
        let mut found = Collected::default();
        while let Some(packet) = input.next_packet().unwrap() {
            let Ok(()) = dissector.push(&packet, &mut found);
        }
        let Ok(()) = dissector.finish(EndOfInput::Complete, &mut found);
        let foreign = dissector.counts().foreign;
        assert!(
            found.flows.is_empty() && found.message_count == 0,
            "{:?}",
            found.flows
        );
        assert!(dissector.near_flows().groups().is_empty());
        assert!(foreign.flows >= 20 * talks.len() as u64, "{foreign:?}");
    });
}

/// Pages and files of several sizes, with and without TLS.
fn talk_http_and_tls() {
    let keys = tempfile::tempdir().unwrap();
    let (key, certificate) = (keys.path().join("key"), keys.path().join("certificate"));
    let made = Command::new(find("openssl").unwrap())
        .args([
            "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
        ])
        .args(["-subj", "/CN=localhost", "-keyout"])
        .arg(&key)
        .arg("-out")
        .arg(&certificate)
        .output()
        .unwrap();
    assert!(made.status.success());
    let secure = unused_address();
    let nginx = nginx_with(&format!(
        "location /up/ {{ dav_methods PUT; }}
         listen {secure} ssl; ssl_certificate {}; ssl_certificate_key {};",
        certificate.display(),
        key.display()
    ))
    .unwrap();
    for (size, from) in [(1, "one"), (900, "page"), (300_000, "large")] {
        fs::write(
            nginx.path(&format!("www/{from}")),
            crate::services::pattern(size),
        )
        .unwrap();
    }
    for url in [
        format!("http://{}", nginx.address),
        format!("https://{secure}"),
    ] {
        for _ in 0..10 {
            for page in ["one", "page", "large", "none"] {
                ask(&["--insecure", &format!("{url}/{page}")]);
            }
        }
        let file = nginx.path("www/large");
        ask(&[
            "--insecure",
            "--upload-file",
            file.to_str().unwrap(),
            &format!("{url}/up/large"),
        ]);
    }
}

fn talk_redis() {
    measure_redis(redis().unwrap().address, 500, "redis");
}

fn talk_postgresql() {
    let postgres = postgresql().unwrap();
    for number in 0..20 {
        let query = format!(
            "create temporary table t as select n, repeat(md5(n::text), 30) as x \
             from generate_series(1, {number}00) n; select count(*), min(x) from t; \
             select * from t limit 50;"
        );
        ask_postgresql(postgres.address, &query);
    }
}

/// Commands and files over SSH, each in a connection of its own.
fn talk_ssh() {
    let server = find("sshd").unwrap();
    let client = find("ssh").unwrap();
    let keygen = find("ssh-keygen").unwrap();
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    for name in ["host", "user"] {
        let made = Command::new(&keygen)
            .args(["-q", "-t", "ed25519", "-N", "", "-f"])
            .arg(at(name))
            .status()
            .unwrap();
        assert!(made.success());
    }
    fs::copy(at("user.pub"), at("authorized")).unwrap();
    if rustix::process::geteuid().is_root() {
        // Where it locks itself up; Debian's service makes it.
        fs::create_dir_all("/run/sshd").unwrap();
    }
    let address = unused_address();
    let configuration = format!(
        "ListenAddress {address}\nHostKey {}\nAuthorizedKeysFile {}\nPidFile {}\n\
         StrictModes no\nUsePAM no\nPermitRootLogin yes\n",
        at("host").display(),
        at("authorized").display(),
        at("pid").display()
    );
    fs::write(at("configuration"), configuration).unwrap();
    let mut command = Command::new(server);
    command.args(["-D", "-e", "-f"]).arg(at("configuration"));
    let (user, null) = (at("user"), "/dev/null");
    let sshd = Service::start(directory, address, &mut command);
    for number in 0..20 {
        let output = Command::new(&client)
            .args([
                "-F",
                null,
                "-o",
                "BatchMode=yes",
                "-o",
                "StrictHostKeyChecking=no",
            ])
            .args(["-o", &format!("UserKnownHostsFile={null}"), "-i"])
            .arg(&user)
            .args(["-p", &sshd.address.port().to_string(), "127.0.0.1"])
            .arg(format!("head -c {} /dev/urandom | base64", number * 1_000))
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

/// Questions with every first byte, from a port each, over UDP and TCP.
fn talk_dns() {
    let dnsmasq = find("dnsmasq").unwrap();
    let address = unused_address();
    let mut command = Command::new(dnsmasq);
    command
        .args([
            "--no-daemon",
            "--conf-file=/dev/null",
            "--no-resolv",
            "--no-hosts",
        ])
        .args([
            "--bind-interfaces",
            "--listen-address=127.0.0.1",
            "--pid-file=",
        ])
        .args(["--address=/test/192.0.2.1", "--user=root"])
        .arg(format!("--port={}", address.port()));
    let dnsmasq = Service::start(tempfile::tempdir().unwrap(), address, &mut command);
    let mut random = Random::new(53);
    for first in 0..=255_u8 {
        let name = format!("n{}", random.below(1_000_000));
        let question = [
            &[first, random.bytes(1)[0], 1, 0, 0, 1, 0, 0, 0, 0, 0, 0][..],
            &[u8::try_from(name.len()).unwrap()],
            name.as_bytes(),
            b"\x04test\0\0\x01\0\x01",
        ]
        .concat();
        ask_dns(dnsmasq.address, &question);
        if first % 8 == 1 {
            let mut stream = connect(dnsmasq.address);
            let length = u16::try_from(question.len()).unwrap().to_be_bytes();
            stream
                .write_all(&[&length[..], &question].concat())
                .unwrap();
            let mut answer = [0; 2];
            stream.read_exact(&mut answer).unwrap();
            let mut answer = vec![0; u16::from_be_bytes(answer).into()];
            stream.read_exact(&mut answer).unwrap();
        }
    }
}

fn ask_dns(server: SocketAddr, question: &[u8]) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket
        .set_read_timeout(Some(Duration::from_secs(5)))
        .unwrap();
    socket.send_to(question, server).unwrap();
    let length = socket.recv(&mut [0; 2_000]).unwrap();
    assert!(length > question.len());
}

/// A router's console, SAM, and what it takes for the beginning of NTCP2.
fn talk_to_router() {
    let router = Router::start();
    let mut random = Random::new(2);
    for _ in 0..20 {
        ask(&[&format!("http://{}/?page=netdb", router.console())]);
        let mut sam = connect(router.sam());
        say(&mut sam, "HELLO VERSION MIN=3.0 MAX=3.1\n");
        say(&mut sam, "DEST GENERATE SIGNATURE_TYPE=7\n");
        let mut transport = TcpStream::connect(router.transport()).unwrap();
        let length = 64 + random.index(200);
        transport.write_all(&random.bytes(length)).unwrap();
    }
}

/// Says a line and waits for the answer.
fn say(stream: &mut TcpStream, line: &str) {
    stream.write_all(line.as_bytes()).unwrap();
    let length = stream.read(&mut [0; 4_000]).unwrap();
    assert!(length > 0, "no answer to {line:?}");
}
