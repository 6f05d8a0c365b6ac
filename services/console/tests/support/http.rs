//! The plainest client: it says exactly what the test wants said.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    time::timeout,
};

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Answer {
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    pub fn header(&self, name: &str) -> &str {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(key, _)| key.eq_ignore_ascii_case(name)).map_or("", |(_, value)| value)
    }
}

pub async fn get(address: SocketAddr, path: &str) -> Answer {
    ask(address, "GET", path, &format!("Host: {address}\r\n")).await
}

pub async fn ask(address: SocketAddr, method: &str, path: &str, headers: &str) -> Answer {
    exchange(address, &format!("{method} {path} HTTP/1.1\r\n{headers}Connection: close\r\n\r\n")).await
}

/// Says `request` as it is.
pub async fn exchange(address: SocketAddr, request: &str) -> Answer {
    let mut connection = TcpStream::connect(address).await.unwrap();
    connection.write_all(request.as_bytes()).await.unwrap();
    let mut text = String::new();
    timeout(Duration::from_secs(10), connection.read_to_string(&mut text)).await.expect("an answer").unwrap();
    let (head, body) = text.split_once("\r\n\r\n").expect("a head");
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { status, head: head.to_owned(), body: body.to_owned() }
}

/// A client of the event stream.
pub struct Listener {
    lines: BufReader<TcpStream>,
}

#[derive(Debug, Default)]
pub struct Event {
    pub id: String,
    pub name: String,
    pub text: String,
}

impl Listener {
    pub async fn start(address: SocketAddr, headers: &str) -> Self {
        let mut connection = TcpStream::connect(address).await.unwrap();
        let request = format!("GET /api/v1/stream HTTP/1.1\r\nHost: {address}\r\n{headers}\r\n");
        connection.write_all(request.as_bytes()).await.unwrap();
        Self { lines: BufReader::new(connection) }
    }

    /// The next event; lines that are not of it (head, chunk sizes) are passed over.
    pub async fn event(&mut self) -> Event {
        let mut event = Event::default();
        timeout(Duration::from_secs(10), async {
            loop {
                let mut line = String::new();
                assert!(self.lines.read_line(&mut line).await.unwrap() > 0, "the stream ended");
                match line.trim_end().split_once(": ").or(line.trim_end().split_once(':')) {
                    Some(("event", name)) => event.name = name.to_owned(),
                    Some(("id", id)) => event.id = id.to_owned(),
                    Some(("data", text)) => event.text = text.to_owned(),
                    _ if line == "\n" && !event.name.is_empty() => return,
                    _ => {}
                }
            }
        })
        .await
        .expect("an event");
        event
    }
}

/// Sends JSON, with these headers besides.
pub async fn post(address: SocketAddr, path: &str, headers: &str, body: &str) -> Answer {
    let json = "Content-Type: application/json\r\n";
    send(address, "POST", path, &format!("Host: {address}\r\n{json}{headers}"), body).await
}

/// Sends a body with exactly these headers and its length.
pub async fn send(address: SocketAddr, method: &str, path: &str, headers: &str, body: &str) -> Answer {
    let headers = format!("{headers}Content-Length: {}\r\n", body.len());
    exchange(address, &format!("{method} {path} HTTP/1.1\r\n{headers}Connection: close\r\n\r\n{body}")).await
}
