//! The client against a receiver that answers by script.
#![allow(clippy::unwrap_used)]

mod receiver;

use std::time::{Duration, Instant};

use foreshock_shipper::{Accepted, ClientError, ClientOptions, Compression, OtlpClient, SendError, Signal};
use opentelemetry_proto::tonic::{
    collector::logs::v1::ExportLogsServiceRequest,
    common::v1::{AnyValue, any_value::Value},
    logs::v1::{LogRecord, ResourceLogs, ScopeLogs},
};
use prost::Message;
use receiver::{Answer, Receiver, wait_until};
use tonic::Code;

fn body(texts: &[&str]) -> bytes::Bytes {
    let record = |text: &&str| LogRecord {
        body: Some(AnyValue { value: Some(Value::StringValue((*text).to_owned())) }),
        ..LogRecord::default()
    };
    let scope = ScopeLogs { log_records: texts.iter().map(record).collect(), ..ScopeLogs::default() };
    let resource = ResourceLogs { scope_logs: vec![scope], ..ResourceLogs::default() };
    ExportLogsServiceRequest { resource_logs: vec![resource] }.encode_to_vec().into()
}

fn options(url: &str) -> ClientOptions {
    let mut options = ClientOptions::new(url);
    options.retry.initial = Duration::from_millis(2);
    options.retry.max = Duration::from_millis(20);
    options
}

#[tokio::test]
async fn what_the_receiver_asks_to_retry_is_sent_until_it_is_taken_once() {
    let (receiver, url) = Receiver::start().await;
    receiver.will(
        [Code::Unavailable, Code::Aborted, Code::DataLoss, Code::OutOfRange, Code::Cancelled]
            .map(Answer::Refuse),
    );
    let client = OtlpClient::new(&options(&url)).unwrap();
    let accepted = client.send(Signal::Logs, body(&["a", "b"])).await.unwrap();
    assert_eq!(accepted, Accepted::default());
    assert_eq!(receiver.requests().len(), 6);
    assert_eq!(receiver.texts(), ["a", "b"]);
}

#[tokio::test]
async fn the_delay_of_retry_info_is_waited_for() {
    let (receiver, url) = Receiver::start().await;
    let delay = Duration::from_millis(300);
    receiver.will([
        Answer::RefuseFor(Code::ResourceExhausted, delay),
        Answer::RefuseFor(Code::Unavailable, delay),
    ]);
    OtlpClient::new(&options(&url)).unwrap().send(Signal::Logs, body(&["a"])).await.unwrap();
    let times: Vec<Instant> = receiver.requests().into_iter().map(|request| request.0).collect();
    assert_eq!(times.len(), 3);
    assert!(times.windows(2).all(|pair| pair[1] - pair[0] >= delay), "{times:?}");
}

#[tokio::test]
async fn what_is_refused_for_good_is_sent_once() {
    let (receiver, url) = Receiver::start().await;
    let client = OtlpClient::new(&options(&url)).unwrap();
    for code in [Code::InvalidArgument, Code::ResourceExhausted, Code::Internal, Code::Unauthenticated] {
        receiver.will([Answer::Refuse(code)]);
        let error = client.send(Signal::Logs, body(&["a"])).await.unwrap_err();
        assert!(matches!(&error, SendError::Refused(refusal) if refusal.code == code), "{error:?}");
        assert!(!error.refusal().is_transport, "{error:?}");
    }
    assert_eq!(receiver.requests().len(), 4);
    let unknown = client.send(Signal::Metrics, body(&["a"])).await.unwrap_err();
    assert_eq!(unknown.refusal().code, Code::Unimplemented);
}

#[tokio::test]
async fn a_partial_success_is_reported_and_not_sent_again() {
    let (receiver, url) = Receiver::start().await;
    receiver.will([Answer::Partly(1, "its time is absurd")]);
    let client = OtlpClient::new(&options(&url)).unwrap();
    let accepted = client.send(Signal::Logs, body(&["a", "b"])).await.unwrap();
    assert_eq!(accepted, Accepted { rejected: 1, message: "its time is absurd".to_owned() });
    assert_eq!(receiver.requests().len(), 1);
}

#[tokio::test]
async fn a_request_that_is_never_answered_ends_at_its_deadline_and_is_sent_again() {
    let (receiver, url) = Receiver::start().await;
    receiver.will([Answer::Never]);
    let mut options = options(&url);
    options.deadline = Duration::from_millis(200);
    OtlpClient::new(&options).unwrap().send(Signal::Logs, body(&["a"])).await.unwrap();
    assert_eq!((receiver.requests().len(), receiver.texts().len()), (2, 1));
}

#[tokio::test]
async fn a_receiver_that_is_not_there_is_tried_until_the_policy_gives_up_or_it_comes() {
    // A port that nobody else is given while this listener holds it, and nobody answers on.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = socket.local_addr().unwrap().to_string();

    let mut gives_up = options(&address);
    gives_up.retry.give_up_after = Some(Duration::from_millis(100));
    let error = OtlpClient::new(&gives_up).unwrap().send(Signal::Logs, body(&["a"])).await.unwrap_err();
    assert!(matches!(error, SendError::GaveUp { attempts: 2.., .. }), "{error:?}");
    assert!(error.refusal().is_transport);

    let client = OtlpClient::new(&options(&address)).unwrap();
    let sending = tokio::spawn(async move { client.send(Signal::Logs, body(&["late"])).await });
    drop(socket);
    let receiver = Receiver::default();
    receiver.listen(&address).await;
    sending.await.unwrap().unwrap();
    assert_eq!(receiver.texts(), ["late"]);
}

#[tokio::test]
async fn the_token_and_each_compression_arrive() {
    let (receiver, url) = Receiver::start().await;
    for compression in [Compression::None, Compression::Gzip, Compression::Zstd] {
        let mut options = options(&url);
        options.token = Some("s3cret".to_owned());
        options.compression = compression;
        OtlpClient::new(&options).unwrap().send(Signal::Logs, body(&["a"; 1000])).await.unwrap();
    }
    assert_eq!(receiver.texts().len(), 3000);
    assert!(receiver.requests().iter().all(|(_, token)| token.as_deref() == Some("Bearer s3cret")));
}

#[tokio::test]
async fn no_more_requests_are_on_their_way_than_allowed() {
    let (receiver, url) = Receiver::start().await;
    receiver.will([Answer::Never, Answer::Never]);
    let mut options = options(&url);
    options.max_in_flight = 2;
    let client = OtlpClient::new(&options).unwrap();
    let stuck: Vec<_> = (0..2)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move { client.send(Signal::Logs, body(&["stuck"])).await })
        })
        .collect();
    wait_until("two requests", || receiver.requests().len() == 2, || receiver.requests()).await;
    let third = tokio::spawn({
        let client = client.clone();
        async move { client.send(Signal::Logs, body(&["third"])).await }
    });
    let early = tokio::time::timeout(Duration::from_millis(200), receiver.has(1)).await;
    assert!(early.is_err(), "the third request did not wait");
    stuck.iter().for_each(tokio::task::JoinHandle::abort);
    third.await.unwrap().unwrap();
    assert_eq!(receiver.texts(), ["third"]);
}

#[tokio::test]
async fn an_address_that_is_none_is_refused_with_what_to_do() {
    for address in ["", "ftp://host:1", "http://", "http://a b"] {
        let error = OtlpClient::new(&ClientOptions::new(address)).unwrap_err();
        assert!(matches!(error, ClientError::Address { .. }), "{address:?}");
        assert!(error.to_string().contains("give http://HOST:PORT"), "{error}");
    }
}
