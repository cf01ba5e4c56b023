//! Records messages as a capture, without privileges: the packets around the recorded bytes are
//! made up.

use std::fs::File;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use tracing::error;

use crate::capture::PcapngWriter;
use crate::capture::{LinkType, Packet};
use crate::carrier::FlowDirection;
use crate::dissect::flow_direction::side_of;
use crate::net::Side;
use crate::net::synthetic::{Connection, MAX_SEGMENT_BYTES, Segment, make_datagram};
use crate::new_file;
use crate::time::Timestamp;

/// A capture that is being written. Its clones write to the same.
#[derive(Clone, Debug)]
pub struct Recorder {
    inner: Arc<Mutex<Inner>>,
    path: Arc<Path>,
}

#[derive(Debug)]
struct Inner {
    /// `None` after a failure, which was logged.
    writer: Option<PcapngWriter<WholeRecords>>,
    path: Arc<Path>,
    /// Whether some of the messages are missing.
    has_gaps: bool,
    began: SystemTime,
    clock: Instant,
    packet: Vec<u8>,
    number: u64,
}

impl Recorder {
    /// Begins a capture in a new file, or in place of an old one.
    ///
    /// # Errors
    /// Those of the file.
    pub fn create(path: &Path) -> io::Result<Self> {
        let path: Arc<Path> = path.into();
        let mut writer = PcapngWriter::new(WholeRecords::begin(new_file::create(&path)?)?)?;
        writer.flush()?;
        let inner = Inner {
            writer: Some(writer),
            path: Arc::clone(&path),
            has_gaps: false,
            began: SystemTime::now(),
            clock: Instant::now(),
            packet: Vec::new(),
            number: 0,
        };
        Ok(Self {
            inner: Arc::new(Mutex::new(inner)),
            path,
        })
    }

    /// Whether some of the messages are missing, since the file could not be written.
    pub fn has_gaps(&self) -> bool {
        self.inner().has_gaps
    }

    /// The path of the capture.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Goes on in a new file of the same name, if the old one was moved away; else in
    /// a new section at its end. Connections that are open go on without their beginning. What
    /// has become a link to another file is not written, and the capture ends.
    pub fn reopen(&self) {
        self.flush();
        let mut inner = self.inner();
        let before = inner.writer.as_ref().map(|writer| &writer.get_ref().file);
        let opened = new_file::go_on(&self.path, before);
        let writer = opened.and_then(WholeRecords::begin);
        match writer.and_then(PcapngWriter::new) {
            Ok(writer) => inner.writer = Some(writer),
            Err(error) => inner.fail(&error),
        }
        drop(inner);
        self.flush();
    }

    /// Records a UDP datagram.
    pub fn datagram(&self, from: SocketAddr, to: SocketAddr, payload: &[u8]) {
        self.commented_datagram(from, to, payload, None);
    }

    /// Records a UDP datagram of which there is something to say.
    pub fn commented_datagram(
        &self,
        from: SocketAddr,
        to: SocketAddr,
        payload: &[u8],
        comment: Option<&str>,
    ) {
        let mut inner = self.inner();
        let number = inner.number;
        inner.record(comment, |packet| {
            make_datagram(from, to, number, payload, packet);
        });
    }

    /// Records the beginning of a TCP connection; the rest of it goes into the returned stream.
    pub fn stream(&self, dialler: SocketAddr, listener: SocketAddr) -> RecordedStream {
        let mut stream = RecordedStream {
            recorder: self.clone(),
            connection: Connection::new(dialler, listener, 0),
        };
        for (from, segment) in Connection::HANDSHAKE {
            stream.segment(from, segment);
        }
        stream
    }

