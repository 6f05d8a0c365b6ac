//! Answers of the Export methods: message and trailers, or a status alone.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header::CONTENT_TYPE};
use http_body::{Body, Frame, SizeHint};

use crate::{
    compression::ENCODINGS,
    receiver::Outcome,
    refusal::{Reason, Refusal},
};

const GRPC: HeaderValue = HeaderValue::from_static("application/grpc");
const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const OK: HeaderValue = HeaderValue::from_static("0");

/// The body of an answer.
pub(crate) enum GrpcBody {
    /// Nothing: the status is in the headers.
    Empty,
    /// One message, then the status OK.
    Message(Bytes),
    /// What comes after the message.
    Trailers,
    /// Of health and reflection.
    Tonic(tonic::body::Body),
}

impl Body for GrpcBody {
    type Data = Bytes;
    type Error = tonic::Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, tonic::Status>>> {
        match &mut *self {
            Self::Empty => Poll::Ready(None),
            Self::Message(message) => {
                let frame = Frame::data(std::mem::take(message));
                *self = Self::Trailers;
                Poll::Ready(Some(Ok(frame)))
            }
            Self::Trailers => {
                *self = Self::Empty;
                Poll::Ready(Some(Ok(Frame::trailers(HeaderMap::from_iter([(GRPC_STATUS, OK)])))))
            }
            Self::Tonic(body) => Pin::new(body).poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Message(_) | Self::Trailers => false,
            Self::Tonic(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Tonic(body) => body.size_hint(),
            _ => SizeHint::default(),
        }
    }
}

/// The response message, its `partial_success` unset where all is well.
pub(super) fn success(outcome: &Outcome) -> Response<GrpcBody> {
    let response = foreshock_otlp::response(outcome.rejected, &outcome.reasons);
    let mut message = BytesMut::with_capacity(5 + response.len());
    message.put_u8(0);
    message.put_u32(u32::try_from(response.len()).unwrap_or(u32::MAX));
    message.put_slice(&response);
    let message = message.freeze();
    let mut response = Response::new(GrpcBody::Message(message));
    response.headers_mut().insert(CONTENT_TYPE, GRPC);
    response
}

/// The status in the headers, no message.
pub(super) fn refused(refusal: &Refusal) -> Response<GrpcBody> {
    let mut response = refusal.status().into_http::<()>().map(|()| GrpcBody::Empty);
    if refusal.reason == Reason::Unsupported {
        response.headers_mut().insert("grpc-accept-encoding", HeaderValue::from_static(ENCODINGS));
    }
    response
}

/// What gRPC over HTTP/2 asks for where the request is not gRPC at all.
pub(super) fn not_grpc(status: StatusCode) -> Response<GrpcBody> {
    let mut response = Response::new(GrpcBody::Empty);
    *response.status_mut() = status;
    response
}
