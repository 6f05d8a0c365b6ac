//! A network between clients and servers that can be cut.
//!
//! Knows bytes alone. Threads, not tasks: a test's runtime may be blocked, stopped or gone, this must go on.

use std::{
    collections::HashMap,
    io::{Read, Write},
    net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
    time::Duration,
};

use crate::{Error, io};

/// More at a time on one address are closed at once.
const MAX_CONNECTIONS: usize = 256;

/// How long a server may take to accept.
const PATIENCE: Duration = Duration::from_secs(5);

/// An address for each of some servers, by which they are reached, for as long as it lets them be.
#[derive(Debug)]
pub struct Proxy {
    network: Arc<Network>,
    addresses: Vec<SocketAddr>,
    acceptors: Vec<JoinHandle<()>>,
}

/// What becomes of the bytes that come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Traffic {
    Flows,
    /// No byte passes; none is lost.
    Stalls,
    /// What clients send passes, what servers answer does not.
    AnswersStall,
    /// Connections are closed, with whatever was under way; so is each new one.
    Cut,
    /// For good.
    Ended,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Direction {
    Request,
    Answer,
}

#[derive(Debug)]
struct Network {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    traffic: Traffic,
    /// Both ends of each open connection, to be shut from outside.
    connections: HashMap<u64, [TcpStream; 2]>,
    next: u64,
}

impl Proxy {
    /// Listens on an address for each of `servers`, in the same order. They need not be up yet.
    ///
    /// # Errors
    /// When there is no free port.
    pub fn to(servers: &[SocketAddr]) -> Result<Self, Error> {
        let state = State { traffic: Traffic::Flows, connections: HashMap::new(), next: 0 };
        let network = Arc::new(Network { state: Mutex::new(state), changed: Condvar::new() });
        let mut proxy = Self { network, addresses: Vec::new(), acceptors: Vec::new() };
        for &server in servers {
            let listener =
                TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(io("no free port on 127.0.0.1"))?;
            proxy.addresses.push(listener.local_addr().map_err(io("no free port on 127.0.0.1"))?);
            let network = Arc::clone(&proxy.network);
            proxy.acceptors.push(thread::spawn(move || network.accept(&listener, server)));
        }
        Ok(proxy)
    }

    /// Where the servers are reached.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Closes every connection, whatever is under way in it, and each new one at once.
    pub fn cut(&self) {
        self.network.turn(Traffic::Cut);
    }

    /// Keeps every connection, takes new ones, and lets nothing pass. What was sent meanwhile arrives afterwards.
    pub fn stall(&self) {
        self.network.turn(Traffic::Stalls);
    }

    /// As [`Self::stall`], for answers alone: the servers do what they are asked to, and nobody hears of it. A
    /// [`Self::cut`] after it loses what was answered meanwhile.
    pub fn stall_answers(&self) {
        self.network.turn(Traffic::AnswersStall);
    }

    /// Everything passes again.
    pub fn restore(&self) {
        self.network.turn(Traffic::Flows);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.network.turn(Traffic::Ended);
        for address in &self.addresses {
            // Wakes the acceptor, for it to see that it is over.
            let _ = TcpStream::connect(address);
        }
        for acceptor in self.acceptors.drain(..) {
            let _ = acceptor.join();
        }
    }
}

