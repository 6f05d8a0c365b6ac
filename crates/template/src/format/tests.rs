use proptest::prelude::*;

use super::*;

/// 2024-03-05T12:00:00Z.
const HINT: u64 = 1_709_640_000_000_000_000;
/// The moment of nearly every example.
const MOMENT: &str = "2024-03-05T11:22:33Z";

fn parse(line: &str) -> Line<'_> {
    SourceFormat::default().parse(line, HINT)
}

fn at(text: &str) -> Option<u64> {
    text.parse::<jiff::Timestamp>().ok().map(|at| at.as_nanosecond() as u64)
}

/// Line, format, time of day at most seconds finer than [`MOMENT`], level, logger, content.
type Example =
    (&'static str, Format, Option<&'static str>, Option<Level>, Option<&'static str>, &'static str);

const EXAMPLES: &[Example] = &[
    // Syslog.
    (
        "<34>Mar  5 11:22:33 web1 su[12]: 'su root' failed for ann",
        Format::Syslog,
        Some(MOMENT),
        Some(Level::Fatal),
        Some("su"),
        "'su root' failed for ann",
    ),
    (
        "Mar  5 11:22:33 web1 sshd(pam_unix)[2915]: session opened",
        Format::Syslog,
        Some(MOMENT),
        None,
        Some("sshd(pam_unix)"),
        "session opened",
    ),
    (
        "Mar  5 11:22:33 web1 kernel: [12.5] eth0: link up",
        Format::Syslog,
        Some(MOMENT),
        None,
        Some("kernel"),
        "[12.5] eth0: link up",
    ),
    (
        "Mar  5 11:22:33 web1 --- last message repeated 2 times ---",
        Format::Syslog,
        Some(MOMENT),
        None,
        None,
        "--- last message repeated 2 times ---",
    ),
    (
        "2024-03-05T11:22:33+00:00 web1 cron[7]: (root) CMD (run)",
        Format::Syslog,
        Some(MOMENT),
        None,
        Some("cron"),
        "(root) CMD (run)",
    ),
    (
        "2024-03-05T11:22:33+00:00 err cron[7]: (root) CMD (run)",
        Format::Syslog,
        Some(MOMENT),
        Some(Level::Error),
        Some("cron"),
        "(root) CMD (run)",
    ),
    (
        "<11>2024-03-05T11:22:33Z log app[7]: disk failed",
        Format::Syslog,
        Some(MOMENT),
        Some(Level::Error),
        Some("app"),
        "disk failed",
    ),
    (
        "2024-03-05 11:22:33 ERROR shard[7] lost its leader",
        Format::Header,
        Some(MOMENT),
        Some(Level::Error),
        None,
        "shard[7] lost its leader",
    ),
    (
        "Mar  5 11:22:33 web1 app[3]: [ERROR] no route",
        Format::Syslog,
        Some(MOMENT),
        Some(Level::Error),
        Some("app"),
        "no route",
    ),
    (
        "<165>1 2024-03-05T11:22:33Z db1 pg 99 ID47 [x@1 a=\"b]\\\"c\"][y@1] slow query",
        Format::Syslog5424,
        Some(MOMENT),
        Some(Level::Info),
        Some("pg"),
        "slow query",
    ),
    (
        "<11>1 2024-03-05T11:22:33Z db1 pg - - - failed",
        Format::Syslog5424,
        Some(MOMENT),
        Some(Level::Error),
        Some("pg"),
        "failed",
    ),
    // Structured.
    (
        r#"{"time":"2024-03-05T11:22:33Z","level":"warn","msg":"disk \"a\" slow","n":{"x":[1,"}"]}}"#,
        Format::Json,
        Some(MOMENT),
        Some(Level::Warn),
        None,
        r#"disk \"a\" slow"#,
    ),
    (
        r#"{"n":[1,{"a":"]"}],"severity":"ERROR","message":"failed","timestamp":1709637753000,"logger":"a.B"}"#,
        Format::Json,
        Some(MOMENT),
        Some(Level::Error),
        Some("a.B"),
        "failed",
    ),
    (
        r#"{"level":50,"time":1709637753000,"pid":7,"hostname":"h","msg":"refused"}"#,
        Format::Json,
        Some(MOMENT),
        Some(Level::Error),
        None,
        "refused",
    ),
    (
        r#"{"t":{"$date":"2024-03-05T11:22:33Z"},"s":"I","c":"NETWORK","msg":"Connection ended"}"#,
        Format::Json,
        Some(MOMENT),
        Some(Level::Info),
        Some("NETWORK"),
        "Connection ended",
    ),
    (
        r#"{"log":"level=info msg=\"cart ready\"\n","stream":"stdout","time":"2024-03-05T11:22:33Z"}"#,
        Format::Json,
        Some(MOMENT),
        Some(Level::Info),
        None,
        "cart ready",
    ),
    (
        r#"time=2024-03-05T11:22:33Z level=error msg="no such cart" id=7"#,
        Format::Logfmt,
        Some(MOMENT),
        Some(Level::Error),
        None,
        "no such cart",
    ),
    (
        r#"Mar  5 11:22:33 web1 app[3]: {"level":"error","msg":"no cart"}"#,
        Format::Json,
        Some(MOMENT),
        Some(Level::Error),
        Some("app"),
        "no cart",
    ),
    (
        "2024-03-05T11:22:33.000000000Z stderr F WARN: low memory",
        Format::Header,
        Some(MOMENT),
        Some(Level::Warn),
        None,
        "low memory",
    ),
    // Kubernetes, web servers.
    (
        "E0305 11:22:33.000000   77 kubelet.go:12] pod failed",
        Format::Klog,
        Some(MOMENT),
        Some(Level::Error),
        Some("kubelet.go:12"),
        "pod failed",
    ),
    (
        r#"10.0.0.1 - ann [05/Mar/2024:12:22:33 +0100] "GET /a HTTP/1.1" 503 12"#,
        Format::Access,
        Some(MOMENT),
        Some(Level::Error),
        None,
        r#""GET /a HTTP/1.1" 503 12"#,
    ),
    (
        "[Tue Mar 05 11:22:33.000000 2024] [core:error] [pid 7] AH1: no file",
        Format::Header,
        Some(MOMENT),
        Some(Level::Error),
        Some("core"),
        "AH1: no file",
    ),
    (
        "[Tue Mar 05 11:22:33 2024] [error] no file",
        Format::Header,
        Some(MOMENT),
        Some(Level::Error),
        None,
        "no file",
    ),
    (
        "2024/03/05 11:22:33 [warn] 12#12: *4 upstream slow",
        Format::Header,
        Some(MOMENT),
        Some(Level::Warn),
        None,
        "12#12: *4 upstream slow",
    ),
    // Java, Go, Python, Rust, Ruby and others.
    (
        "2024-03-05 11:22:33,000 INFO [main] org.shop.Cart: ready",
        Format::Header,
        Some(MOMENT),
        Some(Level::Info),
        Some("org.shop.Cart"),
        "ready",
    ),
    (
        "2024-03-05 11:22:33.000  WARN 12 --- [nio-1] o.s.Cart                : slow",
        Format::Header,
        Some(MOMENT),
        Some(Level::Warn),
        Some("o.s.Cart"),
        "slow",
    ),
    (
        "11:22:33.000 [main] DEBUG o.s.Cart - item added",
        Format::Header,
        Some(MOMENT),
        Some(Level::Debug),
        Some("o.s.Cart"),
        "item added",
    ),
    (
        "24/03/05 11:22:33 INFO exec.Backend: connected",
        Format::Header,
        Some(MOMENT),
        Some(Level::Info),
        Some("exec.Backend"),
        "connected",
    ),
    (
        "240305 112233 35 INFO dfs.Node$Server: block added",
        Format::Header,
        Some(MOMENT),
        Some(Level::Info),
        Some("dfs.Node$Server"),
        "block added",
    ),
    (
        "2024/03/05 11:22:33 main.go:12: listening",
        Format::Header,
        Some(MOMENT),
        None,
        Some("main.go:12:"),
        "listening",
    ),
    (
        "2024-03-05T11:22:33.000Z\tINFO\tapi\tapi/run.go:12\tlistening",
        Format::Header,
        Some(MOMENT),
        Some(Level::Info),
        Some("api"),
        "listening",
    ),
    (
        "2024-03-05 11:22:33,000 - shop.cart - ERROR - no item",
        Format::Header,
        Some(MOMENT),
        Some(Level::Error),
        Some("shop.cart"),
        "no item",
    ),
    (
        "[2024-03-05 11:22:33 +0000] [7] [INFO] Booting worker",
        Format::Header,
        Some(MOMENT),
        Some(Level::Info),
        None,
        "Booting worker",
    ),
    ("ERROR:shop.cart:no item", Format::LevelFirst, None, Some(Level::Error), Some("shop.cart"), "no item"),
    (
        "[2024-03-05T11:22:33Z INFO  shop::cart] ready",
        Format::Header,
        Some(MOMENT),
        Some(Level::Info),
        Some("shop::cart"),
        "ready",
    ),
    (
        "\u{1b}[2m2024-03-05T11:22:33Z\u{1b}[0m \u{1b}[32m INFO\u{1b}[0m shop::cart: ready",
        Format::Header,
        Some(MOMENT),
        Some(Level::Info),
        Some("shop::cart"),
        "ready",
    ),
    (
        "2024-03-05 11:22:33.000 UTC [12] LOG:  checkpoint complete",
        Format::Header,
        Some(MOMENT),
        Some(Level::Info),
        None,
        "checkpoint complete",
    ),
    (
        "2024-03-05T11:22:33.000Z 0 [Warning] [MY-1] [Server] old option",
        Format::Header,
        Some(MOMENT),
        Some(Level::Warn),
        None,
        "[Server] old option",
    ),
    (
        "03-05 11:22:33.000  170  239 W WindowTracker: no focus",
        Format::Header,
        Some(MOMENT),
        Some(Level::Warn),
        None,
        "WindowTracker: no focus",
    ),
    (
        "2024-03-05 11:22:33, Info                  CBS    started",
        Format::Header,
        Some(MOMENT),
        Some(Level::Info),
        None,
        "CBS    started",
    ),
    (
        "api.log.1.2024-03-05_11:00:00 2024-03-05 11:22:33.000 257 INFO shop.api.server [req-1 - -] 10.0.0.1 served",
        Format::Header,
        Some(MOMENT),
        Some(Level::Info),
        Some("shop.api.server"),
        "10.0.0.1 served",
    ),
    (
        "- 1709637753 2024.03.05 n1 2024-03-05-11.22.33.000000 n1 RAS APP FATAL no memory",
        Format::Header,
        Some(MOMENT),
        Some(Level::Fatal),
        None,
        "no memory",
    ),
    (
        "Mar 05, 2024 11:22:33 AM org.shop.Main run",
        Format::Header,
        Some(MOMENT),
        None,
        None,
        "org.shop.Main run",
    ),
    (
        "[INFO ] 2024-03-05 11:22:33.000 [main] Cart - ready",
        Format::Header,
        Some(MOMENT),
        Some(Level::Info),
        Some("Cart"),
        "ready",
    ),
    (
        "W, [2024-03-05T11:22:33.000 #77]  WARN -- : low memory",
        Format::Header,
        Some(MOMENT),
        Some(Level::Warn),
        None,
        "low memory",
    ),
    (
        "12:M 05 Mar 2024 11:22:33.000 # WARNING overcommit",
        Format::Header,
        Some(MOMENT),
        Some(Level::Warn),
        None,
        "overcommit",
    ),
    (
        "type=AVC msg=audit(1709637753.000:42): denied",
        Format::Plain,
        None,
        None,
        None,
        "type=AVC msg=audit(1709637753.000:42): denied",
    ),
    // No header, or next to none.
    ("WARNING: disk almost full", Format::LevelFirst, None, Some(Level::Warn), None, "disk almost full"),
    ("the ERROR count is 3", Format::Plain, None, None, None, "the ERROR count is 3"),
    (
        "job began 2024-03-05 11:22:33 on host a",
        Format::Plain,
        None,
        None,
        None,
        "job began 2024-03-05 11:22:33 on host a",
    ),
    (
        "2024-03-05 11:22:33 the lost ERROR was found",
        Format::Header,
        Some(MOMENT),
        None,
        None,
        "the lost ERROR was found",
    ),
    (
        "[03.05 11:22:33] mail.exe - host.example.org:25 open",
        Format::Header,
        Some(MOMENT),
        None,
        Some("mail.exe"),
        "host.example.org:25 open",
    ),
];

