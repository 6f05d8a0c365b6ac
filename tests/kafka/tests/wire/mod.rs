//! As much of Kafka's protocol as it takes to ask a broker something.

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

pub(crate) const PRODUCE: i16 = 0;
const METADATA: i16 = 3;
const SASL_HANDSHAKE: i16 = 17;
const API_VERSIONS: i16 = 18;
const CREATE_TOPICS: i16 = 19;

pub(crate) struct Metadata {
    /// In the order of their numbers.
    pub(crate) brokers: Vec<SocketAddr>,
    pub(crate) topics: Vec<String>,
}

/// The requests that the broker takes.
pub(crate) fn api_versions(broker: SocketAddr) -> io::Result<Vec<i16>> {
    let mut answer = ask(broker, API_VERSIONS, 0, &[])?;
    assert_eq!(answer.i16(), 0, "refused");
    Ok((0..answer.i32())
        .map(|_| {
            let key = answer.i16();
            answer.take(4);
            key
        })
        .collect())
}

/// The ways in which a client may say who it is; version 1, for `PLAIN`.
pub(crate) fn sasl_mechanisms(broker: SocketAddr) -> io::Result<Vec<String>> {
    let mut answer = ask(broker, SASL_HANDSHAKE, 1, b"\0\x05PLAIN")?;
    assert_eq!(answer.i16(), 0, "refused");
    Ok((0..answer.i32()).map(|_| answer.string()).collect())
}

/// Version 1, of all topics.
pub(crate) fn metadata(broker: SocketAddr) -> io::Result<Metadata> {
    let mut answer = ask(broker, METADATA, 1, &(-1i32).to_be_bytes())?;
    let mut brokers: Vec<_> = (0..answer.i32())
        .map(|_| {
            let number = answer.i32();
            let host = answer.string();
            let port = answer.i32();
            let _rack = answer.i16();
            (number, format!("{host}:{port}").parse().unwrap())
        })
        .collect();
    brokers.sort_unstable();
    let _controller = answer.i32();
    let topics = (0..answer.i32())
        .map(|_| {
            assert_eq!(answer.i16(), 0, "refused");
            let name = answer.string();
            let _internal = answer.take(1);
            for _ in 0..answer.i32() {
                // Its error, number and leader, then those who have it and those in step.
                answer.take(10);
                for _ in 0..2 {
                    let replicas = answer.i32();
                    answer.take(4 * replicas as usize);
                }
            }
            name
        })
        .collect();
    Ok(Metadata { brokers: brokers.into_iter().map(|(_, address)| address).collect(), topics })
}

/// Version 2: one topic of one partition and one copy.
pub(crate) fn create_topic(broker: SocketAddr, name: &str) -> io::Result<()> {
    let mut request = Vec::new();
    request.extend(1i32.to_be_bytes());
    request.extend((name.len() as i16).to_be_bytes());
    request.extend(name.as_bytes());
    request.extend(1i32.to_be_bytes());
    request.extend(1i16.to_be_bytes());
    // Nothing assigned or configured, ten seconds, in earnest.
    request.extend([0; 8]);
    request.extend(10_000i32.to_be_bytes());
    request.push(0);
    let mut answer = ask(broker, CREATE_TOPICS, 2, &request)?;
    let _throttled = answer.i32();
    assert_eq!((answer.i32(), answer.string().as_str(), answer.i16()), (1, name, 0), "refused");
    Ok(())
}

/// One request on a connection of its own; an error when no answer comes.
fn ask(broker: SocketAddr, key: i16, version: i16, body: &[u8]) -> io::Result<Answer> {
    let mut connection = TcpStream::connect(broker)?;
    connection.set_read_timeout(Some(Duration::from_secs(5)))?;
    let size = (10 + body.len()) as i32;
    let number = 7i32;
    let mut request = Vec::new();
    request.extend(size.to_be_bytes());
    request.extend(key.to_be_bytes());
    request.extend(version.to_be_bytes());
    request.extend(number.to_be_bytes());
    request.extend((-1i16).to_be_bytes());
    request.extend(body);
    connection.write_all(&request)?;
    let mut size = [0; 4];
    connection.read_exact(&mut size)?;
    let mut answer = vec![0; i32::from_be_bytes(size) as usize];
    connection.read_exact(&mut answer)?;
    let mut answer = Answer(answer.into_iter());
    assert_eq!(answer.i32(), number, "another request's answer");
    Ok(answer)
}

struct Answer(std::vec::IntoIter<u8>);

impl Answer {
    fn take(&mut self, bytes: usize) -> Vec<u8> {
        let taken: Vec<_> = self.0.by_ref().take(bytes).collect();
        assert_eq!(taken.len(), bytes, "the answer is cut short");
        taken
    }
    fn i16(&mut self) -> i16 {
        i16::from_be_bytes(self.take(2).try_into().unwrap())
    }
    fn i32(&mut self) -> i32 {
        i32::from_be_bytes(self.take(4).try_into().unwrap())
    }
    fn string(&mut self) -> String {
        let length = self.i16();
        String::from_utf8(self.take(length as usize)).unwrap()
    }
}
