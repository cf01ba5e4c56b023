//! The similarity of a client's bytes to those of a recorded one.

use hashbrown::HashMap;

/// The longest head of an HTTP request that is looked for.
const MAX_HEAD_BYTES: usize = 64 * 1024;

/// The field that announces a body, whose case does not matter (RFC 9110, 5.1).
const CONTENT_LENGTH: &[u8] = b"content-length:";

/// The similarity of two requests; the greater, the nearer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Nearness {
    /// They begin with so many equal bytes, which are at least half of the shorter.
    Bytes(usize),
    /// Both ask for the same by HTTP, with so many equal header fields.
    Request(usize),
}

/// The requests of recorded clients, by what is like them.
#[derive(Debug, Default)]
pub(super) struct Requests {
    /// Those of HTTP, by method and path.
    web: HashMap<Vec<u8>, Vec<usize>>,
    /// The others, by their first byte.
    others: HashMap<u8, Vec<usize>>,
}

impl Requests {
    pub(super) fn new<'a>(recorded: impl Iterator<Item = &'a [u8]>) -> Self {
        let mut requests = Self::default();
        for (index, bytes) in recorded.enumerate() {
            let like = match (Head::parse(bytes), bytes.first()) {
                (Some(head), _) => requests.web.entry(head.asked_for()),
                (None, Some(first)) => {
                    requests.others.entry(*first).or_default().push(index);
                    continue;
                }
                // Nothing is near to one without bytes.
                (None, None) => continue,
            };
            like.or_default().push(index);
        }
        requests
    }

    /// The numbers of those that may be near to a live one. No other is.
    pub(super) fn like(&self, live: &Live<'_>) -> &[usize] {
        let like = match (&live.head, live.bytes.first()) {
            (Some(head), _) => self.web.get(&head.asked_for()),
            (None, first) => first.and_then(|first| self.others.get(first)),
        };
        like.map_or(&[], Vec::as_slice)
    }
}

/// What a live client has sent of its request.
#[derive(Debug)]
pub(super) struct Live<'a> {
    bytes: &'a [u8],
    head: Option<Head<'a>>,
}

impl<'a> Live<'a> {
    pub(super) fn parse(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            head: Head::parse(bytes),
        }
    }

    /// Whether the body has to come that its head announces.
    pub(super) fn lacks_body(&self) -> bool {
        let head = self.head.as_ref();
        head.is_some_and(|head| !head.is_whole(self.bytes))
    }

    /// The similarity of one of those that are [like](Requests::like) it; `None` if they have too little in
    /// common.
    pub(super) fn nearness(&self, recorded: &[u8]) -> Option<Nearness> {
        match &self.head {
            Some(live) => {
                let recorded = Head::parse(recorded)?;
                let fields = recorded.fields.iter();
                let equal = fields.filter(|field| live.fields.contains(field));
                Some(Nearness::Request(equal.count()))
            }
            None => {
                let pairs = recorded.iter().zip(self.bytes);
                let common = pairs.take_while(|(one, other)| one == other).count();
                let shorter = recorded.len().min(self.bytes.len());
                (common > 0 && 2 * common >= shorter).then_some(Nearness::Bytes(common))
            }
        }
    }
}

/// Whether a whole request came, as far as can be known: an HTTP
/// request with its body, lines where lines were recorded, else as many bytes.
pub(super) fn is_whole(recorded: &[u8], live: &[u8]) -> bool {
    if let Some(head) = Head::parse(live) {
        return head.is_whole(live);
    }
    if may_be_http(live) {
        return false;
    }
    match recorded.last() {
        Some(b'\n') => live.ends_with(b"\n"),
        _ => live.len() >= recorded.len(),
    }
}

/// Whether this looks like the beginning of an HTTP request whose head is not whole.
pub(super) fn may_be_http(live: &[u8]) -> bool {
    if live.len() > MAX_HEAD_BYTES {
        return false;
    }
    let method = live.iter().take_while(|byte| byte.is_ascii_uppercase());
    let method_bytes = method.count();
    let line = live.split(|byte| *byte == b'\n').next().unwrap_or(live);
    let is_method = (3..=10).contains(&method_bytes);
    is_method
        && live.get(method_bytes).is_none_or(|byte| *byte == b' ')
        && (line.len() == live.len() || is_request_line(line))
        && Head::parse(live).is_none()
}

/// The head of an HTTP request (RFC 9112, section 2.1).
#[derive(Debug)]
struct Head<'a> {
    line: &'a [u8],
    fields: Vec<&'a [u8]>,
    /// Bytes of the head.
    bytes: usize,
    /// Bytes of the body, as announced.
    body_bytes: usize,
}

