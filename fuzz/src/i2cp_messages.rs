//! I2CP messages and the gzip around ours, there and back.

use arbitrary::{Result, Unstructured};
use ministream::carrier::i2cp::gzip::{Deflater, Inflater};
use ministream::carrier::i2cp::{Mapping, Message, MessageType};

/// What decodes is the same when it is encoded and decoded again; any message comes out of
/// gzip as it went in, and any bytes are inflated to the same or the same error twice.
pub fn run(data: &[u8]) {
    crate::given(data, check);
}

fn check(input: &mut Unstructured<'_>) -> Result<()> {
    match input.int_in_range(0..=2)? {
        0 => check_message(MessageType(input.arbitrary()?), input.bytes(input.len())?),
        1 => check_wrapper(input.bytes(input.len())?),
        _ => check_payload(input.bytes(input.len())?),
    }
    Ok(())
}

fn check_message(message_type: MessageType, body: &[u8]) {
    if let Ok(mapping) = Mapping::parse(body) {
        assert!(mapping.iter().count() <= body.len());
    }
    let Ok(message) = Message::decode(message_type, body) else {
        return;
    };
    let mut frame = Vec::new();
    message
        .encode(&mut frame)
        .expect("what came in a frame fits in one");
    let again = Message::decode(MessageType(frame[4]), &frame[5..]);
    assert_eq!(again.as_ref(), Ok(&message));
}

fn check_wrapper(message: &[u8]) {
    let message = &message[..message.len().min(ministream::wire::MAX_MESSAGE_BYTES)];
    let mut wrapped = Vec::new();
    Deflater::new().deflate(message, &mut wrapped);
    let mut inflater = Inflater::new();
    let inflated = inflater.inflate(&wrapped).expect("our own gzip");
    assert_eq!(inflated.message, message);
}

fn check_payload(payload: &[u8]) {
    let mut once = Inflater::new();
    let first = format!("{:?}", once.inflate(payload));
    // An inflater that has failed reads the next payload as a new one does.
    assert_eq!(first, format!("{:?}", once.inflate(payload)));
    assert_eq!(first, format!("{:?}", Inflater::new().inflate(payload)));
}
