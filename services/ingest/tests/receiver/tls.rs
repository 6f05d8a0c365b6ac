//! TLS and mTLS on both ports.

use std::{path::PathBuf, sync::Arc, time::Duration};

use foreshock_ingest::{Ingest, IngestConfig, IngestError, IngestMetrics, TenantsConfig, TlsConfig};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{ClientConfig, RootCertStore, crypto::ring::default_provider};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::harness::*;

/// An authority and what it signed, as files.
struct Authority {
    directory: tempfile::TempDir,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("ca.pem"), issuer.pem()).unwrap();
        Self { directory, issuer }
    }

    /// PEM files of a certificate for `name` and its key.
    fn sign(&self, name: &str) -> (PathBuf, PathBuf) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let file = |kind: &str| self.directory.path().join(format!("{name}-{kind}.pem"));
        std::fs::write(file("cert"), certificate.pem()).unwrap();
        std::fs::write(file("key"), key.serialize_pem()).unwrap();
        (file("cert"), file("key"))
    }

    fn ca_file(&self) -> PathBuf {
        self.directory.path().join("ca.pem")
    }

    fn server_tls(&self, mutual: bool) -> TlsConfig {
        let (certificate_file, key_file) = self.sign("receiver");
        TlsConfig { certificate_file, key_file, client_ca_file: mutual.then(|| self.ca_file()) }
    }

    /// A client that trusts this authority and shows what `signer` signed, if anyone.
    fn connector(&self, signer: Option<&Self>, protocol: &str) -> TlsConnector {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(self.ca_file()).unwrap()).unwrap();
        let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let mut config = match signer {
            None => builder.with_no_client_auth(),
            Some(signer) => {
                let (certificate, key) = signer.sign("shipper");
                let chain = vec![CertificateDer::from_pem_file(certificate).unwrap()];
                builder.with_client_auth_cert(chain, PrivateKeyDer::from_pem_file(key).unwrap()).unwrap()
            }
        };
        config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
        TlsConnector::from(Arc::new(config))
    }
}

async fn secure(
    address: std::net::SocketAddr,
    connector: &TlsConnector,
) -> std::io::Result<TlsStream<TcpStream>> {
    connector.connect(ServerName::try_from("receiver").unwrap(), connect(address).await).await
}

async fn both_work(server: &Server, authority: &Authority, signer: Option<&Authority>) {
    let h2 = authority.connector(signer, "h2");
    let h1 = authority.connector(signer, "http/1.1");
    let grpc = grpc_request(LOGS, &[], whole(framed(false, &logs(&["secure"]))));
    let stream = secure(server.grpc, &h2).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    assert_eq!(read_grpc(http2(stream, grpc).await.unwrap()).await.code, 0);
    let kind = [("content-type", PROTOBUF)];
    let request = http_request("/v1/logs", &kind, whole(logs(&["secure"])));
    let stream = secure(server.http, &h1).await.unwrap();
    assert_eq!(http1(stream, request).await.unwrap().status, 200);
}

#[tokio::test]
async fn tls_serves_both_ports_and_plain_text_gets_nothing() {
    let authority = Authority::new();
    let tls = authority.server_tls(false);
    let server = Server::with(|config| config.tls = Some(tls), "{}").await;
    both_work(&server, &authority, None).await;
    let plain = http_request("/v1/logs", &[("content-type", PROTOBUF)], whole(logs(&["plain"])));
    assert!(http1(connect(server.http).await, plain).await.is_err());
    let plain = grpc_request(LOGS, &[], whole(framed(false, &logs(&["plain"]))));
    assert!(http2(connect(server.grpc).await, plain).await.is_err());
    assert_eq!(server.journal.log_bodies(), ["secure", "secure"]);
    server.stop().await;
}

#[tokio::test]
async fn with_a_client_ca_only_those_it_signed_get_in() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let tls = authority.server_tls(true);
    let server = Server::with(|config| config.tls = Some(tls), "{}").await;
    for signer in [None, Some(&stranger)] {
        // In TLS 1.3 the client learns of its refusal with the first answer.
        let request = grpc_request(LOGS, &[], whole(framed(false, &logs(&["stranger"]))));
        let refused = match secure(server.grpc, &authority.connector(signer, "h2")).await {
            Ok(stream) => http2(stream, request).await.is_err(),
            Err(_) => true,
        };
        assert!(refused);
        let request = http_request("/v1/logs", &[("content-type", PROTOBUF)], whole(logs(&["stranger"])));
        let refused = match secure(server.http, &authority.connector(signer, "http/1.1")).await {
            Ok(stream) => http1(stream, request).await.is_err(),
            Err(_) => true,
        };
        assert!(refused);
    }
    both_work(&server, &authority, Some(&authority)).await;
    assert_eq!(server.journal.log_bodies(), ["secure", "secure"]);
    server.stop().await;
}

#[tokio::test]
async fn a_handshake_that_is_never_begun_is_given_up() {
    let authority = Authority::new();
    let tls = authority.server_tls(false);
    let change = |config: &mut IngestConfig| {
        config.tls = Some(tls);
        config.connections.header_timeout = Duration::from_millis(200);
    };
    let server = Server::with(change, "{}").await;
    let _silent = (connect(server.grpc).await, connect(server.http).await);
    let opened = || server.metrics.snapshot().connections_opened == 2;
    eventually("both are accepted", opened).await;
    eventually("both are closed", || server.metrics.snapshot().connections_open == 0).await;
    server.stop().await;
}

#[tokio::test]
async fn files_that_make_no_tls_server_are_named_at_the_start() {
    let authority = Authority::new();
    let good = authority.server_tls(true);
    let empty = authority.directory.path().join("empty.pem");
    std::fs::write(&empty, "").unwrap();
    let missing = PathBuf::from("missing.pem");
    let (other_key, _) = (authority.sign("other").1, ());
    let bad = [
        TlsConfig { certificate_file: missing.clone(), ..good.clone() },
        TlsConfig { certificate_file: empty.clone(), ..good.clone() },
        TlsConfig { key_file: empty.clone(), ..good.clone() },
        TlsConfig { key_file: other_key, ..good.clone() },
        TlsConfig { client_ca_file: Some(empty), ..good.clone() },
        TlsConfig { client_ca_file: Some(missing), ..good },
    ];
    for tls in bad {
        let config = IngestConfig {
            grpc_address: ([127, 0, 0, 1], 0).into(),
            http_address: ([127, 0, 0, 1], 0).into(),
            tls: Some(tls.clone()),
            ..IngestConfig::default()
        };
        let journal = Arc::new(ObedientJournal::default());
        let metrics = Arc::new(IngestMetrics::new());
        match Ingest::bind(&config, &TenantsConfig::default(), journal, metrics).await {
            Err(IngestError::Tls { .. } | IngestError::File { .. }) => {}
            Err(other) => panic!("{tls:?}: {other}"),
            Ok(_) => panic!("{tls:?} was taken"),
        }
    }
}
