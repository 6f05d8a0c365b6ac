//! Ports that stay free for whom they are meant.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, getsockname, socket_with, sockopt};

use crate::{Error, io};

/// A free port of 127.0.0.1, held for a server that is told its number.
///
/// A port that was only found free is anyone's again until the server takes it, and again whenever the server is
/// down. This one is bound, without listening, until it is dropped: nobody else is given it, and a server that sets
/// `SO_REUSEADDR`, as Java, tokio and the standard library do, may listen on it all the same.
#[derive(Debug)]
pub struct Port {
    number: u16,
    _held: rustix::fd::OwnedFd,
}

impl Port {
    /// Takes a free port.
    ///
    /// # Errors
    /// When no socket or port is to be had.
    pub fn reserve() -> Result<Self, Error> {
        let reserve = || {
            let socket = socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
            sockopt::set_socket_reuseaddr(&socket, true)?;
            bind(&socket, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0))?;
            let address = SocketAddrV4::try_from(getsockname(&socket)?)?;
            Ok(Self { number: address.port(), _held: socket })
        };
        reserve().map_err(|error: rustix::io::Errno| io("no free port on 127.0.0.1")(error.into()))
    }

    /// Its number.
    #[must_use]
    pub fn number(&self) -> u16 {
        self.number
    }

    /// Where its server is found.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.number).into()
    }
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn a_reserved_port_takes_its_server_again_and_again_and_answers_nobody_between() {
        let port = Port::reserve().expect("a port");
        for _ in 0..2 {
            assert!(TcpStream::connect(port.address()).is_err(), "nobody listens yet");
            let server = TcpListener::bind(port.address()).expect("the server gets it");
            let client = TcpStream::connect(port.address()).expect("it listens");
            drop((server, client));
        }
    }

    #[test]
    fn reserved_ports_differ() {
        let ports: Vec<_> = (0..50).map(|_| Port::reserve().expect("a port")).collect();
        let mut numbers: Vec<_> = ports.iter().map(Port::number).collect();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), ports.len());
    }
}