#[test]
fn each_format_is_read_as_a_person_would() {
    let mut wrong = Vec::new();
    for (line, format, time, level, logger, content) in EXAMPLES {
        let read = parse(line);
        let expected = (*format, time.and_then(at), *level, *logger, *content);
        let found = (read.format, read.time, read.level, read.logger, read.content);
        if found != expected {
            wrong.push(format!("{line}\n  expected {expected:?}\n  found    {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {} wrong:\n{}", wrong.len(), EXAMPLES.len(), wrong.join("\n"));
}

#[test]
fn a_source_keeps_count_of_what_was_found() {
    let mut source = SourceFormat::default();
    source.parse("2024-03-05 11:22:33 ERROR x", HINT);
    source.parse("plain", HINT);
    assert_eq!((source.format(), source.timed_share(), source.levelled_share()), (Format::Plain, 0.5, 0.5));
}

#[test]
fn empty_and_blank_lines_are_plain_and_empty() {
    for line in ["", " ", "\t\r\n", "\u{feff}"] {
        assert_eq!(parse(line), Line::default(), "{line:?}");
    }
}

#[test]
fn headers_longer_than_what_is_searched_do_no_harm() {
    let long = "x".repeat(600);
    for line in [
        format!("<34>1 2024-03-05T11:22:33Z {long} app 1 - - message"),
        format!("<34>Mar  5 11:22:33 {long} app[1]: message"),
        format!("2024-03-05 11:22:33 [{long}] ERROR message"),
        format!("2024-03-05 11:22:33 ERROR {long}: message"),
        format!("{}ERROR message", " ".repeat(600)),
        format!("2024-03-05 11:22:33 ERROR {}message", " ".repeat(600)),
        format!("2024-03-05 11:22:33 {}", "ä".repeat(600)),
    ] {
        assert!(line.ends_with(parse(&line).content), "{line}");
        assert!(!parse(&line).content.is_empty(), "{line}");
    }
}

fn pieces() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "2024-03-05",
        " ",
        "11:22:33",
        "[",
        "]",
        "<34>",
        "1 ",
        "{\"",
        "\"",
        ":",
        "INFO",
        "-",
        "msg",
        "=",
        "ä",
        "\\",
        "}",
        ",",
        "a.b.C:",
        "Mar  5 ",
        "1709637753",
        "|",
        "\t",
        "main.go:12",
        "E0305 ",
        "log",
        "stdout F ",
        "\u{1b}[",
        "(",
        "\u{0}",
    ]);
    prop::collection::vec(piece, 0..250).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn no_text_makes_it_panic_and_content_is_part_of_the_line(line in prop_oneof![pieces(), any::<String>()]) {
        let read = parse(&line);
        prop_assert!(line.contains(read.content));
    }

    #[test]
    fn time_host_and_process_do_not_change_the_content(
        second in 0u32..60, day in 10u32..28, host in "[a-z]{1,8}[0-9]{0,3}", pid in 1u32..99_999, thread in "[a-z]{1,6}-[0-9]{1,3}",
    ) {
        let message = "order was refused by the bank";
        for line in [
            format!("Feb {day} 10:00:{second:02} {host} shop[{pid}]: {message}"),
            format!("<13>Feb {day} 10:00:{second:02} {host} shop[{pid}]: {message}"),
            format!("<13>1 2024-02-{day}T10:00:{second:02}Z {host} shop {pid} - - {message}"),
            format!("2024-02-{day} 10:00:{second:02},{pid:03} ERROR [{thread}] org.shop.Cart: {message}"),
            format!("2024-02-{day} 10:00:{second:02} {pid} ERROR {message}"),
            format!("2024-02-{day} 10:00:{second:02}.001 ERROR {pid} --- [{thread}] o.s.Cart : {message}"),
            format!("E02{day} 10:00:{second:02}.000001 {pid} cart.go:12] {message}"),
            format!("[2024-02-{day} 10:00:{second:02} +0000] [{pid}] [ERROR] {message}"),
        ] {
            let read = parse(&line);
            prop_assert_eq!(read.content, message, "{}", line);
            prop_assert!(read.time.is_some(), "{}", line);
        }
    }
}