impl<'a> Head<'a> {
    fn parse(bytes: &'a [u8]) -> Option<Self> {
        let beginning = &bytes[..bytes.len().min(MAX_HEAD_BYTES)];
        let end = beginning.windows(4).position(|four| four == b"\r\n\r\n")?;
        let mut lines = bytes[..end]
            .split(|byte| *byte == b'\n')
            .map(|line| line.strip_suffix(b"\r").unwrap_or(line));
        let line = lines.next().filter(|line| is_request_line(line))?;
        let fields: Vec<&[u8]> = lines.collect();
        let body_bytes = fields.iter().find_map(|field| {
            let (name, value) = field.split_at_checked(CONTENT_LENGTH.len())?;
            let value = std::str::from_utf8(value).ok()?;
            name.eq_ignore_ascii_case(CONTENT_LENGTH)
                .then(|| value.trim().parse().ok())?
        });
        Some(Self {
            line,
            fields,
            bytes: end + 4,
            body_bytes: body_bytes.unwrap_or(0),
        })
    }

    /// Whether its body has come, too.
    fn is_whole(&self, request: &[u8]) -> bool {
        self.body_bytes <= request.len() - self.bytes
    }

    /// Method and path; a query may differ.
    fn asked_for(&self) -> Vec<u8> {
        let mut words = self.line.splitn(3, |byte| *byte == b' ');
        let (method, target) = (words.next(), words.next());
        let path = target.and_then(|target| target.split(|byte| *byte == b'?').next());
        [method, path].map(Option::unwrap_or_default).join(&b' ')
    }
}

fn is_request_line(line: &[u8]) -> bool {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let words: Vec<&[u8]> = line.split(|byte| *byte == b' ').collect();
    words.len() == 3 && words[2].starts_with(b"HTTP/1.")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nearness(recorded: &[u8], live: &[u8]) -> Option<Nearness> {
        let live = Live::parse(live);
        let requests = Requests::new([recorded].into_iter());
        let like = requests.like(&live).first();
        like.and_then(|_| live.nearness(recorded))
    }

    const RECORDED: &[u8] = b"GET /a?b HTTP/1.1\r\nHost: x:80\r\nAccept: */*\r\n\r\n";

    #[test]
    fn the_same_method_and_path_are_near_whatever_the_fields_are() {
        let live: &[u8] = b"GET /a?c HTTP/1.1\r\nHost: y:8080\r\nAccept: */*\r\n\r\n";
        assert_eq!(nearness(RECORDED, live), Some(Nearness::Request(1)));
        for other in [
            &b"GET /other HTTP/1.1\r\nHost: x:80\r\nAccept: */*\r\n\r\n"[..],
            b"HEAD /a?b HTTP/1.1\r\nHost: x:80\r\nAccept: */*\r\n\r\n",
            b"GET /a?b",
            b"",
        ] {
            assert_eq!(nearness(RECORDED, other), None);
        }
    }

    /// The same without the table, which each pair would have to be asked for.
    fn compared(recorded: &[u8], live: &[u8]) -> Option<Nearness> {
        let heads = (Head::parse(recorded), Head::parse(live));
        let is_like = match &heads {
            (Some(recorded), Some(live)) => recorded.asked_for() == live.asked_for(),
            (None, None) => true,
            _ => false,
        };
        is_like.then(|| Live::parse(live).nearness(recorded))?
    }

    #[test]
    fn nothing_is_near_but_what_is_looked_up() {
        let samples = [
            RECORDED,
            b"POST /a HTTP/1.1\r\nContent-Length: 1\r\n\r\nb",
            b"GET  HTTP/1.1\r\n\r\n",
            b"GET /a\r\n\r\n",
            b"EHLO one\r\n",
        ];
        let cuts = |bytes: &'static [u8]| (0..=bytes.len()).map(|cut| &bytes[..cut]);
        for recorded in samples.into_iter().flat_map(cuts) {
            for live in samples.into_iter().flat_map(cuts) {
                let text = (recorded.escape_ascii(), live.escape_ascii());
                assert_eq!(
                    nearness(recorded, live),
                    compared(recorded, live),
                    "{text:?}"
                );
            }
        }
    }

    #[test]
    fn other_protocols_are_near_by_their_first_bytes() {
        assert_eq!(
            nearness(b"EHLO one\r\n", b"EHLO two\r\n"),
            Some(Nearness::Bytes(5))
        );
        assert_eq!(nearness(b"EHLO one\r\n", b"QUIT\r\n"), None);
        assert_eq!(nearness(b"one", b""), None);
    }

    #[test]
    fn a_request_is_whole_with_its_last_byte_and_not_before() {
        let live = b"POST / HTTP/1.1\r\nContent-Length: 4\r\n\r\nbody";
        for cut in 0..=live.len() {
            let is_last = cut == live.len();
            assert_eq!(
                is_whole(RECORDED, &live[..cut]) && cut > 2,
                is_last,
                "{cut}"
            );
        }
        assert!(is_whole(b"EHLO a\r\n", b"EHLO longer\r\n"));
        assert!(!is_whole(b"EHLO a\r\n", b"EHLO longe"));
    }
}
