//! Reads the frames of an interpreter's socket.

use std::io;

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use tokio::io::AsyncReadExt as _;
use tokio::net::unix::pipe;
use tokio::runtime::Handle as Runtime;

use crate::common::agent::frame::{Frame, HAS_PARTS, MAX_FRAME, MAX_PARTS};
use crate::common::buffer_pool::BufferPool;
use crate::common::transport::LaneSocket;

/// The least room that is reserved for a read.
const MIN_ROOM: usize = 8 * 1024;

/// The object and the parts of a frame that is longer are read to where they stay.
const LARGE_FRAME: usize = 128 * 1024;

/// How many bytes of an object or a part get room before the first of them has arrived.
/// From there on its buffer grows with what has arrived, whatever length was announced.
const FIRST_BUFFER: usize = 1024 * 1024;

/// Reads the frames of a socket.
#[derive(Debug)]
pub(crate) struct FrameReader {
    /// Registered for reading alone; see [`LaneReader`](crate::common::lane::LaneReader).
    socket: pipe::Receiver,
    /// The bytes that follow the last frame.
    buffer: BytesMut,
    large: Option<LargeFrame>,
    pool: BufferPool,
}

/// A frame that is being read to where its bytes stay.
#[derive(Debug)]
struct LargeFrame {
    /// The lengths of the object and the parts.
    lengths: Vec<usize>,
    /// Those that are complete.
    complete: Vec<Bytes>,
    /// The next one, as far as it has arrived.
    buffer: Vec<u8>,
}

// === impl FrameReader ===

impl FrameReader {
    /// Must be called within the runtime that is to read. `keeper` is a runtime that is
    /// always driven.
    pub(crate) fn new(socket: &LaneSocket, keeper: Runtime) -> io::Result<Self> {
        let socket = socket.duplicate()?;
        rustix::io::ioctl_fionbio(&socket, true)?;
        let socket = pipe::Receiver::from_owned_fd_unchecked(socket)?;
        let pool = BufferPool::new(keeper);
        Ok(FrameReader { socket, buffer: BytesMut::new(), large: None, pool })
    }

