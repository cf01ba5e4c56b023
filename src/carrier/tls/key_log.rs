//! The secrets of TLS 1.3 connections, as `SSLKEYLOGFILE` keeps them (RFC 9850).

use hashbrown::HashMap;

/// One of the two ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsRole {
    /// The one that began.
    Client,
    /// The other.
    Server,
}

impl TlsRole {
    pub(super) const fn index(self) -> usize {
        match self {
            Self::Client => 0,
            Self::Server => 1,
        }
    }
}

/// The client's random, by which a connection's secrets are found.
pub type ClientRandom = [u8; 32];

/// Most bytes of a secret: those of SHA-384.
const MAX_SECRET_BYTES: usize = 48;

/// The secrets of a connection's records, without early data.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ConnectionSecrets {
    /// Secrets of the handshake, by [`TlsRole::index`].
    pub(super) handshake: [Option<Vec<u8>>; 2],
    /// Secrets of the traffic behind it, before the first update.
    pub(super) traffic: [Option<Vec<u8>>; 2],
}

/// The secrets of many connections.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyLog {
    connections: HashMap<ClientRandom, ConnectionSecrets>,
}

/// Why a text is no key log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct KeyLogError {
    /// Counts from 1.
    pub line: usize,
    /// The error in it.
    pub problem: KeyLogProblem,
}

/// An error in a line of a key log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyLogProblem {
    /// It has not three words.
    #[error("a line is a label, a client random and a secret")]
    Form,
    /// The second word is no random.
    #[error("a client random is 64 hexadecimal digits")]
    Random,
    /// The third word is no secret.
    #[error("a secret is up to 96 hexadecimal digits")]
    Secret,
}

impl KeyLog {
    /// Reads a key log. Comments and labels that are of no use here are passed over.
    ///
    /// # Errors
    /// A line is of another form; the error has its number.
    pub fn parse(text: &str) -> Result<Self, KeyLogError> {
        let mut log = Self::default();
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.trim();
            if !(line.is_empty() || line.starts_with('#')) {
                log.take(line).map_err(|problem| KeyLogError {
                    line: number,
                    problem,
                })?;
            }
        }
        Ok(log)
    }

    fn take(&mut self, line: &str) -> Result<(), KeyLogProblem> {
        let mut words = line.split_ascii_whitespace();
        let (Some(label), Some(random), Some(secret), None) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            return Err(KeyLogProblem::Form);
        };
        let mut client_random = [0; 32];
        hex::decode_to_slice(random, &mut client_random).map_err(|_| KeyLogProblem::Random)?;
        let secret = hex::decode(secret)
            .ok()
            .filter(|secret| secret.len() <= MAX_SECRET_BYTES)
            .ok_or(KeyLogProblem::Secret)?;
        let (is_traffic, end) = match label {
            "CLIENT_HANDSHAKE_TRAFFIC_SECRET" => (false, TlsRole::Client),
            "SERVER_HANDSHAKE_TRAFFIC_SECRET" => (false, TlsRole::Server),
            "CLIENT_TRAFFIC_SECRET_0" => (true, TlsRole::Client),
            "SERVER_TRAFFIC_SECRET_0" => (true, TlsRole::Server),
            _ => return Ok(()),
        };
        let connection = self.connections.entry(client_random).or_default();
        let secrets = if is_traffic {
            &mut connection.traffic
        } else {
            &mut connection.handshake
        };
        secrets[end.index()] = Some(secret);
        Ok(())
    }

    /// Connections of which there are secrets.
    pub fn connection_count(&self) -> usize {
        self.connections.len()
    }

    pub(super) fn secrets(&self, random: &ClientRandom) -> Option<&ConnectionSecrets> {
        self.connections.get(random)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_found_by_the_random_of_their_connection() {
        let random = "ab".repeat(32);
        let text = format!(
            "# a comment\n\nCLIENT_TRAFFIC_SECRET_0 {random} 0102\r\nEXPORTER_SECRET {random} 03\n\
             SERVER_HANDSHAKE_TRAFFIC_SECRET {random} 04"
        );
        let log = KeyLog::parse(&text).unwrap();
        assert_eq!(log.connection_count(), 1);
        let secrets = log.secrets(&[0xab; 32]).unwrap();
        assert_eq!(secrets.traffic, [Some(vec![1, 2]), None]);
        assert_eq!(secrets.handshake, [None, Some(vec![4])]);
        assert_eq!(log.secrets(&[0; 32]), None);
    }

    #[test]
    fn what_is_no_key_log_is_told_with_its_line() {
        let random = "ab".repeat(32);
        for (line, problem) in [
            ("CLIENT_TRAFFIC_SECRET_0", KeyLogProblem::Form),
            ("A B", KeyLogProblem::Form),
            ("A B C D", KeyLogProblem::Form),
            ("A 00 00", KeyLogProblem::Random),
            (&format!("A {random} 0"), KeyLogProblem::Secret),
            (
                &format!("A {random} {}", "00".repeat(49)),
                KeyLogProblem::Secret,
            ),
        ] {
            let error = KeyLog::parse(&format!("#\n{line}\n")).unwrap_err();
            assert_eq!(error, KeyLogError { line: 2, problem }, "{line}");
        }
    }
}
