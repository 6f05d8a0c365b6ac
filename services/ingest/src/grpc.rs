//! OTLP/gRPC: the three Export methods, unary, over bytes.
//!
//! The framing of a unary call is five bytes; reading it here rather than through a generated service lets a
//! request that came in one HTTP/2 frame go to the journal without a copy, and maps every limit to the status
//! that OTLP asks for. Health and reflection are tonic's own services.

mod answer;

use std::{convert::Infallible, sync::Arc};

use bytes::{Buf, Bytes};
use foreshock_otlp::Signal;
use http::{HeaderMap, Method, Request, Response, StatusCode, header::CONTENT_TYPE};
use http_body::Body;
use hyper::body::Incoming;

pub(crate) use answer::GrpcBody;

use crate::{
    body::{Arriving, Assembly, kept},
    compression::{ENCODINGS, Encoding},
    discovery::Routes,
    metrics::Transport,
    read_ahead::ReadAhead,
    receiver::{Outcome, Receiver},
    refusal::{Reason, Refusal},
};

/// Flag and length before a message.
const PREFIX_BYTES: usize = 5;

/// Answers what comes to the gRPC port.
#[derive(Clone)]
pub(crate) struct GrpcService {
    pub(crate) receiver: Arc<Receiver>,
    /// Health and reflection.
    pub(crate) routes: Routes,
}

impl GrpcService {
    pub(crate) async fn answer(
        self,
        request: Request<Incoming>,
        read_ahead: Arc<ReadAhead>,
    ) -> Result<Response<GrpcBody>, Infallible> {
        let Some(signal) = signal_of(request.uri().path()) else {
            return self.routes.call(request).await.map(|response| response.map(GrpcBody::Tonic));
        };
        if request.method() != Method::POST || !is_grpc(request.headers()) {
            self.receiver.count(&Refusal::for_good(Reason::Unsupported, "not gRPC"));
            return Ok(answer::not_grpc(StatusCode::UNSUPPORTED_MEDIA_TYPE));
        }
        Ok(match self.export(signal, request, &read_ahead).await {
            Ok(outcome) => answer::success(&outcome),
            Err(refusal) => {
                self.receiver.count(&refusal);
                answer::refused(&refusal)
            }
        })
    }

    async fn export(
        &self,
        signal: Signal,
        request: Request<Incoming>,
        read_ahead: &ReadAhead,
    ) -> Result<Outcome, Refusal> {
        let (head, body) = request.into_parts();
        let receiver = &self.receiver;
        let mut admission = receiver.admit(&head.headers)?;
        let encoding = encoding_of(&head.headers)?;
        let limit = admission.rules.max_request_bytes;
        let arriving = Arriving::new(body, receiver.pace, limit, &mut admission.reservation, read_ahead);
        let Message { compressed, bytes } = read_message(arriving).await?;
        let body = match (compressed, encoding) {
            (false, _) => bytes,
            (true, Encoding::Identity) => {
                return Err(Refusal::unreadable(
                    "the message is marked as compressed, the header grpc-encoding does not say how",
                ));
            }
            (true, encoding) => receiver.decompress(&mut admission, encoding, bytes).await?,
        };
        receiver.accept(signal, Transport::Grpc, admission, body).await
    }
}

fn signal_of(path: &str) -> Option<Signal> {
    match path {
        "/opentelemetry.proto.collector.logs.v1.LogsService/Export" => Some(Signal::Logs),
        "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export" => Some(Signal::Metrics),
        "/opentelemetry.proto.collector.trace.v1.TraceService/Export" => Some(Signal::Traces),
        _ => None,
    }
}

/// Whether the content type is gRPC with protobuf.
fn is_grpc(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(CONTENT_TYPE) else { return false };
    match value.as_bytes().strip_prefix(b"application/grpc") {
        Some(rest) => {
            matches!(rest, b"" | b"+proto") || rest.starts_with(b";") || rest.starts_with(b"+proto;")
        }
        None => false,
    }
}

fn encoding_of(headers: &HeaderMap) -> Result<Encoding, Refusal> {
    let Some(name) = headers.get("grpc-encoding") else { return Ok(Encoding::Identity) };
    Encoding::parse(name.as_bytes()).ok_or_else(|| {
        Refusal::for_good(
            Reason::Unsupported,
            format!("grpc-encoding {name:?} is not spoken here; use one of {ENCODINGS}"),
        )
    })
}

struct Message {
    compressed: bool,
    bytes: Bytes,
}

