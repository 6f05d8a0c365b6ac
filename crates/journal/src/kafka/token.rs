//! The token of SASL/OAUTHBEARER: a file that somebody else writes anew before what is in it expires.

use std::{
    error::Error,
    fs,
    path::Path,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use rdkafka::client::OAuthToken;

/// How long the library may rely on a token, whatever it says of itself: after four fifths of it the file is read
/// again. So a new token is taken up within seconds, and who renews the file needs not tell us.
const RELIED_ON: Duration = Duration::from_millis(2500);
/// More than this Kafka does not take (its sasl.server.max.receive.size).
const MOST_BYTES: u64 = 512 << 10;

/// The token that is in the file at present. Errors do not name the file: who asked knows it.
pub(super) fn read(file: &Path) -> Result<OAuthToken, Box<dyn Error>> {
    let size = fs::metadata(file).map_err(|error| format!("it can't be read: {error}"))?.len();
    if size > MOST_BYTES {
        return Err(format!("{size} bytes are no token, {MOST_BYTES} are the most").into());
    }
    let text = fs::read(file).map_err(|error| format!("it can't be read: {error}"))?;
    let token = text.trim_ascii();
    // As RFC 6750 has it. The library would show the whole token in its complaint.
    let is_token = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(byte);
    if token.is_empty() || !token.iter().all(is_token) {
        return Err("what is there is no token: that is one line of letters, digits and -._~+/=".into());
    }
    let until = SystemTime::now().duration_since(UNIX_EPOCH)? + RELIED_ON;
    Ok(OAuthToken {
        token: String::from_utf8(token.to_vec())?,
        principal_name: "foreshock".into(),
        lifetime_ms: i64::try_from(until.as_millis())?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_can_be_a_token_is_one_and_the_complaint_never_shows_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("token");
        let read = |text: &[u8]| {
            fs::write(&file, text).expect("written");
            read(&file).map(|token| token.token).map_err(|error| error.to_string())
        };
        assert_eq!(read(b"ey-._~+/=9\n"), Ok("ey-._~+/=9".to_owned()));
        for none in [&b""[..], b" \n", b"two words", b"two\nlines", b"secret\x01", b"\xff\xfe"] {
            let told = read(none).expect_err("no token");
            assert!(told.starts_with("what is there is no token") && !told.contains("secret"), "{told}");
        }
        let told = read(&vec![b'a'; (512 << 10) + 1]).expect_err("too long");
        assert!(told.starts_with("524289 bytes are no token"), "{told}");
        let told = super::read(&folder.path().join("nowhere")).err().map(|error| error.to_string());
        assert!(told.is_some_and(|told| told.starts_with("it can't be read: No such file")));
    }
}