    /// Lets the file have all that was recorded, so that it is readable
    /// whatever becomes of us.
    pub fn flush(&self) {
        let mut inner = self.inner();
        if let Some(writer) = &mut inner.writer
            && let Err(error) = writer.flush()
        {
            inner.fail(&error);
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        // A record is written whole or, after a failure, not at all.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn record(&mut self, comment: Option<&str>, build: impl FnOnce(&mut Vec<u8>)) {
        let time = self.now();
        let Some(writer) = &mut self.writer else {
            return;
        };
        build(&mut self.packet);
        self.number += 1;
        let packet = Packet {
            number: self.number,
            time,
            interface: crate::capture::InterfaceId::default(),
            link_type: LinkType::RawIp,
            data: &self.packet,
            original_bytes: u32::try_from(self.packet.len()).unwrap_or(u32::MAX),
        };
        let written = match comment {
            Some(comment) => writer.write_commented(&packet, comment),
            None => writer.write(&packet),
        };
        if let Err(error) = written {
            self.fail(&error);
        }
    }

    /// The time of day when the recording began, and the time since: it never runs backwards.
    fn now(&self) -> Timestamp {
        let since_1970 = self.began.duration_since(UNIX_EPOCH).unwrap_or_default();
        let now = since_1970 + self.clock.elapsed();
        Timestamp::from_nanos(i64::try_from(now.as_nanos()).unwrap_or(i64::MAX))
    }

    fn fail(&mut self, error: &io::Error) {
        let path = self.path.display();
        error!(%error, "{path} cannot be written and ends here: nothing more is recorded");
        self.writer = None;
        self.has_gaps = true;
    }
}

/// A file that ends with a whole record, also when there is no room for the next: records appended
/// to it later can be read.
#[derive(Debug)]
struct WholeRecords {
    file: File,
    /// Bytes of the file that are whole records.
    whole_bytes: u64,
    waiting: Vec<u8>,
}

/// Bytes that wait for the next flush, unless one record is more.
const WAITING_BYTES: usize = 8 * 1024;

impl WholeRecords {
    /// Goes on at the end of `file`.
    fn begin(file: File) -> io::Result<Self> {
        let whole_bytes = file.metadata()?.len();
        Ok(Self {
            file,
            whole_bytes,
            waiting: Vec::new(),
        })
    }
}

impl Write for WholeRecords {
    /// Takes one record, whole.
    fn write(&mut self, record: &[u8]) -> io::Result<usize> {
        if self.waiting.len() + record.len() > WAITING_BYTES {
            self.flush()?;
        }
        self.waiting.extend_from_slice(record);
        Ok(record.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let written = self.file.write_all(&self.waiting);
        match written {
            Ok(()) => self.whole_bytes += self.waiting.len() as u64,
            // A pipe has no length to set. The error that counts is the first.
            Err(_) => drop(self.file.set_len(self.whole_bytes)),
        }
        self.waiting.clear();
        written
    }
}

impl Drop for WholeRecords {
    fn drop(&mut self) {
        // Whoever wants to know whether it was written has flushed.
        drop(self.flush());
    }
}

/// A recorded TCP connection: its bytes in order, both ways, none lost.
#[derive(Debug)]
pub struct RecordedStream {
    recorder: Recorder,
    connection: Connection,
}

impl RecordedStream {
    /// Records bytes that one end sent; `Forward` is from the end that dialled.
    pub fn bytes(&mut self, direction: FlowDirection, bytes: &[u8]) {
        self.commented_bytes(direction, bytes, None);
    }

    /// Records bytes of which there is something to say, which stands at the last of their packets.
    pub fn commented_bytes(
        &mut self,
        direction: FlowDirection,
        bytes: &[u8],
        comment: Option<&str>,
    ) {
        let mut pieces = bytes.chunks(MAX_SEGMENT_BYTES).peekable();
        while let Some(piece) = pieces.next() {
            let comment = comment.filter(|_| pieces.peek().is_none());
            self.commented_segment(side_of(direction), Segment::Data(piece), comment);
        }
    }

    /// Records that one end closed.
    pub fn finish(&mut self, direction: FlowDirection) {
        self.segment(side_of(direction), Segment::Fin);
    }

    fn segment(&mut self, from: Side, segment: Segment<'_>) {
        self.commented_segment(from, segment, None);
    }

