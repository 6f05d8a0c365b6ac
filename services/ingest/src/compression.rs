//! Decompression that stops at the limit, so that a small request can't become a large one.

use std::io::{self, Read};

use bytes::{Buf, Bytes, buf::Reader};
use flate2::bufread::MultiGzDecoder;

use crate::{budget::Reservation, refusal::Refusal};

/// What is made of a compressed body in one go; between two the task lets others run.
const STEP_BYTES: usize = 1 << 20;

/// Largest zstd window, as a power of two: 8 MiB, what RFC 8878 asks decoders to support.
const ZSTD_WINDOW_LOG: u32 = 23;

/// How a body is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    Identity,
    Gzip,
    Zstd,
}

/// The encodings spoken here, as headers list them.
pub(crate) const ENCODINGS: &str = "identity,gzip,zstd";

impl Encoding {
    /// Reads the value of grpc-encoding or Content-Encoding.
    pub(crate) fn parse(name: &[u8]) -> Option<Self> {
        match name.trim_ascii() {
            b"" | b"identity" => Some(Self::Identity),
            b"gzip" | b"x-gzip" => Some(Self::Gzip),
            b"zstd" => Some(Self::Zstd),
            _ => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }
}

/// Why a body can't be decompressed.
pub(crate) enum Undecodable {
    TooLarge,
    OverBudget,
    Broken(Refusal),
}

enum Decoder {
    Gzip(Box<MultiGzDecoder<Reader<Bytes>>>),
    Zstd(zstd::stream::read::Decoder<'static, Reader<Bytes>>),
}

impl Read for Decoder {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Gzip(decoder) => decoder.read(into),
            Self::Zstd(decoder) => decoder.read(into),
        }
    }
}

/// The body as it was before compression. On success the reservation covers just that.
pub(crate) async fn decompress(
    encoding: Encoding,
    body: Bytes,
    limit_bytes: u64,
    reservation: &mut Reservation,
) -> Result<Bytes, Undecodable> {
    let broken = |error: io::Error| {
        Undecodable::Broken(Refusal::unreadable(format!(
            "the body is not valid {}: {error}",
            encoding.name()
        )))
    };
    if encoding == Encoding::Identity || body.is_empty() {
        return Ok(body);
    }
    let mut whole = Vec::with_capacity(expected_bytes(encoding, &body, limit_bytes));
    let mut decoder = match encoding {
        Encoding::Identity => return Ok(body),
        Encoding::Gzip => Decoder::Gzip(Box::new(MultiGzDecoder::new(body.reader()))),
        Encoding::Zstd => {
            let mut decoder = zstd::stream::read::Decoder::with_buffer(body.reader()).map_err(broken)?;
            decoder.window_log_max(ZSTD_WINDOW_LOG).map_err(broken)?;
            Decoder::Zstd(decoder)
        }
    };
    let limit = usize::try_from(limit_bytes).unwrap_or(usize::MAX);
    loop {
        // One byte beyond the limit tells "too large" from "exactly at the limit".
        let step = STEP_BYTES.min(limit.saturating_add(1) - whole.len());
        let made = (&mut decoder).take(step as u64).read_to_end(&mut whole).map_err(broken)?;
        if whole.len() > limit {
            return Err(Undecodable::TooLarge);
        }
        reservation.grow(made).map_err(|_| Undecodable::OverBudget)?;
        if made < step {
            break;
        }
        tokio::task::yield_now().await;
    }
    reservation.shrink_to(whole.len());
    if whole.capacity() / 4 * 3 > whole.len() {
        // A quarter and more would be wasted for as long as the body lives.
        whole.shrink_to_fit();
    }
    Ok(whole.into())
}

