//! Reads on a thread of its own, a few blocks ahead of the one who parses.
//!
//! Blocks go round: the thread fills them, the parser empties them and hands
//! them back, so memory stays the same however large the input.

use std::io::{self, Read};
use std::ops::Range;
use std::sync::mpsc::{self, Receiver, Sender, TryRecvError};
use std::thread;

/// Blocks that the thread brings into circulation, besides the one that the
/// parser begins with: so one is parsed, up to three wait to be handed back,
/// and four are filled or on the way.
const BLOCKS: usize = 7;

/// Parsed blocks that are handed back together: each time the thread has to be
/// woken, which costs as much as parsing some packets.
const HANDED_BACK: usize = 4;

/// The sizes of a [`Block`].
#[derive(Clone, Copy, Debug)]
pub(super) struct BlockSize {
    /// Bytes read at once.
    pub(super) read: usize,
    /// Room before them for the unparsed end of the block before.
    pub(super) headroom: usize,
}

impl BlockSize {
    /// All blocks together fit the second-level cache of a core (512 KiB and
    /// up): with larger ones, reading a file of the page cache takes four times
    /// as long. A record hardly ever straddles blocks by more than 16 KiB.
    pub(super) const DEFAULT: Self = Self {
        read: 64 << 10,
        headroom: 16 << 10,
    };

    const fn total(self) -> usize {
        self.headroom + self.read
    }
}

/// Bytes of the input, with room in front.
#[derive(Debug, Default)]
pub(super) struct Block {
    pub(super) bytes: Vec<u8>,
    /// Which of `bytes` come from the input.
    pub(super) filled: Range<usize>,
}

impl Block {
    fn new(size: BlockSize) -> Self {
        Self {
            bytes: vec![0; size.total()],
            filled: 0..0,
        }
    }
}

/// The parser's end of the circulation.
pub(super) struct ReadAhead {
    filled: Receiver<Message>,
    empty: Sender<Block>,
    /// Parsed blocks that wait to be handed back.
    parsed: Vec<Block>,
    size: BlockSize,
    end: Option<io::Result<()>>,
}

enum Message {
    Filled(Block),
    End(io::Result<()>),
}

impl ReadAhead {
    /// Begins to read.
    ///
    /// Dropping the `ReadAhead` ends the thread at its next block; a read that
    /// blocks (a terminal, an idle pipe) is not interrupted, nor waited for.
    pub(super) fn spawn(reader: Box<dyn Read + Send>, size: BlockSize) -> io::Result<Self> {
        let (filled_sender, filled) = mpsc::channel();
        let (empty, empty_receiver) = mpsc::channel();
        let worker = Worker {
            reader,
            size,
            created: 0,
            empty: empty_receiver,
            filled: filled_sender,
        };
        thread::Builder::new()
            .name("capture-reader".into())
            .spawn(move || worker.run())?;
        Ok(Self {
            filled,
            empty,
            parsed: Vec::with_capacity(HANDED_BACK),
            size,
            end: None,
        })
    }

    /// The next block, which is not empty; `None` at the end.
    pub(super) fn next(&mut self) -> Option<Block> {
        if self.end.is_some() {
            return None;
        }
        match self.filled.recv() {
            Ok(Message::Filled(block)) => Some(block),
            Ok(Message::End(end)) => {
                self.end = Some(end);
                None
            }
            Err(mpsc::RecvError) => {
                self.end = Some(Err(io::Error::other("the reading thread panicked")));
                None
            }
        }
    }

    /// Takes a parsed block back.
    pub(super) fn recycle(&mut self, mut block: Block) {
        // A block that was joined with others for a long record has another
        // size, and may have outgrown the circulation by far; the parser's
        // first has none.
        let total = self.size.total();
        if block.bytes.len() < total || block.bytes.capacity() > 4 * total {
            block = Block::new(self.size);
        } else {
            block.bytes.truncate(total);
        }
        self.parsed.push(block);
        if self.parsed.len() < HANDED_BACK {
            return;
        }
        for block in self.parsed.drain(..) {
            if let Err(mpsc::SendError(unwanted)) = self.empty.send(block) {
                // The thread has read everything and is gone.
                drop(unwanted);
            }
        }
    }

    /// Takes the error that ended the input, if it was one.
    pub(super) fn take_failure(&mut self) -> Option<io::Error> {
        match self.end.replace(Ok(())) {
            Some(Err(error)) => Some(error),
            Some(Ok(())) | None => None,
        }
    }
}

/// The reading thread.
struct Worker {
    reader: Box<dyn Read + Send>,
    size: BlockSize,
    created: usize,
    empty: Receiver<Block>,
    filled: Sender<Message>,
}

impl Worker {
    /// Reads until the input ends or nobody listens any more.
    fn run(mut self) {
        while let Some(mut block) = self.empty_block() {
            let message = match self.fill(&mut block) {
                Ok(0) => Message::End(Ok(())),
                Ok(_) => Message::Filled(block),
                Err(error) => Message::End(Err(error)),
            };
            let is_last = matches!(message, Message::End(_));
            if self.filled.send(message).is_err() || is_last {
                return;
            }
        }
    }

    /// A block to fill; `None` when the parser is gone.
    fn empty_block(&mut self) -> Option<Block> {
        match self.empty.try_recv() {
            Ok(block) => Some(block),
            Err(TryRecvError::Empty) if self.created < BLOCKS => {
                self.created += 1;
                Some(Block::new(self.size))
            }
            Err(TryRecvError::Empty) => self.empty.recv().ok(),
            Err(TryRecvError::Disconnected) => None,
        }
    }

    /// One read: a pipe's bytes are handed on as they come, not hoarded until
    /// the block is full.
    fn fill(&mut self, block: &mut Block) -> io::Result<usize> {
        let headroom = self.size.headroom;
        loop {
            match self.reader.read(&mut block.bytes[headroom..]) {
                Ok(count) => {
                    block.filled = headroom..headroom + count;
                    return Ok(count);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}
