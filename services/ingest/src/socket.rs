//! A connection's bytes, guarded against clients that stall.
//!
//! Ended here, below HTTP: saying nothing after connecting, leaving answers unread, filling memory with frames
//! that never end. And the other way round, a client that still sends gets to read an early answer.

use std::{
    future::Future,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep, sleep_until},
};

use crate::read_ahead::ReadAhead;

/// The HTTP/2 preface; a request of HTTP/1.1 is longer.
const OPENING_BYTES: usize = 24;

/// How long, and how many bytes, a closed connection is read on, so that its client gets to the answer.
const LINGER: Duration = Duration::from_secs(2);
const LINGER_BYTES: usize = 8 << 20;

/// A byte stream with deadlines.
pub(crate) struct Guarded<S> {
    inner: S,
    read_ahead: Arc<ReadAhead>,
    /// Runs until the first bytes are there.
    opening: Option<Pin<Box<Sleep>>>,
    opening_bytes: usize,
    write_timeout: Duration,
    /// Runs while the client takes nothing.
    stalled: Option<Pin<Box<Sleep>>>,
    closing: Closing,
}

enum Closing {
    Not,
    /// Our side is shut, the client's is read and thrown away.
    Lingering {
        until: Pin<Box<Sleep>>,
        read_bytes: usize,
    },
    Done,
}

impl<S> Guarded<S> {
    pub(crate) fn new(
        inner: S,
        read_ahead: Arc<ReadAhead>,
        header_timeout: Duration,
        write_timeout: Duration,
    ) -> Self {
        Self {
            inner,
            read_ahead,
            opening: Some(Box::pin(sleep_until(Instant::now() + header_timeout))),
            opening_bytes: 0,
            write_timeout,
            stalled: None,
            closing: Closing::Not,
        }
    }

    /// Starts or stops the clock on an unread answer.
    fn watch_write<T>(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let write_timeout = self.write_timeout;
        let stalled =
            self.stalled.get_or_insert_with(|| Box::pin(sleep_until(Instant::now() + write_timeout)));
        ready!(stalled.as_mut().poll(context));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client does not read its answers")))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Guarded<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.inner).poll_read(context, buffer);
        let came = buffer.filled().len() - before;
        if self.read_ahead.read(came).is_err() {
            let error =
                "too much was read ahead on all connections; see ingest.connections.read_ahead_limit_bytes";
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::OutOfMemory, error)));
        }
        if self.opening.is_some() {
            self.opening_bytes += came;
            if self.opening_bytes >= OPENING_BYTES {
                self.opening = None;
            } else if let Some(opening) = &mut self.opening
                && read.is_pending()
            {
                ready!(opening.as_mut().poll(context));
                return Poll::Ready(Err(io::Error::new(
                    io::ErrorKind::TimedOut,
                    "the client sends no request",
                )));
            }
        }
        read
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Guarded<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write(context, bytes);
        self.watch_write(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write_vectored(context, slices);
        self.watch_write(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.inner).poll_flush(context);
        self.watch_write(context, flushed)
    }

    /// Shuts our side, then reads on for a while: a socket closed with unread bytes is reset, and the reset
    /// overtakes the answer.
    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        loop {
            match &mut this.closing {
                Closing::Not => {
                    let shut = Pin::new(&mut this.inner).poll_shutdown(context);
                    ready!(this.watch_write(context, shut))?;
                    let until = Box::pin(sleep_until(Instant::now() + LINGER));
                    this.closing = Closing::Lingering { until, read_bytes: 0 };
                }
                Closing::Lingering { until, read_bytes } => {
                    let mut scrap = [0; 16 << 10];
                    let mut buffer = ReadBuf::new(&mut scrap);
                    let ended = match Pin::new(&mut this.inner).poll_read(context, &mut buffer) {
                        Poll::Ready(Ok(())) => {
                            *read_bytes += buffer.filled().len();
                            buffer.filled().is_empty() || *read_bytes > LINGER_BYTES
                        }
                        Poll::Ready(Err(_)) => true,
                        Poll::Pending => {
                            ready!(until.as_mut().poll(context));
                            true
                        }
                    };
                    if ended {
                        this.closing = Closing::Done;
                    }
                }
                Closing::Done => return Poll::Ready(Ok(())),
            }
        }
    }
}