/// What to allocate at first: what the format says of its own size, as far as that can be believed.
fn expected_bytes(encoding: Encoding, body: &Bytes, limit_bytes: u64) -> usize {
    let said = match encoding {
        Encoding::Identity => body.len() as u64,
        // RFC 1952: the last four bytes are the size modulo 2^32.
        Encoding::Gzip => {
            body.last_chunk::<4>().map_or(0, |size| u64::from(u32::from_le_bytes(*size))).saturating_add(1)
        }
        Encoding::Zstd => zstd::zstd_safe::get_frame_content_size(body).ok().flatten().unwrap_or(0),
    };
    let believable = (body.len() as u64).saturating_mul(16).min(STEP_BYTES as u64 * 4).min(limit_bytes);
    usize::try_from(said.min(believable)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use proptest::prelude::*;

    use super::*;
    use crate::budget::Budget;

    fn gzip(bytes: &[u8]) -> Bytes {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap().into()
    }

    fn zstd(bytes: &[u8]) -> Bytes {
        zstd::encode_all(bytes, 1).unwrap().into()
    }

    fn run(encoding: Encoding, body: Bytes, limit: u64, budget: u64) -> Result<(Bytes, u64), Undecodable> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let budget = Budget::new(budget);
        let mut reservation = budget.open();
        reservation.grow(body.len()).map_err(|_| Undecodable::OverBudget)?;
        let whole = runtime.block_on(decompress(encoding, body, limit, &mut reservation))?;
        let held = budget.held_bytes();
        Ok((whole, held))
    }

    proptest! {
        #[test]
        fn the_limit_is_on_the_byte_and_the_budget_holds_what_is_there(
            size in 0_usize..3_000_000, over in any::<bool>(), small in any::<bool>()
        ) {
            let plain: Vec<u8> = (0..size).map(|at| (at / 7) as u8).collect();
            let limit = (size as u64).saturating_sub(u64::from(over));
            for (encoding, body) in [(Encoding::Gzip, gzip(&plain)), (Encoding::Zstd, zstd(&plain))] {
                let packed = body.len() as u64;
                let budget = if small { packed + size as u64 / 2 } else { u64::MAX };
                match run(encoding, body, limit, budget) {
                    Ok((whole, held)) => {
                        prop_assert!(!over || size == 0);
                        prop_assert!(!small || size < 2);
                        prop_assert_eq!(held, size as u64);
                        prop_assert_eq!(&whole[..], &plain[..]);
                    }
                    Err(Undecodable::TooLarge) => prop_assert!(over),
                    Err(Undecodable::OverBudget) => prop_assert!(small),
                    Err(Undecodable::Broken(refusal)) => prop_assert!(false, "{:?}", refusal),
                }
            }
        }

        #[test]
        fn a_damaged_body_never_passes_as_whole(cut in 1_usize..200, at in any::<prop::sample::Index>()) {
            let plain: Vec<u8> = (0..5_000_u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
            for (encoding, body) in [(Encoding::Gzip, gzip(&plain)), (Encoding::Zstd, zstd(&plain))] {
                let short = body.slice(..body.len() - cut);
                prop_assert!(matches!(run(encoding, short, u64::MAX - 1, u64::MAX), Err(Undecodable::Broken(_))));
                let mut flipped = body.to_vec();
                let at = at.index(flipped.len());
                flipped[at] ^= 0x55;
                // Random bits may leave the content whole (a header's time or name); never a wrong one by gzip's crc.
                if let Ok((whole, _)) = run(encoding, flipped.into(), u64::MAX - 1, u64::MAX) {
                    prop_assert!(encoding == Encoding::Zstd || whole == plain);
                }
            }
        }
    }

    #[test]
    fn a_window_beyond_eight_mebibytes_is_refused() {
        let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
        encoder.window_log(27).unwrap();
        encoder.write_all(&[7; 100]).unwrap();
        let body = encoder.finish().unwrap().into();
        assert!(matches!(run(Encoding::Zstd, body, 1_000, u64::MAX), Err(Undecodable::Broken(_))));
    }
}
