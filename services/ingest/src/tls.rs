//! TLS and mTLS from PEM files.

use std::{fs, path::Path, sync::Arc};

use rustls::{
    RootCertStore, ServerConfig,
    crypto::ring::default_provider,
    server::{WebPkiClientVerifier, danger::ClientCertVerifier},
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use tokio_rustls::TlsAcceptor;

use crate::{IngestError, config::TlsConfig};

/// Makes the acceptor of a port that speaks `protocols`, the preferred one first.
pub(crate) fn acceptor(config: &TlsConfig, protocols: &[&[u8]]) -> Result<TlsAcceptor, IngestError> {
    let provider = Arc::new(default_provider());
    let refused = |path: &Path| {
        let path = path.to_owned();
        move |error: rustls::Error| IngestError::Tls { path, reason: error.to_string() }
    };
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(refused(&config.certificate_file))?;
    let builder = match &config.client_ca_file {
        None => builder.with_no_client_auth(),
        Some(path) => builder.with_client_cert_verifier(client_verifier(path, provider)?),
    };
    let certificates = certificates(&config.certificate_file, "certificate_file")?;
    let key = PrivateKeyDer::from_pem_slice(&read(&config.key_file, "key_file")?)
        .map_err(|error| IngestError::Tls { path: config.key_file.clone(), reason: error.to_string() })?;
    let mut server =
        builder.with_single_cert(certificates, key).map_err(refused(&config.certificate_file))?;
    server.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    Ok(TlsAcceptor::from(Arc::new(server)))
}

fn client_verifier(
    path: &Path,
    provider: Arc<rustls::crypto::CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, IngestError> {
    let refused = |reason: String| IngestError::Tls { path: path.to_owned(), reason };
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path, "client_ca_file")? {
        roots.add(certificate).map_err(|error| refused(error.to_string()))?;
    }
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
        .build()
        .map_err(|error| refused(error.to_string()))
}

fn certificates(path: &Path, key: &str) -> Result<Vec<CertificateDer<'static>>, IngestError> {
    let refused = |reason: String| IngestError::Tls { path: path.to_owned(), reason };
    let pem = read(path, key)?;
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(&pem)
        .collect::<Result<_, _>>()
        .map_err(|error| refused(error.to_string()))?;
    if certificates.is_empty() {
        return Err(refused("there is no certificate in it".to_owned()));
    }
    Ok(certificates)
}

fn read(path: &Path, key: &str) -> Result<Vec<u8>, IngestError> {
    fs::read(path).map_err(|source| IngestError::File {
        path: path.to_owned(),
        key: format!("ingest.tls.{key}"),
        source,
    })
}
