//! A connection whose other side must go on reading: a write that gets nowhere for too long ends it.

use std::{
    future::Future,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep, sleep},
};

/// How long a write may get nowhere.
const PATIENCE: Duration = Duration::from_secs(20);

/// Wraps a connection.
#[derive(Debug)]
pub(crate) struct Stall<C> {
    connection: C,
    waiting: bool,
    until: Pin<Box<Sleep>>,
}

impl<C: AsyncWrite + Unpin> Stall<C> {
    pub(crate) fn new(connection: C) -> Self {
        Self { connection, waiting: false, until: Box::pin(sleep(PATIENCE)) }
    }

    fn patient<T>(
        &mut self,
        context: &mut Context<'_>,
        write: impl FnOnce(Pin<&mut C>, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        let written = write(Pin::new(&mut self.connection), context);
        if written.is_ready() {
            self.waiting = false;
            return written;
        }
        if !self.waiting {
            self.waiting = true;
            self.until.as_mut().reset(Instant::now() + PATIENCE);
        }
        ready!(self.until.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<C: AsyncRead + Unpin> AsyncRead for Stall<C> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.connection).poll_read(context, into)
    }
}

impl<C: AsyncWrite + Unpin> AsyncWrite for Stall<C> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.patient(context, |connection, context| connection.poll_write(context, bytes))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.patient(context, |connection, context| connection.poll_flush(context))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.patient(context, |connection, context| connection.poll_shutdown(context))
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_reader_that_stops_ends_the_connection_and_one_that_goes_on_does_not() {
        let (ours, mut theirs) = duplex(16);
        let mut stall = Stall::new(ours);
        stall.write_all(&[0; 16]).await.unwrap();
        let reading = tokio::spawn(async move {
            sleep(PATIENCE - Duration::from_secs(1)).await;
            theirs.read_exact(&mut [0; 16]).await.unwrap();
            theirs
        });
        stall.write_all(&[0; 16]).await.unwrap();
        let _theirs = reading.await.unwrap();
        let stopped = stall.write_all(&[0; 16]).await.unwrap_err();
        assert_eq!(stopped.kind(), io::ErrorKind::TimedOut);
    }
}