/// The one message of a unary call.
async fn read_message<B>(mut arriving: Arriving<'_, B>) -> Result<Message, Refusal>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    let mut first = arriving.next().await?.unwrap_or_default();
    while first.len() < PREFIX_BYTES {
        let Some(more) = arriving.next().await? else {
            return Err(Refusal::unreadable("the call ended before its message"));
        };
        first = [first, more].concat().into();
    }
    let flag = first.get_u8();
    let length = first.get_u32() as usize;
    if flag > 1 {
        return Err(Refusal::unreadable(format!("the message begins with flag {flag}; 0 and 1 are known")));
    }
    if length as u64 > arriving.limit_bytes {
        return Err(Refusal::too_large(arriving.limit_bytes));
    }
    let bytes = if first.len() >= length {
        let bytes = first.split_to(length);
        end_of_call(&mut arriving, first.len()).await?;
        kept(bytes)
    } else {
        let mut whole = Assembly::new(length);
        whole.push(&first);
        drop(first);
        while whole.len() < length {
            let Some(mut more) = arriving.next().await? else {
                let came = whole.len();
                return Err(Refusal::unreadable(format!("the message ended after {came} of {length} bytes")));
            };
            let missing = length - whole.len();
            whole.push(&more.split_to(missing.min(more.len())));
            if !more.is_empty() {
                end_of_call(&mut arriving, more.len()).await?;
            }
        }
        end_of_call(&mut arriving, 0).await?;
        whole.finish()
    };
    arriving.reservation.shrink_to(length);
    Ok(Message { compressed: flag == 1, bytes })
}

/// A unary call has one message.
async fn end_of_call<B>(arriving: &mut Arriving<'_, B>, left_bytes: usize) -> Result<(), Refusal>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    if left_bytes > 0 || arriving.next().await?.is_some() {
        return Err(Refusal::unreadable("more bytes follow the message; Export takes one message a call"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::stream;
    use http_body::Frame;
    use http_body_util::StreamBody;
    use proptest::prelude::*;

    use super::*;
    use crate::{body::Pace, budget::Budget};

    fn read(frames: Vec<Vec<u8>>, limit: u64) -> (Result<Message, Refusal>, u64) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let budget = Budget::new(u64::MAX);
        let mut reservation = budget.open();
        let read_ahead = ReadAhead::new(&budget);
        let frames: Vec<Result<_, Infallible>> =
            frames.into_iter().map(|frame| Ok(Frame::data(Bytes::from(frame)))).collect();
        let pace = Pace {
            grace: Duration::from_secs(60),
            min_bytes_per_second: 1,
            retry_after: Duration::from_secs(1),
        };
        let arriving =
            Arriving::new(StreamBody::new(stream::iter(frames)), pace, limit, &mut reservation, &read_ahead);
        let message = runtime.block_on(read_message(arriving));
        (message, budget.held_bytes())
    }

    fn frames(whole: &[u8], cuts: &[prop::sample::Index]) -> Vec<Vec<u8>> {
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(whole.len() + 1)).collect();
        cuts.sort_unstable();
        let ends = cuts.iter().copied().chain([whole.len()]);
        let starts = [0].into_iter().chain(cuts.iter().copied());
        starts.zip(ends).map(|(start, end)| whole[start..end].to_vec()).collect()
    }

    proptest! {
        #[test]
        fn a_message_is_the_same_however_it_is_cut_into_frames(
            content in prop::collection::vec(any::<u8>(), 0..100_000),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
            missing in 0_usize..3, extra in 0_usize..3,
        ) {
            let mut whole = vec![1];
            whole.extend(u32::try_from(content.len()).unwrap().to_be_bytes());
            whole.extend(&content);
            whole.truncate(whole.len() - missing.min(content.len()));
            let cut_short = missing > 0 && !content.is_empty();
            if !cut_short {
                whole.extend(vec![0; extra]);
            }
            let (message, held) = read(frames(&whole, &cuts), 100_000);
            if cut_short || extra > 0 {
                prop_assert_eq!(message.err().map(|refusal| refusal.reason), Some(Reason::Unreadable));
            } else {
                let message = message.map_err(|refusal| TestCaseError::fail(refusal.message.into_owned()))?;
                prop_assert!(message.compressed);
                prop_assert_eq!(held, content.len() as u64);
                prop_assert_eq!(&message.bytes[..], &content[..]);
            }
        }
    }

    #[test]
    fn a_length_above_the_limit_is_refused_before_a_byte_of_it_has_come() {
        let refusal = read(vec![vec![0, 0, 0, 0, 101]], 100).0.err().unwrap();
        assert_eq!(refusal.reason, Reason::TooLarge);
    }

    #[test]
    fn content_types_of_grpc_are_told_from_others() {
        for (value, grpc) in [
            ("application/grpc", true),
            ("application/grpc+proto", true),
            ("application/grpc;charset=x", true),
            ("application/grpc+json", false),
            ("application/grpc-web", false),
            ("application/x-protobuf", false),
        ] {
            assert_eq!(
                is_grpc(&HeaderMap::from_iter([(CONTENT_TYPE, value.parse().unwrap())])),
                grpc,
                "{value}"
            );
        }
    }
}