    /// The next frame.
    ///
    /// # Errors
    ///
    /// [`InvalidData`](io::ErrorKind::InvalidData) for a frame that is too large,
    /// [`UnexpectedEof`](io::ErrorKind::UnexpectedEof) at the end.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing.
    pub(crate) async fn frame(&mut self) -> io::Result<Frame> {
        loop {
            if self.large.is_none() {
                if let Some(frame) = self.small_frame()? {
                    return Ok(frame);
                }
                self.large = self.begin_large()?;
            }
            let count = match &mut self.large {
                Some(large) => {
                    if large.is_complete(&self.pool) {
                        let large = self.large.take().map(LargeFrame::into_frame);
                        return Ok(large.expect("it is there"));
                    }
                    let rest = large.make_room(&self.pool);
                    self.socket.read_buf(&mut (&mut large.buffer).limit(rest)).await?
                }
                // The buffer grows with the bytes that arrive, never by an announced
                // length.
                None => {
                    self.buffer.reserve(MIN_ROOM);
                    self.socket.read_buf(&mut self.buffer).await?
                }
            };
            if count == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    /// The next frame, if it is small and has arrived.
    fn small_frame(&mut self) -> io::Result<Option<Frame>> {
        let Some(head) = self.buffer.first_chunk::<4>() else { return Ok(None) };
        let len = u32::from_le_bytes(*head) as usize;
        if len > LARGE_FRAME || self.buffer.len() - 4 < len {
            return Ok(None);
        }
        self.buffer.advance(4);
        Ok(Some(self.buffer.split_to(len).freeze().into()))
    }

    /// Begins to read a large frame, if its lengths have arrived.
    fn begin_large(&mut self) -> io::Result<Option<LargeFrame>> {
        let too_large = || io::Error::new(io::ErrorKind::InvalidData, "a frame is too large");
        let number = |place: usize| {
            let bytes = self.buffer.get(place..)?.first_chunk::<4>()?;
            Some(u32::from_le_bytes(*bytes))
        };
        let Some(head) = number(0).filter(|len| *len as usize > LARGE_FRAME) else {
            return Ok(None);
        };
        let mut lengths = vec![(head & !HAS_PARTS) as usize];
        let mut all = lengths[0];
        let mut end = 4;
        // What is impossible is refused before the rest of the lengths has arrived.
        if all > MAX_FRAME {
            return Err(too_large());
        }
        if head & HAS_PARTS != 0 {
            let Some(count) = number(end) else { return Ok(None) };
            if count as usize > MAX_PARTS {
                return Err(too_large());
            }
            end += 4;
            for _ in 0..count {
                let Some(length) = number(end) else { return Ok(None) };
                lengths.push(length as usize);
                all += length as usize;
                if all > MAX_FRAME {
                    return Err(too_large());
                }
                end += 4;
            }
        }
        self.buffer.advance(end);
        Ok(Some(LargeFrame::new(lengths, &mut self.buffer, &self.pool)))
    }
}

// === impl LargeFrame ===

impl LargeFrame {
    /// Takes what has arrived of the frame.
    fn new(lengths: Vec<usize>, arrived: &mut BytesMut, pool: &BufferPool) -> Self {
        let mut frame = LargeFrame { lengths, complete: Vec::new(), buffer: Vec::new() };
        while !frame.is_complete(pool) && !arrived.is_empty() {
            let count = frame.make_room(pool).min(arrived.len());
            frame.buffer.extend_from_slice(&arrived.split_to(count));
        }
        frame
    }

    /// Takes the buffers that are full away, and returns whether all are.
    fn is_complete(&mut self, pool: &BufferPool) -> bool {
        while let Some(length) = self.lengths.get(self.complete.len()) {
            if self.buffer.len() < *length {
                return false;
            }
            self.complete.push(pool.message(std::mem::take(&mut self.buffer), *length));
        }
        true
    }

    /// Makes room in the buffer of a frame that is not complete, and returns how many
    /// bytes it lacks.
    fn make_room(&mut self, pool: &BufferPool) -> usize {
        let length = self.lengths[self.complete.len()];
        let received = self.buffer.len();
        if self.buffer.capacity() == 0
            && let Some(buffer) = pool.take(length)
        {
            self.buffer = buffer;
            self.buffer.clear();
        }
        if self.buffer.capacity() == received {
            // Twice as much each time. To move a buffer of this size costs the kernel a
            // few page table entries, and no copy.
            self.buffer.reserve_exact(length.min(FIRST_BUFFER.max(2 * received)) - received);
        }
        length - received
    }

    fn into_frame(self) -> Frame {
        let mut complete = self.complete.into_iter();
        let object = complete.next().expect("a frame has an object");
        Frame { object, parts: complete.collect() }
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::OwnedFd;

    use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

    use super::*;
    use crate::common::agent::{AgentFrame, AgentRequest, FrameWriter, no_handles};
    use crate::common::value::Value;

    fn sockets() -> [OwnedFd; 2] {
        let (family, flags) = (AddressFamily::UNIX, SocketFlags::CLOEXEC);
        let pair = socketpair(family, SocketType::STREAM, flags, None);
        pair.expect("there are descriptors").into()
    }

    fn reader(socket: OwnedFd) -> FrameReader {
        FrameReader::new(&LaneSocket::new(socket), Runtime::current()).expect("it is a socket")
    }

    #[tokio::test]
    async fn frames_of_all_sizes_arrive_whole_and_in_order() {
        let [ours, theirs] = sockets();
        let writer = FrameWriter::new(LaneSocket::new(ours), Runtime::current());
        let mut reader = reader(theirs);
        let sizes = [0, 1, 65_535, 65_536, 131_060, 131_072, 3_000_000, 5, 200_000, 2];
        let fields = |size: usize| {
            let bytes = Value::Bytes(vec![size as u8; size].into());
            [bytes.clone(), "t".repeat(size).into(), Value::List(vec![bytes.clone(), bytes].into())]
        };
        for (number, size) in sizes.into_iter().enumerate() {
            for (place, field) in fields(size).into_iter().enumerate() {
                let request = AgentRequest::new("make").with("field", field);
                let frame = request.frame(&mut no_handles).expect("it can be sent");
                let id = (number * 3 + place) as u64;
                writer.send(frame, || Ok((id, ()))).expect("it is numbered");
            }
        }
        for (number, size) in sizes.into_iter().enumerate() {
            for (place, field) in fields(size).into_iter().enumerate() {
                let frame = reader.frame().await.expect("it arrives");
                assert_eq!(frame.id(), Some((number * 3 + place) as u64));
                let read = AgentFrame::decode(&frame).expect("it is a frame");
                let entries = read.payload.into_entries().expect("it is a dict");
                let (_, item) = entries.into_iter().next().expect("it has a field");
                let read = item.into_value(&mut |_| unreachable!("there are no handles"));
                assert!(read.expect("it is a value") == field, "{size} {place}");
            }
        }
        drop(writer);
        let end = reader.frame().await.expect_err("nothing follows");
        assert_eq!(end.kind(), io::ErrorKind::UnexpectedEof);
    }

    #[tokio::test]
    async fn impossible_lengths_are_refused_at_once() {
        for head in [
            &[(MAX_FRAME as u32) + 1][..],
            &[HAS_PARTS, MAX_PARTS as u32 + 1],
            &[HAS_PARTS | 1, 2, MAX_FRAME as u32],
            &[u32::MAX],
        ] {
            let [ours, theirs] = sockets();
            let head: Vec<u8> = head.iter().flat_map(|word| word.to_le_bytes()).collect();
            rustix::io::write(&ours, &head).expect("there is room");
            let error = reader(theirs).frame().await.expect_err("it is too large");
            assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        }
    }

    #[tokio::test]
    async fn memory_is_taken_for_what_has_arrived() {
        let [ours, theirs] = sockets();
        rustix::io::write(&ours, &(MAX_FRAME as u32).to_le_bytes()).expect("there is room");
        let mut reader = reader(theirs);
        for _ in 0..2 {
            rustix::io::write(&ours, &[0; 1000]).expect("there is room");
            tokio::select! {
                biased;
                _ = reader.frame() => panic!("it has not arrived"),
                () = tokio::time::sleep(std::time::Duration::from_millis(1)) => {}
            }
        }
        let large = reader.large.as_ref().expect("it has begun");
        assert!(large.buffer.capacity() <= FIRST_BUFFER);
    }
}
