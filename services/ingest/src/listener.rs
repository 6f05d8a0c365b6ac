//! One listening port: accepts up to a number of connections, hands each to a task, and ends them in order.

use std::{future::Future, io, pin::Pin, sync::Arc, time::Duration};

use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::JoinSet,
    time::{sleep, timeout_at},
};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use crate::{
    IngestMetrics,
    budget::Budget,
    config::ConnectionsConfig,
    connection::{Ends, Protocol, serve},
    read_ahead::ReadAhead,
};

/// What a failed accept (no file descriptor left, say) waits before the next.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A port that is bound and not served yet.
pub(crate) struct Listener {
    pub(crate) socket: TcpListener,
    pub(crate) tls: Option<TlsAcceptor>,
    pub(crate) connections: ConnectionsConfig,
    pub(crate) metrics: Arc<IngestMetrics>,
    /// Of bytes that were read and belong to no request yet, over all connections.
    pub(crate) read_ahead: Arc<Budget>,
}

/// When a port ends.
#[derive(Clone)]
pub(crate) struct Stop {
    /// No new connections; those that are open end when their requests are answered.
    pub(crate) gracefully: CancellationToken,
    /// Those that are still open are closed.
    pub(crate) at_once: CancellationToken,
}

impl Listener {
    /// Serves until it is stopped and the last connection has ended.
    pub(crate) async fn serve(self, protocol: Protocol, stop: Stop) {
        let places = Arc::new(Semaphore::new(self.connections.max_connections as usize));
        let mut open = JoinSet::new();
        loop {
            tokio::select! {
                biased;
                () = stop.gracefully.cancelled() => break,
                Some(ended) = open.join_next() => watch(&ended),
                // Waits for a place first, so that connections above the limit queue in the kernel.
                accepted = accept(&self.socket, &places) => match accepted {
                    Ok((place, stream)) => {
                        let task = self.connection(&protocol, stream, &stop);
                        open.spawn(async move {
                            task.await;
                            drop(place);
                        });
                    }
                    Err(error) => {
                        tracing::warn!(%error, "accepting a connection failed");
                        sleep(ACCEPT_PAUSE).await;
                    }
                },
            }
        }
        drop(self.socket);
        loop {
            tokio::select! {
                ended = open.join_next() => match ended {
                    Some(ended) => watch(&ended),
                    None => return,
                },
                () = stop.at_once.cancelled() => {
                    open.shutdown().await;
                    return;
                }
            }
        }
    }

    fn connection(
        &self,
        protocol: &Protocol,
        stream: TcpStream,
        stop: &Stop,
    ) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let counted = Counted::new(&self.metrics);
        let (protocol, settings, tls) = (protocol.clone(), self.connections.clone(), self.tls.clone());
        let read_ahead = ReadAhead::new(&self.read_ahead);
        let ends = Ends::new(&settings, stop.gracefully.clone());
        Box::pin(async move {
            let _counted = counted;
            // Answers are small and awaited.
            if let Err(error) = stream.set_nodelay(true) {
                tracing::debug!(%error, "a connection ended before it was served");
                return;
            }
            let Some(tls) = tls else { return serve(protocol, stream, &settings, read_ahead, ends).await };
            let deadline = tokio::time::Instant::now() + settings.header_timeout;
            match timeout_at(deadline, tls.accept(stream)).await {
                Ok(Ok(stream)) => serve(protocol, stream, &settings, read_ahead, ends).await,
                Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
                Err(_) => tracing::debug!("a TLS handshake took too long"),
            }
        })
    }
}

async fn accept(
    socket: &TcpListener,
    places: &Arc<Semaphore>,
) -> io::Result<(tokio::sync::OwnedSemaphorePermit, TcpStream)> {
    let place = Arc::clone(places).acquire_owned().await.map_err(io::Error::other)?;
    let (stream, _) = socket.accept().await?;
    Ok((place, stream))
}

/// A panic ends its connection and no other, and is told.
fn watch(ended: &Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        tracing::error!(%error, "serving a connection failed; this is a defect of Foreshock, please report it");
    }
}

/// A connection in the figures, until it is dropped.
struct Counted(Arc<IngestMetrics>);

impl Counted {
    fn new(metrics: &Arc<IngestMetrics>) -> Self {
        metrics.connection_opened();
        Self(Arc::clone(metrics))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.connection_closed();
    }
}
