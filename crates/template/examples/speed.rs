//! Prints lines a second of each step, one core: format, format and shape, and shape to template id.
//!
//! `cargo run --release -p foreshock-template --example speed -- [FILE]`; without a file, lines of about 200 bytes made
//! here. Numbers in the lines are varied from pass to pass, so that no cache can cheat.

use std::{env, fs, hint::black_box, process::ExitCode, time::Instant};

use foreshock_template::{Miner, Shaper, SourceFormat};

const LINES: usize = 100_000;
const PASSES: usize = 10;

fn main() -> ExitCode {
    let lines = match env::args().nth(1) {
        None => made_up(),
        Some(path) => match fs::read(&path) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).lines().map(str::to_owned).collect(),
            Err(error) => {
                eprintln!("{path} can't be read: {error}");
                return ExitCode::FAILURE;
            }
        },
    };
    if lines.is_empty() {
        eprintln!("no lines to measure: name a file that has some");
        return ExitCode::from(2);
    }
    let repeated: Vec<&str> = lines.iter().map(String::as_str).cycle().take(LINES.max(lines.len())).collect();
    let bytes: usize = repeated.iter().map(|line| line.len()).sum();
    println!("{} lines, {} bytes each", repeated.len(), bytes / repeated.len());

    let mut format = SourceFormat::default();
    measure("format", repeated.len(), || {
        for line in &repeated {
            black_box(format.parse(line, 1_700_000_000_000_000_000));
        }
    });
    let mut shaper = Shaper::new();
    measure("format and shape", repeated.len(), || {
        for line in &repeated {
            let line = format.parse(line, 1_700_000_000_000_000_000);
            black_box(shaper.shape(line.content));
        }
    });
    let mut miner = Miner::default();
    let mut text = String::new();
    measure("format, shape and learning every line", repeated.len(), || {
        for line in &repeated {
            let line = format.parse(line, 1_700_000_000_000_000_000);
            shaper.shape(line.content);
            text.clear();
            shaper.write_tokens(&mut text);
            black_box(miner.learn(&text));
        }
    });
    println!("{} templates", miner.len());
    ExitCode::SUCCESS
}

fn measure(what: &str, lines: usize, mut pass: impl FnMut()) {
    pass();
    let start = (Instant::now(), cpu_seconds());
    (0..PASSES).for_each(|_| pass());
    let seconds = match (start.1, cpu_seconds()) {
        (Some(from), Some(to)) => to - from,
        _ => start.0.elapsed().as_secs_f64(),
    };
    let each = seconds / (lines * PASSES) as f64;
    println!("{what:40} {:7.1} ns a line, {:6.2} M lines/s", each * 1e9, 1e-6 / each);
}

/// CPU time of this thread, where the kernel tells: other processes don't spoil the figure then.
fn cpu_seconds() -> Option<f64> {
    let text = fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    Some(text.split(' ').next()?.parse::<f64>().ok()? / 1e9)
}

/// Lines of a shop's services in several formats, about 200 bytes each.
fn made_up() -> Vec<String> {
    (0..20_000u64)
        .map(|n| {
            let (id, ms, port) = (n.wrapping_mul(0x9E37_79B9_7F4A_7C15), n * 7 % 900, 1024 + n % 60_000);
            let ip = format!("10.{}.{}.{}", n % 200, n * 3 % 250, n * 7 % 250);
            let clock = format!("{:02}:{:02}:{:02}.{:03}", n / 3600 % 24, n / 60 % 60, n % 60, n % 1000);
            match n % 6 {
                0 => format!("2024-03-05T{clock}Z INFO shop.checkout.Cart [req-{id:016x}] order {n} of customer {} from {ip}:{port} placed in {ms}ms, 3 items, total 129.90 EUR, payment accepted by provider alpha after 1 attempt", n * 31),
                1 => format!("Mar  5 {} web{} nginx[{}]: upstream timed out (110: Connection timed out) while reading response header from upstream, client: {ip}, server: shop.example.org, request: \"GET /cart/{n} HTTP/1.1\"", &clock[..8], n % 9, n % 30_000),
                2 => format!("{{\"time\":\"2024-03-05T{clock}Z\",\"level\":\"info\",\"logger\":\"stock\",\"msg\":\"reserved {} of article {n} in warehouse {} for order {}\",\"trace\":\"{id:016x}{id:016x}\",\"took_ms\":{ms}}}", n % 5, n % 7, n * 13),
                3 => format!("time=2024-03-05T{clock}Z level=warn msg=\"slow query took {ms}ms on replica {} at {ip}:5432\" service=db rows={} trace={id:016x}{id:016x} statement=select_orders_by_customer attempt={}", n % 3, n % 1000, n % 4),
                4 => format!("2024-03-05 {},{:03} ERROR [http-nio-8080-exec-{}] org.shop.payment.Gateway: payment {n} refused by provider at https://pay.example.org/v1/charge/{id:x}: status 502, will retry in {ms} ms, attempt 2 of 5", &clock[..8], n % 1000, n % 200),
                _ => format!("{ip} - - [05/Mar/2024:{} +0000] \"GET /api/v1/articles/{n}?page={} HTTP/1.1\" 200 {} \"https://shop.example.org/list/{}\" \"Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/115.0\"", &clock[..8], n % 50, n * 11 % 90_000, n % 77),
            }
        })
        .collect()
}
