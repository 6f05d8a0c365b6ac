//! Lines for tests of properties: messages behind the headers of common programs, and rubbish.

use proptest::prelude::*;

/// A message of one of several kinds, with values in it.
pub(crate) fn message() -> impl Strategy<Value = String> {
    let name = "[a-z]{3,8}";
    prop_oneof![
        (any::<u16>(), name).prop_map(|(n, name)| format!("order {n} of {name} was refused by the bank")),
        (any::<[u8; 4]>(), any::<u16>()).prop_map(|([a, b, c, d], port)| {
            format!("connection from {a}.{b}.{c}.{d}:{port} closed by peer")
        }),
        (any::<u32>(), name)
            .prop_map(|(n, name)| format!("session {n:08x} opened for user {name} on pts/{}", n % 9)),
        (1u32..90_000).prop_map(|ms| format!("checkpoint complete: wrote {} buffers in {ms} ms", ms / 7)),
        (any::<u64>()).prop_map(|n| format!("block blk_{n} is corrupt, 3 replicas left: {}", n % 5)),
        name.prop_map(|name| format!("cache of {name} is full, evicting the oldest entries")),
        (any::<u16>()).prop_map(|n| format!("retry {n} of 5 for https://pay.example.org/charge/{n}")),
        Just("shutting down".to_owned()),
        Just("ready to accept connections".to_owned()),
    ]
}

/// When, where and by whom a line was written.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    pub(crate) form: usize,
    pub(crate) day: u32,
    pub(crate) second: u32,
    pub(crate) host: String,
    pub(crate) pid: u32,
    pub(crate) thread: String,
}

pub(crate) fn origin() -> impl Strategy<Value = Origin> {
    // Some machines are called as levels are.
    let host = prop_oneof![
        9 => "[a-z]{1,8}[0-9]{0,3}",
        1 => prop::sample::select(&["log", "err", "info", "notice", "debug1"][..]).prop_map(str::to_owned),
    ];
    (0..FORMS, 10u32..29, 0u32..86_400, host, 1u32..99_999, "[a-z]{2,6}-[0-9]{1,3}")
        .prop_map(|(form, day, second, host, pid, thread)| Origin { form, day, second, host, pid, thread })
}

pub(crate) const FORMS: usize = 18;

impl Origin {
    /// The message behind one of the common headers.
    pub(crate) fn line(&self, message: &str) -> String {
        let Self { form, day, second, host, pid, thread } = self;
        let clock = format!("{:02}:{:02}:{:02}", second / 3600, second / 60 % 60, second % 60);
        let ms = pid % 1000;
        match form {
            0 => format!("Feb {day} {clock} {host} shop[{pid}]: {message}"),
            1 => format!("<13>Feb {day} {clock} {host} shop[{pid}]: {message}"),
            2 => format!("<13>1 2024-02-{day}T{clock}Z {host} shop {pid} - - {message}"),
            3 => format!("2024-02-{day}T{clock}+01:00 {host} shop[{pid}]: {message}"),
            4 => format!("2024-02-{day} {clock},{ms:03} ERROR [{thread}] org.shop.Cart: {message}"),
            5 => format!("2024-02-{day} {clock}.{ms:03}  WARN {pid} --- [{thread}] o.s.Cart : {message}"),
            6 => format!("2024-02-{day} {clock} {pid} ERROR {message}"),
            7 => format!("E02{day} {clock}.{ms:06} {pid:>7} cart.go:{pid}] {message}"),
            8 => format!("[2024-02-{day} {clock} +0000] [{pid}] [ERROR] {message}"),
            9 => format!("2024-02-{day} {clock}.{ms:03} UTC [{pid}] LOG:  {message}"),
            10 => format!("02-{day} {clock}.{ms:03} {pid:>5} {pid:>5} I {message}"),
            11 => format!("{day}-Feb-2024 {clock}.{ms:03} INFO [{thread}] org.shop.Cart.run {message}"),
            12 => format!("[Mon Feb {day} {clock} 2024] [notice] {message}"),
            13 => format!("2024/02/{day} {clock} [warn] {message}"),
            14 => format!("2024-02-{day}T{clock}.{ms:03}Z\tINFO\tcart/run.go:{pid}\t{message}"),
            15 => format!(
                "{{\"time\":\"2024-02-{day}T{clock}Z\",\"level\":\"info\",\"pid\":{pid},\"host\":\"{host}\",\"msg\":\"{message}\"}}"
            ),
            16 => format!("time=2024-02-{day}T{clock}Z level=info pid={pid} host={host} msg=\"{message}\""),
            _ => format!("{} INFO {message}", 1_708_000_000 + second + day * 86_400),
        }
    }
}

/// Numbers that look random, the same each time.
pub(crate) fn scattered(n: u64) -> u64 {
    let n = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let n = (n ^ (n >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    n ^ (n >> 31)
}

/// Lines that no program means to write.
pub(crate) fn odd_lines() -> Vec<String> {
    const MIB: usize = 1 << 20;
    let fill = |text: &str| text.repeat(MIB / text.len() + 1);
    let bytes: Vec<u8> = (0..MIB as u64).map(|n| scattered(n) as u8).collect();
    let mut lines =
        vec![String::from_utf8_lossy(&bytes).into_owned(), bytes.iter().map(|b| char::from(*b)).collect()];
    for text in [
        "a",
        "word ",
        "1",
        "1 ",
        "1.2.3.4 ",
        "\"",
        "\"a\" ",
        "'",
        "\\",
        "\\\"",
        "=",
        "a=1 ",
        "[",
        "{\"a\":",
        "[1,2],",
        "(",
        "<",
        "</a>",
        "/a",
        "\\x",
        ":",
        "::",
        "-",
        ".",
        ",",
        "a,",
        ";",
        "|",
        "\t",
        "\u{0}",
        "\u{1b}[31m",
        "\u{fffd}",
        "é",
        "的",
        "\u{1f525} ",
        "2024-03-05 ",
        "11:22:33 ",
        "Mar  5 ",
        "0x1f ",
        "INFO ",
        "at a.b(C.java:1) ",
    ] {
        lines.push(fill(text));
        lines.push(format!("2024-03-05 11:22:33 ERROR {}", fill(text)));
        lines.push(format!("Mar  5 11:22:33 web1 app[1]: {}", fill(text)));
        lines.push(format!("{{\"msg\":\"{}\"}}", fill(text)));
        lines.push(format!("level=info msg=\"{}\"", fill(text)));
        lines.push(format!("1709637753,a,b,{}", fill(text)));
    }
    lines
}
