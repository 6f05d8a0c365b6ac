//! TLS of the client: whom it trusts and who it is.

use std::{env, fs, path::PathBuf};

use tonic::transport::{Certificate, ClientTlsConfig, Identity};

use crate::ClientError;

/// Where systems keep the certificates they trust, most wanted first.
const SYSTEM_BUNDLES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// TLS settings; only looked at where the address begins with `https`.
#[derive(Clone, Debug, Default)]
pub struct TlsOptions {
    /// PEM file of the authorities to trust; without it the system's.
    pub ca_file: Option<PathBuf>,
    /// PEM files of the client's own certificate and key, for mTLS.
    pub identity: Option<(PathBuf, PathBuf)>,
    /// The name the server's certificate must carry, where it is not the address' host.
    pub server_name: Option<String>,
}

pub(crate) fn config(options: &TlsOptions) -> Result<ClientTlsConfig, ClientError> {
    let authorities = match &options.ca_file {
        Some(path) => read(path.clone())?,
        None => read(system_bundle().ok_or(ClientError::NoAuthorities)?)?,
    };
    let mut config = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(authorities));
    if let Some((certificate, key)) = &options.identity {
        config = config.identity(Identity::from_pem(read(certificate.clone())?, read(key.clone())?));
    }
    if let Some(name) = &options.server_name {
        config = config.domain_name(name);
    }
    Ok(config)
}

fn read(path: PathBuf) -> Result<Vec<u8>, ClientError> {
    fs::read(&path).map_err(|source| ClientError::Unreadable { path, source })
}

fn system_bundle() -> Option<PathBuf> {
    env::var_os("SSL_CERT_FILE")
        .map(PathBuf::from)
        .or_else(|| SYSTEM_BUNDLES.iter().map(PathBuf::from).find(|path| path.exists()))
}
