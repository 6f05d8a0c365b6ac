//! What a client can ask about the server itself: gRPC health and reflection.

use std::{convert::Infallible, sync::Arc};

use http::{Request, Response};
use tonic::{Status, body::Body, server::NamedService};
use tonic_health::{ServingStatus, server::HealthReporter};
use tower::{Service, ServiceExt, util::BoxCloneSyncService};

/// The services whose health is told, and the server's own under the empty name.
const SERVICES: [&str; 4] = [
    "",
    "opentelemetry.proto.collector.logs.v1.LogsService",
    "opentelemetry.proto.collector.metrics.v1.MetricsService",
    "opentelemetry.proto.collector.trace.v1.TraceService",
];

/// Tells clients whether to send.
pub(crate) struct Health(HealthReporter);

impl Health {
    pub(crate) async fn set(&self, status: ServingStatus) {
        for service in SERVICES {
            self.0.set_service_status(service, status).await;
        }
    }

    /// Ends the streams of those who watch, so that their connections can end.
    pub(crate) async fn end(&mut self) {
        for service in SERVICES {
            self.0.clear_service_status(service).await;
        }
    }
}

/// Services by the first part of their methods' path.
#[derive(Clone)]
pub(crate) struct Routes(Arc<[(&'static str, Route)]>);

type Route = BoxCloneSyncService<Request<Body>, Response<Body>, Infallible>;

impl Routes {
    /// Answers a call; UNIMPLEMENTED where the method is not known.
    pub(crate) async fn call<B>(&self, request: Request<B>) -> Result<Response<Body>, Infallible>
    where
        B: http_body::Body<Data = bytes::Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let service = request.uri().path().split('/').nth(1).unwrap_or_default();
        match self.0.iter().find(|(name, _)| *name == service) {
            Some((_, route)) => route.clone().oneshot(request.map(Body::new)).await,
            None => {
                let message =
                    "no such method; Export of OTLP's LogsService, MetricsService and TraceService is here";
                Ok(Status::unimplemented(message).into_http())
            }
        }
    }
}

fn route<S>(service: S) -> (&'static str, Route)
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + NamedService,
    S: Clone + Send + Sync + 'static,
    S::Future: Send + 'static,
{
    (S::NAME, BoxCloneSyncService::new(service))
}

/// Health and reflection as services, health at NOT_SERVING.
pub(crate) async fn services() -> (Health, Routes) {
    let (reporter, health_service) = tonic_health::server::health_reporter();
    let health = Health(reporter);
    health.set(ServingStatus::NotServing).await;
    let described = || {
        SERVICES[1..].iter().fold(
            tonic_reflection::server::Builder::configure()
                .register_encoded_file_descriptor_set(opentelemetry_proto::DESCRIPTORS)
                .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
                .with_service_name("grpc.health.v1.Health"),
            |builder, service| builder.with_service_name(*service),
        )
    };
    let v1 = described().build_v1().expect("the descriptors are part of the program");
    let v1alpha = described().build_v1alpha().expect("the descriptors are part of the program");
    (health, Routes(Arc::new([route(health_service), route(v1), route(v1alpha)])))
}
