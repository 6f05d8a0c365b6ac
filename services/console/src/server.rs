//! Takes connections and hands their requests on. Bounded in number, in the time a request's head may take, and in
//! the time a client may take to read.

use std::{sync::Arc, time::Duration};

use axum::Router;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto::Builder, graceful::GracefulShutdown},
    service::TowerToHyperService,
};
use tokio::{
    net::TcpListener,
    sync::Semaphore,
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::stall::Stall;

/// How long the head of a request may take.
const HEAD: Duration = Duration::from_secs(10);
/// How long answers under way may take when the service ends.
const GRACE: Duration = Duration::from_secs(3);

pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    connections: usize,
    shutdown: CancellationToken,
) {
    let room = Arc::new(Semaphore::new(connections));
    let graceful = GracefulShutdown::new();
    let mut tasks = JoinSet::new();
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD).max_buf_size(64 << 10);
    builder.http2().timer(TokioTimer::new()).keep_alive_interval(HEAD).max_concurrent_streams(64);
    loop {
        let accepted = tokio::select! {
            () = shutdown.cancelled() => break,
            Some(_) = tasks.join_next() => continue,
            accepted = accept(&listener, &room) => accepted,
        };
        let (connection, permit) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Too many open files, most likely: room comes when a connection ends.
                warn!(%error, "a connection could not be taken");
                sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let service = TowerToHyperService::new(router.clone());
        let connection = builder.serve_connection(TokioIo::new(Stall::new(connection)), service).into_owned();
        let watched = graceful.watch(connection);
        tasks.spawn(async move {
            if let Err(error) = watched.await {
                debug!(%error, "a connection ended");
            }
            drop(permit);
        });
    }
    // What is still under way after the grace ends with `tasks`.
    let _ = timeout(GRACE, graceful.shutdown()).await;
}

async fn accept(
    listener: &TcpListener,
    room: &Arc<Semaphore>,
) -> std::io::Result<(tokio::net::TcpStream, tokio::sync::OwnedSemaphorePermit)> {
    let permit = room.clone().acquire_owned().await.map_err(std::io::Error::other)?;
    let (connection, _) = listener.accept().await?;
    Ok((connection, permit))
}
