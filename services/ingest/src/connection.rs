//! One connection: HTTP over guarded bytes, until its client goes, it is too old, or the server ends.

use std::{
    future::Future,
    hash::{BuildHasher, RandomState},
    pin::pin,
    sync::Arc,
    time::Duration,
};

use hyper::service::service_fn;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;

use crate::{
    config::ConnectionsConfig, grpc::GrpcService, http::HttpService, read_ahead::ReadAhead, socket::Guarded,
};

/// Flow-control windows of HTTP/2: large ones let a whole request come without a round trip.
const WINDOW_BYTES: u32 = 8 << 20;
/// Largest HTTP/2 frame: a usual request fits into one, and is then kept without a copy.
const FRAME_BYTES: u32 = 1 << 20;
/// Most bytes of a request's headers.
const HEADER_BYTES: u32 = 16 << 10;
/// Most bytes of HTTP/1.1 that are read ahead on one connection.
const READ_AHEAD_BYTES: usize = 256 << 10;
/// Most bytes of answers that wait on one HTTP/2 stream.
const SEND_BYTES: usize = 64 << 10;

/// What a port speaks.
#[derive(Clone)]
pub(crate) enum Protocol {
    /// HTTP/2 alone.
    Grpc(GrpcService),
    /// HTTP/1.1 and HTTP/2.
    Http(HttpService),
}

/// When a connection is asked to end, and how long it may go on then.
pub(crate) struct Ends {
    stop: CancellationToken,
    too_old: Option<Instant>,
    grace: Duration,
}

impl Ends {
    pub(crate) fn new(settings: &ConnectionsConfig, stop: CancellationToken) -> Self {
        let age = settings.max_age;
        // Connections made together must not end together. Any randomness does; a hasher's seed is at hand.
        let spread = RandomState::new().hash_one(0) % 2_001;
        let age = age.mul_f64(0.9 + spread as f64 / 10_000.0);
        let too_old = (!age.is_zero()).then(|| Instant::now() + age);
        Self { stop, too_old, grace: settings.max_age_grace }
    }

    /// Returns when the connection is to be asked to end.
    async fn asked(&self) {
        match self.too_old {
            None => self.stop.cancelled().await,
            Some(at) => tokio::select! {
                () = self.stop.cancelled() => {}
                () = sleep_until(at) => {}
            },
        }
    }
}

/// Serves one connection to its end.
pub(crate) async fn serve<S>(
    protocol: Protocol,
    stream: S,
    settings: &ConnectionsConfig,
    read_ahead: Arc<ReadAhead>,
    ends: Ends,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let stream = TokioIo::new(Guarded::new(
        stream,
        Arc::clone(&read_ahead),
        settings.header_timeout,
        settings.write_timeout,
    ));
    let builder = builder(settings);
    match protocol {
        Protocol::Grpc(service) => {
            let builder = builder.http2_only();
            let service = service_fn(move |request| service.clone().answer(request, Arc::clone(&read_ahead)));
            let connection = pin!(builder.serve_connection(stream, service));
            until_ended(connection, |connection| connection.graceful_shutdown(), ends).await;
        }
        Protocol::Http(service) => {
            let service = service_fn(move |request| service.clone().answer(request, Arc::clone(&read_ahead)));
            let connection = pin!(builder.serve_connection(stream, service));
            until_ended(connection, |connection| connection.graceful_shutdown(), ends).await;
        }
    }
}

async fn until_ended<C, E>(
    mut connection: std::pin::Pin<&mut C>,
    ask_to_end: impl FnOnce(std::pin::Pin<&mut C>),
    ends: Ends,
) where
    C: Future<Output = Result<(), E>>,
    E: std::fmt::Debug,
{
    let ended = tokio::select! {
        ended = connection.as_mut() => Some(ended),
        () = ends.asked() => None,
    };
    let ended = match ended {
        Some(ended) => Ok(ended),
        None => {
            ask_to_end(connection.as_mut());
            tokio::time::timeout(ends.grace, connection).await
        }
    };
    match ended {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(?error, "a connection broke off"),
        Err(_) => tracing::debug!("a connection went on beyond its grace and was closed"),
    }
}

fn builder(settings: &ConnectionsConfig) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(settings.header_timeout)
        .max_buf_size(READ_AHEAD_BYTES);
    builder
        .http2()
        .timer(TokioTimer::new())
        .initial_stream_window_size(WINDOW_BYTES)
        .initial_connection_window_size(WINDOW_BYTES)
        .max_frame_size(FRAME_BYTES)
        .max_header_list_size(HEADER_BYTES)
        .max_send_buf_size(SEND_BYTES)
        .max_concurrent_streams(settings.max_concurrent_streams)
        .keep_alive_interval(settings.keepalive_interval)
        .keep_alive_timeout(settings.keepalive_timeout);
    builder
}
