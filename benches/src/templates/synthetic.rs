//! Lines made up here: services of a shop in six formats, any number of templates, words at random.

use crate::random::Random;

/// The nth line of a shop's services in six formats, about 200 bytes each.
pub(super) fn mixed(n: u64) -> String {
    let (id, ms, port) = (n.wrapping_mul(0x9E37_79B9_7F4A_7C15), n * 7 % 900, 1024 + n % 60_000);
    let ip = format!("10.{}.{}.{}", n % 200, n * 3 % 250, n * 7 % 250);
    let clock = format!("{:02}:{:02}:{:02}.{:03}", n / 3600 % 24, n / 60 % 60, n % 60, n % 1000);
    match n % 6 {
        0 => format!(
            "2024-03-05T{clock}Z INFO shop.checkout.Cart [req-{id:016x}] order {n} of customer {} from {ip}:{port} placed in {ms}ms, 3 items, total 129.90 EUR, payment accepted by provider alpha after 1 attempt",
            n * 31
        ),
        1 => format!(
            "Mar  5 {} web{} nginx[{}]: upstream timed out (110: Connection timed out) while reading response header from upstream, client: {ip}, server: shop.example.org, request: \"GET /cart/{n} HTTP/1.1\"",
            &clock[..8],
            n % 9,
            n % 30_000
        ),
        2 => format!(
            "{{\"time\":\"2024-03-05T{clock}Z\",\"level\":\"info\",\"logger\":\"stock\",\"msg\":\"reserved {} of article {n} in warehouse {} for order {}\",\"trace\":\"{id:016x}{id:016x}\",\"took_ms\":{ms}}}",
            n % 5,
            n % 7,
            n * 13
        ),
        3 => format!(
            "time=2024-03-05T{clock}Z level=warn msg=\"slow query took {ms}ms on replica {} at {ip}:5432\" service=db rows={} trace={id:016x}{id:016x} statement=select_orders_by_customer attempt={}",
            n % 3,
            n % 1000,
            n % 4
        ),
        4 => format!(
            "2024-03-05 {},{:03} ERROR [http-nio-8080-exec-{}] org.shop.payment.Gateway: payment {n} refused by provider at https://pay.example.org/v1/charge/{id:x}: status 502, will retry in {ms} ms, attempt 2 of 5",
            &clock[..8],
            n % 1000,
            n % 200
        ),
        _ => format!(
            "{ip} - - [05/Mar/2024:{} +0000] \"GET /api/v1/articles/{n}?page={} HTTP/1.1\" 200 {} \"https://shop.example.org/list/{}\" \"Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/115.0\"",
            &clock[..8],
            n % 50,
            n * 11 % 90_000,
            n % 77
        ),
    }
}

/// A word of letters, the same for the same number.
pub(super) fn word(mut n: u64) -> String {
    const SYLLABLES: [&str; 20] = [
        "ba", "ce", "di", "fo", "gu", "ha", "je", "ki", "lo", "mu", "na", "pe", "ri", "so", "tu", "va", "we",
        "xi", "yo", "zu",
    ];
    let mut word = String::new();
    for _ in 0..2 + n % 3 {
        word.push_str(SYLLABLES[(n % 20) as usize]);
        n /= 20;
    }
    word
}

/// The fixed parts of templates: words of their own, and places for values.
pub(super) struct Templates {
    words: Vec<Vec<String>>,
}

impl Templates {
    pub(super) fn new(count: usize) -> Self {
        let mut random = Random(count as u64);
        let words = (0..count)
            .map(|_| (0..4 + random.below(9)).map(|_| word(random.below(1 << 40))).collect())
            .collect();
        Self { words }
    }

    /// Appends a line of one of the templates, with values at random.
    pub(super) fn write_line(&self, random: &mut Random, line: &mut String) {
        use std::fmt::Write as _;
        let words = &self.words[random.below(self.words.len() as u64) as usize];
        let _ = write!(line, "2024-03-05T11:{:02}:{:02}Z INFO ", random.below(60), random.below(60));
        for (i, word) in words.iter().enumerate() {
            line.push_str(word);
            line.push(' ');
            if i % 3 == 2 {
                let _ = match i % 4 {
                    0 => write!(line, "{} ", random.below(100_000)),
                    1 => write!(line, "10.0.{}.{} ", random.below(250), random.below(250)),
                    2 => write!(line, "{:016x} ", random.below(u64::MAX)),
                    _ => write!(line, "{}ms ", random.below(9_000)),
                };
            }
        }
        line.pop();
    }
}
