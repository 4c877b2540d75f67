//! Where one message ends and the next begins.

use std::fmt;

use bytes::{BufMut as _, Bytes, BytesMut};

use crate::ber::{CONTROLS, INTEGER, SEQUENCE, Tree};
use crate::control::Control;
use crate::guard::{self, Checked, Malformed};

/// Depth for what clients send: a filter of 64 levels (protocols: D 65) in a search in a message, with what
/// the innermost filter holds.
pub const REQUEST_DEPTH: usize = 72;
/// Depth for what servers send: nothing of theirs is deep.
pub const RESPONSE_DEPTH: usize = 50;

/// Cuts a stream into messages.
#[derive(Debug, Clone, Copy)]
pub struct Framer {
    most: usize,
    depth: usize,
}

impl Framer {
    /// `most`: octets of one message. `depth`: as [`guard::check`] counts it.
    pub fn new(most: usize, depth: usize) -> Self {
        Self { most, depth }
    }

    /// Takes longer messages from now on, or shorter ones.
    pub fn allow(&mut self, most: usize) {
        self.most = most;
    }

    /// Takes the first message off the buffer. `Ok(None)`: more octets are needed; nothing is reserved for
    /// them, whatever length was announced. It throws nothing away on its own.
    ///
    /// # Errors
    /// The connection is over then: nobody knows where the next message begins.
    pub fn next(&self, buffer: &mut BytesMut) -> Result<Option<Frame>, Malformed> {
        if buffer.first().is_some_and(|tag| *tag != SEQUENCE) {
            return Err(Malformed::NotAMessage);
        }
        let Some(header) = guard::header(buffer)? else { return Ok(None) };
        let whole = header.head.checked_add(header.length).filter(|whole| *whole <= self.most);
        let whole = whole.ok_or(Malformed::TooLong)?;
        if buffer.len() < whole {
            return Ok(None);
        }
        let octets = buffer.split_to(whole).freeze();
        guard::check(&octets, self.depth)?;
        Ok(Some(Frame(octets)))
    }
}

/// One whole message, its lengths and depth looked at.
#[derive(Clone, PartialEq, Eq)]
pub struct Frame(Bytes);

impl Frame {
    pub fn octets(&self) -> &Bytes {
        &self.0
    }

    pub(crate) fn checked(&self) -> Checked<'_> {
        Checked::again(&self.0)
    }

    /// The content of the operation, without its tag and length.
    pub(crate) fn body(&self) -> Option<Bytes> {
        let octets = &self.0;
        let element =
            |at: usize| guard::header(octets.get(at..)?).ok()?.map(|header| (at + header.head, header.length));
        let (number, _) = element(0)?;
        let (content, length) = element(number)?;
        let (body, length) = element(content + length)?;
        (body + length <= octets.len()).then(|| octets.slice(body..body + length))
    }
}

/// Passwords travel in messages.
impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Frame({} octets)", self.0.len())
    }
}

/// Writes a message around the octets of an operation: the way out for answers that lie ready.
pub fn envelope(id: i32, op: &[u8], controls: &[Control], into: &mut BytesMut) {
    let mut behind = BytesMut::new();
    if !controls.is_empty() {
        Tree::of(CONTROLS, controls.iter().map(Control::tree).collect()).write(&mut behind);
    }
    let id = id.to_be_bytes();
    // Numbers of messages are never negative: the first octet has to show that.
    let leading = id.iter().take(3).enumerate().take_while(|(at, octet)| **octet == 0 && id[at + 1] < 0x80).count();
    let id = &id[leading..];
    let length = 2 + id.len() + op.len() + behind.len();
    into.reserve(length + 10);
    into.put_u8(SEQUENCE);
    put_length(length, into);
    into.put_u8(INTEGER);
    put_length(id.len(), into);
    into.put_slice(id);
    into.put_slice(op);
    into.put_slice(&behind);
}

