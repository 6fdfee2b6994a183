//! Compression of polling responses (RFC 9110, section 8.4), as the official server has it on by default.
//!
//! Of WebSocket messages there is none: its state would cost each connection memory.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use http::{HeaderMap, HeaderValue, header};

/// From how many bytes on a body is compressed on a thread for such work: it takes a millisecond and more.
const LARGE: usize = 64 * 1024;

/// A way to encode a body. Both are deflate, and differ in what is around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    Gzip,
    Deflate,
}

impl Encoding {
    /// The one that the client likes best; of two the one it names first. `None` if it takes neither.
    pub(crate) fn accepted(headers: &HeaderMap) -> Option<Self> {
        let mut best = None;
        let mut named = [false; 2];
        let mut best_quality = 0.0;
        let mut anything = 0.0;
        let values = headers.get_all(header::ACCEPT_ENCODING);
        for part in values.iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(',')) {
            let mut parameters = part.split(';').map(str::trim);
            let name = parameters.next().unwrap_or_default();
            let quality =
                parameters.find_map(|parameter| parameter.strip_prefix("q=")).map_or(Ok(1.0), str::parse);
            // A quality that is no number means that the encoding is not wanted.
            let quality: f32 = quality.unwrap_or(0.0);
            let encoding = if name.eq_ignore_ascii_case("gzip") || name.eq_ignore_ascii_case("x-gzip") {
                Self::Gzip
            } else if name.eq_ignore_ascii_case("deflate") {
                Self::Deflate
            } else {
                if name == "*" {
                    anything = quality;
                }
                continue;
            };
            named[encoding as usize] = true;
            if quality > best_quality {
                (best, best_quality) = (Some(encoding), quality);
            }
        }
        best.or_else(|| (anything > 0.0 && !named[Self::Gzip as usize]).then_some(Self::Gzip))
    }

    pub(crate) fn header(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
        })
    }

    /// Compresses `body`, quickly rather than tightly. `None` if that fails, and it goes out as it is.
    pub(crate) async fn compress(self, body: &bytes::Bytes) -> Option<Vec<u8>> {
        if body.len() < LARGE {
            return self.compress_now(body);
        }
        let body = body.clone();
        match tokio::task::spawn_blocking(move || self.compress_now(&body)).await {
            Ok(compressed) => compressed,
            Err(error) => {
                tracing::warn!(%error, "a polling response could not be compressed");
                None
            }
        }
    }

    fn compress_now(self, body: &[u8]) -> Option<Vec<u8>> {
        let target = Vec::with_capacity(body.len() / 4);
        let compressed = match self {
            Self::Gzip => {
                let mut encoder = GzEncoder::new(target, Compression::fast());
                encoder.write_all(body).and_then(|()| encoder.finish())
            }
            Self::Deflate => {
                let mut encoder = ZlibEncoder::new(target, Compression::fast());
                encoder.write_all(body).and_then(|()| encoder.finish())
            }
        };
        compressed
            .inspect_err(|error| tracing::warn!(%error, "a polling response could not be compressed"))
            .ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_client_chooses_the_encoding() {
        let accepted = |value: &'static str| {
            Encoding::accepted(&HeaderMap::from_iter([(
                header::ACCEPT_ENCODING,
                HeaderValue::from_static(value),
            )]))
        };
        for value in ["gzip", "gzip, deflate", "GZIP;q=0.5", "br, gzip", "*", "identity, *;q=0.1", "x-gzip"] {
            assert_eq!(accepted(value), Some(Encoding::Gzip), "{value}");
        }
        for value in ["deflate", "deflate, gzip", "gzip;q=0.5, deflate", "gzip;q=0, deflate;q=0.1"] {
            assert_eq!(accepted(value), Some(Encoding::Deflate), "{value}");
        }
        for value in ["", "br", "identity", "gzip;q=0", "gzip;q=x", "gzip;q=0, *", "*;q=0"] {
            assert_eq!(accepted(value), None, "{value}");
        }
        assert_eq!(Encoding::accepted(&HeaderMap::new()), None);
    }
}
