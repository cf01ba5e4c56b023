//! Reads blocks: on a thread of its own, a few blocks ahead of the parser, or in place, for a
//! parser that is itself ahead of others.
//!
//! Blocks go round: the thread fills them, the parser empties them and hands
//! them back, so memory stays the same however large the input.

use std::io::{self, Read};
use std::ops::Range;
use std::thread;

use crate::buffer_pool::{Consumer, Producer, buffer_pool};

/// Blocks that the thread brings into the pool, besides the one that the
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
    /// The part of `bytes` that comes from the input.
    pub(super) filled: Range<usize>,
}

impl Block {
    fn new(size: BlockSize) -> Self {
        Self {
            bytes: vec![0; size.total()],
            filled: 0..0,
        }
    }

    /// Fills it by one read: a pipe's bytes are handed on as they come, not
    /// hoarded until the block is full.
    fn fill(mut self, reader: &mut impl Read, size: BlockSize) -> Message {
        loop {
            match reader.read(&mut self.bytes[size.headroom..]) {
                Ok(0) => return Message::End(Ok(())),
                Ok(count) => {
                    self.filled = size.headroom..size.headroom + count;
                    return Message::Filled(self);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Message::End(Err(error)),
            }
        }
    }
}

/// The thread that reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadingThread {
    /// One of its own, which reads ahead.
    Own,
    /// That of the parser, when it needs more. Compressed inputs are read on a
    /// thread of their own all the same.
    Parsers,
}

/// The blocks of an input, one after the other.
pub(super) struct Blocks {
    source: BlockSource,
    size: BlockSize,
    end: Option<io::Result<()>>,
}

enum BlockSource {
    /// The parser's end of the pool.
    Ahead(Consumer<Message, Block>),
    InPlace(Box<InPlace>),
}

struct InPlace {
    reader: Box<dyn Read + Send>,
    /// The block that was parsed last.
    spare: Option<Block>,
}

enum Message {
    Filled(Block),
    End(io::Result<()>),
}

impl Blocks {
    /// Reads when a block is asked for.
    pub(super) fn in_place(reader: Box<dyn Read + Send>, size: BlockSize) -> Self {
        Self {
            source: BlockSource::InPlace(Box::new(InPlace {
                reader,
                spare: None,
            })),
            size,
            end: None,
        }
    }

    /// Begins to read ahead.
    ///
    /// Dropping the `Blocks` ends the thread at its next block; a read that
    /// blocks (a terminal, an idle pipe) is not interrupted, nor waited for.
    pub(super) fn ahead(reader: Box<dyn Read + Send>, size: BlockSize) -> io::Result<Self> {
        let (producer, blocks) = buffer_pool(BLOCKS, HANDED_BACK);
        let worker = Worker {
            reader,
            size,
            blocks: producer,
        };
        thread::Builder::new()
            .name("capture-reader".into())
            .spawn(move || worker.run())?;
        Ok(Self {
            source: BlockSource::Ahead(blocks),
            size,
            end: None,
        })
    }

    /// The next block, which is not empty; `None` at the end.
    pub(super) fn next(&mut self) -> Option<Block> {
        if self.end.is_some() {
            return None;
        }
        let message = match &mut self.source {
            BlockSource::Ahead(blocks) => blocks.next(),
            BlockSource::InPlace(place) => {
                let spare = place.spare.take();
                let block = spare.unwrap_or_else(|| Block::new(self.size));
                Some(block.fill(&mut place.reader, self.size))
            }
        };
        match message {
            Some(Message::Filled(block)) => Some(block),
            Some(Message::End(end)) => {
                self.end = Some(end);
                None
            }
            None => {
                self.end = Some(Err(io::Error::other("the reading thread panicked")));
                None
            }
        }
    }

    /// Takes a parsed block back.
    pub(super) fn recycle(&mut self, mut block: Block) {
        // A block that was joined with others for a long record has another
        // size, and may have outgrown those of the pool by far; the parser's
        // first has none.
        let total = self.size.total();
        if block.bytes.len() < total || block.bytes.capacity() > 4 * total {
            block = Block::new(self.size);
        } else {
            block.bytes.truncate(total);
        }
        match &mut self.source {
            BlockSource::Ahead(blocks) => blocks.recycle(block),
            BlockSource::InPlace(place) => place.spare = Some(block),
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
    blocks: Producer<Message, Block>,
}

impl Worker {
    /// Reads until the input ends or nobody listens any more.
    fn run(mut self) {
        let size = self.size;
        while let Some(block) = self.blocks.empty(|| Block::new(size)) {
            let message = block.fill(&mut self.reader, size);
            let is_last = matches!(message, Message::End(_));
            if self.blocks.hand_on(message).is_err() || is_last {
                return;
            }
        }
    }
}