/// Writes the length of an element in the shortest form.
pub fn put_length(length: usize, into: &mut BytesMut) {
    match u8::try_from(length) {
        Ok(short) if short < 0x80 => into.put_u8(short),
        _ => {
            let octets = length.to_be_bytes();
            let leading = octets.iter().take_while(|octet| **octet == 0).count();
            let octets = &octets[leading..];
            // Eight at most.
            into.put_u8(0x80 | octets.len() as u8);
            into.put_slice(octets);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Message, Op};

    fn buffer(octets: &[u8]) -> BytesMut {
        BytesMut::from(octets)
    }

    #[test]
    fn cuts_a_stream_at_any_octet() {
        let unbind = [0x30, 5, 2, 1, 7, 0x42, 0];
        let framer = Framer::new(100, REQUEST_DEPTH);
        let mut stream = BytesMut::new();
        for octet in unbind.iter().chain(&unbind).take(13) {
            stream.put_u8(*octet);
            if stream.len() < 7 {
                assert_eq!(framer.next(&mut stream), Ok(None));
            } else {
                let frame = framer.next(&mut stream).unwrap().unwrap();
                assert_eq!(Message::read(&frame).unwrap(), Message { id: 7, op: Op::Unbind, controls: Vec::new() });
            }
        }
        assert_eq!(stream.len(), 6, "what is not whole stays");
    }

    #[test]
    fn refuses_before_the_octets_are_there() {
        let mut framer = Framer::new(100, REQUEST_DEPTH);
        assert_eq!(framer.next(&mut buffer(&[0x30, 0x81, 98])), Err(Malformed::TooLong), "101 in all");
        assert_eq!(framer.next(&mut buffer(&[0x30, 0x81, 97])), Ok(None));
        assert_eq!(framer.next(&mut buffer(&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff])), Err(Malformed::TooLong));
        assert_eq!(
            framer.next(&mut buffer(&[0x30, 0x88, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff])),
            Err(Malformed::TooLong)
        );
        assert_eq!(framer.next(&mut buffer(b"GET / HTTP/1.1\r\n")), Err(Malformed::NotAMessage));
        assert_eq!(framer.next(&mut buffer(&[0x16, 3, 1])), Err(Malformed::NotAMessage), "TLS on the port for clear");
        assert_eq!(framer.next(&mut buffer(&[0x30, 0x80])), Err(Malformed::Indefinite));
        framer.allow(101);
        assert_eq!(framer.next(&mut buffer(&[0x30, 0x81, 98])), Ok(None));
    }

    #[test]
    fn an_inner_length_beyond_the_message_is_no_reason_to_wait() {
        let framer = Framer::new(100, REQUEST_DEPTH);
        assert_eq!(framer.next(&mut buffer(&[0x30, 5, 2, 1, 7, 0x42, 9])), Err(Malformed::Overrun));
    }

    #[test]
    fn writes_numbers_in_the_shortest_form() {
        for (id, octets) in [
            (0, &[2, 1, 0][..]),
            (127, &[2, 1, 127]),
            (128, &[2, 2, 0, 128]),
            (255, &[2, 2, 0, 255]),
            (256, &[2, 2, 1, 0]),
            (0x0080_0000, &[2, 4, 0, 0x80, 0, 0]),
            (i32::MAX, &[2, 4, 0x7f, 0xff, 0xff, 0xff]),
        ] {
            let mut into = BytesMut::new();
            envelope(id, &[0x42, 0], &[], &mut into);
            assert_eq!(into[2..into.len() - 2], *octets);
            assert_eq!(usize::from(into[1]), into.len() - 2);
        }
    }

    #[test]
    fn writes_lengths_in_the_shortest_form() {
        for (length, octets) in [
            (0, &[0][..]),
            (127, &[127]),
            (128, &[0x81, 128]),
            (255, &[0x81, 255]),
            (256, &[0x82, 1, 0]),
            (0x0001_0000, &[0x83, 1, 0, 0]),
        ] {
            let mut into = BytesMut::new();
            put_length(length, &mut into);
            assert_eq!(into[..], *octets);
        }
    }
}