    fn commented_segment(&mut self, from: Side, segment: Segment<'_>, comment: Option<&str>) {
        let connection = &mut self.connection;
        self.recorder.inner().record(comment, |packet| {
            connection.make_segment(from, segment, packet);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::CaptureFile;
    use crate::capture::PacketSource;

    fn packets(record: impl FnOnce(&Recorder)) -> Vec<Vec<u8>> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("recorded.pcapng");
        let recorder = Recorder::create(&path).unwrap();
        record(&recorder);
        recorder.flush();
        let mut file = CaptureFile::open(&path).unwrap();
        let mut packets = Vec::new();
        while let Some(packet) = file.next_packet().unwrap() {
            assert_eq!(packet.link_type, LinkType::RawIp);
            packets.push(packet.data.to_vec());
        }
        packets
    }

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_datagram_is_recorded_with_right_checksums() {
        let packets = packets(|recorder| {
            recorder.datagram(
                address("127.0.0.1:40000"),
                address("127.0.0.2:9004"),
                b"\xa2\x98\x76\x54",
            );
        });
        assert_eq!(
            hex::encode(&packets[0]),
            "450000200001400040113cc97f0000017f0000029c40232c000c2979a2987654"
        );
    }

    #[test]
    fn a_connection_is_recorded_from_its_handshake_to_its_end() {
        let packets = packets(|recorder| {
            let mut stream = recorder.stream(address("[::1]:40000"), address("[::1]:9004"));
            stream.bytes(FlowDirection::Forward, b"abc");
            stream.bytes(FlowDirection::Backward, &vec![7; MAX_SEGMENT_BYTES + 1]);
            stream.finish(FlowDirection::Forward);
        });
        let tcp: Vec<_> = packets
            .iter()
            .map(|packet| {
                let sliced = etherparse::SlicedPacket::from_ip(packet).unwrap();
                let Some(etherparse::TransportSlice::Tcp(tcp)) = sliced.transport else {
                    panic!("no TCP header");
                };
                (
                    tcp.sequence_number(),
                    tcp.acknowledgment_number(),
                    (tcp.syn(), tcp.ack(), tcp.fin()),
                    tcp.payload().len(),
                )
            })
            .collect();
        assert_eq!(
            tcp,
            [
                (0, 0, (true, false, false), 0),
                (0, 1, (true, true, false), 0),
                (1, 1, (false, true, false), 0),
                (1, 1, (false, true, false), 3),
                (1, 4, (false, true, false), 65_495),
                (65_496, 4, (false, true, false), 1),
                (4, 65_497, (false, true, true), 0),
            ]
        );
    }

    #[cfg(unix)]
    #[test]
    fn a_capture_that_is_reopened_goes_on_where_it_was_and_not_through_a_link_to_another_file() {
        use std::fs;
        use std::os::unix::fs::symlink;
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        let datagram = |recorder: &Recorder| {
            recorder.datagram(address("127.0.0.1:1"), address("127.0.0.1:2"), b"\xff");
            recorder.flush();
            recorder.has_gaps()
        };
        // Through a link that led nowhere at first, and in a new file when that is moved.
        symlink(at("first"), at("link")).unwrap();
        let recorder = Recorder::create(&at("link")).unwrap();
        assert!(!datagram(&recorder));
        let length = fs::metadata(at("first")).unwrap().len();
        recorder.reopen();
        assert!(!datagram(&recorder));
        assert_eq!(fs::metadata(at("first")).unwrap().len(), 2 * length);
        fs::rename(at("first"), at("moved")).unwrap();
        recorder.reopen();
        assert!(!datagram(&recorder));
        assert_eq!(fs::metadata(at("first")).unwrap().len(), length);
        // Somebody else's.
        fs::write(at("precious"), "precious").unwrap();
        fs::remove_file(at("link")).unwrap();
        symlink(at("precious"), at("link")).unwrap();
        recorder.reopen();
        assert!(datagram(&recorder));
        assert_eq!(fs::read(at("precious")).unwrap(), b"precious");
        assert_eq!(fs::metadata(at("first")).unwrap().len(), length);
    }
}