impl Network {
    /// A thread that panicked while it held the lock left nothing half done.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn turn(&self, traffic: Traffic) {
        let mut state = self.lock();
        state.traffic = traffic;
        if matches!(traffic, Traffic::Cut | Traffic::Ended) {
            for end in state.connections.drain().flat_map(|(_, ends)| ends) {
                // It may be closed already.
                let _ = end.shutdown(Shutdown::Both);
            }
        }
        self.changed.notify_all();
    }

    /// Waits until bytes may pass in this direction; `false` when the connection is not there any more.
    fn passes(&self, connection: u64, direction: Direction) -> bool {
        let mut state = self.lock();
        loop {
            match state.traffic {
                _ if !state.connections.contains_key(&connection) => return false,
                Traffic::Flows => return true,
                Traffic::AnswersStall if direction == Direction::Request => return true,
                _ => state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }

    fn accept(&self, listener: &TcpListener, server: SocketAddr) {
        // Each connection's thread ends before this one does.
        thread::scope(|threads| {
            let mut open = Vec::new();
            for client in listener.incoming() {
                if self.lock().traffic == Traffic::Ended {
                    return;
                }
                open.retain(|connection: &thread::ScopedJoinHandle<'_, ()>| !connection.is_finished());
                let Ok(client) = client else { continue };
                if open.len() < MAX_CONNECTIONS {
                    open.push(threads.spawn(move || self.connect(client, server)));
                }
            }
        });
    }

    /// One connection, from its first byte to its last.
    fn connect(&self, client: TcpStream, server: SocketAddr) {
        let Ok(server) = TcpStream::connect_timeout(&server, PATIENCE) else { return };
        let _ = (client.set_nodelay(true), server.set_nodelay(true));
        let Some(connection) = self.register(&client, &server) else { return };
        thread::scope(|threads| {
            threads.spawn(|| self.pump(connection, Direction::Answer, &server, &client));
            self.pump(connection, Direction::Request, &client, &server);
        });
        self.lock().connections.remove(&connection);
    }

    fn register(&self, client: &TcpStream, server: &TcpStream) -> Option<u64> {
        let ends = [client.try_clone().ok()?, server.try_clone().ok()?];
        let mut state = self.lock();
        if matches!(state.traffic, Traffic::Cut | Traffic::Ended) {
            return None;
        }
        let connection = state.next;
        state.next += 1;
        state.connections.insert(connection, ends);
        Some(connection)
    }

    /// Carries bytes one way until either side has had enough.
    fn pump(&self, connection: u64, direction: Direction, mut from: &TcpStream, mut to: &TcpStream) {
        let mut bytes = vec![0; 64 * 1024];
        loop {
            match from.read(&mut bytes) {
                // The other way may go on.
                Ok(0) => {
                    if self.passes(connection, direction) {
                        let _ = to.shutdown(Shutdown::Write);
                    }
                    return;
                }
                Ok(read) if self.passes(connection, direction) && to.write_all(&bytes[..read]).is_ok() => {}
                // Reset, cut, or not wanted any more: neither way is of use.
                _ => break,
            }
        }
        let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
    }
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;

    use super::*;

    /// Gives back what it gets, to one client after the other.
    fn echo() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            for client in listener.incoming() {
                let client = client.unwrap();
                thread::spawn(move || std::io::copy(&mut &client, &mut &client));
            }
        });
        address
    }

    fn client(proxy: &Proxy) -> TcpStream {
        let client = TcpStream::connect(proxy.addresses()[0]).unwrap();
        client.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        client
    }

    fn heard(mut client: &TcpStream) -> u8 {
        let mut byte = [0];
        client.read_exact(&mut byte).unwrap();
        byte[0]
    }

    fn is_closed(mut client: &TcpStream) -> bool {
        match client.read(&mut [0]) {
            Ok(read) => read == 0,
            Err(error) => error.kind() == ErrorKind::ConnectionReset,
        }
    }

    #[test]
    fn a_cut_closes_what_is_open_and_what_comes_until_it_is_restored() {
        let proxy = Proxy::to(&[echo()]).unwrap();
        let mut open = client(&proxy);
        open.write_all(b"a").unwrap();
        assert_eq!(heard(&open), b'a');
        proxy.cut();
        assert!(is_closed(&open));
        assert!(is_closed(&client(&proxy)));
        proxy.restore();
        let mut open = client(&proxy);
        open.write_all(b"b").unwrap();
        assert_eq!(heard(&open), b'b');
    }

    #[test]
    fn a_stall_holds_back_and_loses_nothing() {
        let proxy = Proxy::to(&[echo()]).unwrap();
        let mut open = client(&proxy);
        open.write_all(b"a").unwrap();
        assert_eq!(heard(&open), b'a');
        proxy.stall();
        open.write_all(b"b").unwrap();
        let mut new = client(&proxy);
        new.write_all(b"c").unwrap();
        for client in [&open, &new] {
            client.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
            let silence = (&mut &*client).read(&mut [0]).unwrap_err();
            assert_eq!(silence.kind(), ErrorKind::WouldBlock);
            client.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        }
        proxy.restore();
        assert_eq!((heard(&open), heard(&new)), (b'b', b'c'));
    }

    #[test]
    fn while_answers_stall_requests_arrive_and_a_cut_loses_the_answers() {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let proxy = Proxy::to(&[server.local_addr().unwrap()]).unwrap();
        let mut asks = client(&proxy);
        let (mut answers, _) = server.accept().unwrap();
        proxy.stall_answers();
        asks.write_all(b"?").unwrap();
        assert_eq!(heard(&answers), b'?');
        answers.write_all(b"!").unwrap();
        proxy.cut();
        assert!(is_closed(&asks));
    }

    #[test]
    fn one_side_that_has_said_all_still_hears_the_rest() {
        let proxy = Proxy::to(&[echo()]).unwrap();
        let mut open = client(&proxy);
        open.write_all(b"a").unwrap();
        open.shutdown(Shutdown::Write).unwrap();
        assert_eq!(heard(&open), b'a');
        assert!(is_closed(&open));
    }
}
