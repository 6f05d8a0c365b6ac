//! What a line tells, in the formats of common systems: its parts are found without being told the format.

use foreshock_template::{Details, Format, Level, Line, SourceFormat, Zone};

/// 2024-03-05T12:00:00Z.
const HINT: u64 = 1_709_640_000_000_000_000;
/// The moment of every example.
const MOMENT: &str = "2024-03-05T11:22:33Z";

/// What is to be found in a line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Parts<'a> {
    level: Option<Level>,
    host: Option<&'a str>,
    logger: Option<&'a str>,
    process: Option<&'a str>,
    thread: Option<&'a str>,
    source: Option<&'a str>,
    request: Option<&'a str>,
    content: &'a str,
}

fn parts<'a>(line: &Line<'a>) -> Parts<'a> {
    let Details { process, thread, source, request } = line.details();
    Parts {
        level: line.level,
        host: line.host,
        logger: line.logger,
        process,
        thread,
        source,
        request,
        content: line.content,
    }
}

/// Checks every example, and shows all that are wrong.
fn check(examples: &[(&str, Format, Parts<'_>)]) {
    let moment = MOMENT.parse::<jiff::Timestamp>().map(|at| at.as_nanosecond() as u64).ok();
    let mut wrong = String::new();
    for (text, format, expected) in examples {
        let line = SourceFormat::default().parse(text, HINT);
        // A fraction of the second may follow.
        let time = line.time.map(|ns| ns - ns % 1_000_000_000);
        let found = (line.format, time, parts(&line));
        if found != (*format, moment, *expected) {
            wrong += &format!(
                "{text}\n  expected {format:?} {moment:?} {expected:?}\n  found    {:?} {time:?} {:?}\n",
                line.format, found.2
            );
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn process_thread_source_and_request_are_found_in_headers() {
    check(&[
        (
            "Mar  5 11:22:33 web1 nginx[812]: worker started",
            Format::Syslog,
            Parts { host: Some("web1"), logger: Some("nginx"), process: Some("812"), content: "worker started", ..Parts::default() },
        ),
        (
            "<165>1 2024-03-05T11:22:33Z db1 postgres 99 ID47 - slow query",
            Format::Syslog5424,
            Parts { level: Some(Level::Info), host: Some("db1"), logger: Some("postgres"), process: Some("99"), content: "slow query", ..Parts::default() },
        ),
        (
            "2024-03-05 11:22:33,250 ERROR [http-nio-8080-exec-4] org.shop.Cart: no item",
            Format::Header,
            Parts { level: Some(Level::Error), logger: Some("org.shop.Cart"), thread: Some("http-nio-8080-exec-4"), content: "no item", ..Parts::default() },
        ),
        (
            "2024-03-05 11:22:33.250  WARN 4711 --- [nio-1] o.s.Cart                : slow",
            Format::Header,
            Parts { level: Some(Level::Warn), logger: Some("o.s.Cart"), process: Some("4711"), thread: Some("nio-1"), content: "slow", ..Parts::default() },
        ),
        (
            "2024-03-05 11:22:33.250  INFO [shop,5af7183fb1d4cf5f,6b221d5bc9e6496c] 7 --- [main] o.s.Cart : ready",
            Format::Header,
            Parts { level: Some(Level::Info), logger: Some("o.s.Cart"), process: Some("7"), thread: Some("main"), request: Some("5af7183fb1d4cf5f"), content: "ready", ..Parts::default() },
        ),
        (
            "03-05 11:22:33.250  1702  2395 D PowerManager: awake",
            Format::Header,
            Parts { level: Some(Level::Debug), process: Some("1702"), thread: Some("2395"), content: "PowerManager: awake", ..Parts::default() },
        ),
        (
            "2024-03-05 11:22:33.250 257 INFO shop.api [req-38101a0b-2096-447d-96ea-a692162415ae 113d3a99 54fa - - -] 10.0.0.1 served",
            Format::Header,
            Parts { level: Some(Level::Info), logger: Some("shop.api"), process: Some("257"), request: Some("req-38101a0b-2096-447d-96ea-a692162415ae"), content: "10.0.0.1 served", ..Parts::default() },
        ),
        (
            "[Tue Mar 05 11:22:33.250000 2024] [core:error] [pid 7:tid 9] AH1: no file",
            Format::Header,
            Parts { level: Some(Level::Error), logger: Some("core"), process: Some("7"), thread: Some("9"), content: "AH1: no file", ..Parts::default() },
        ),
        (
            "I0305 11:22:33.250000   1234 server.go:77] listening",
            Format::Klog,
            Parts { level: Some(Level::Info), logger: Some("server.go:77"), thread: Some("1234"), source: Some("server.go:77"), content: "listening", ..Parts::default() },
        ),
        (
            "2024-03-05T11:22:33.250Z\tINFO\tapi\tapi/run.go:12\tlistening",
            Format::Header,
            Parts { level: Some(Level::Info), logger: Some("api"), source: Some("api/run.go:12"), content: "listening", ..Parts::default() },
        ),
        (
            "2024/03/05 11:22:33 main.go:12: listening",
            Format::Header,
            Parts { logger: Some("main.go:12:"), source: Some("main.go:12"), content: "listening", ..Parts::default() },
        ),
        (
            "W, [2024-03-05T11:22:33.250 #77]  WARN -- : low memory",
            Format::Header,
            Parts { level: Some(Level::Warn), process: Some("77"), content: "low memory", ..Parts::default() },
        ),
        (
            "12:M 05 Mar 2024 11:22:33.250 * Background saving started",
            Format::Header,
            Parts { process: Some("12"), content: "* Background saving started", ..Parts::default() },
        ),
        (
            "2024-03-05 11:22:33.250 CET [12] LOG:  checkpoint complete",
            Format::Header,
            Parts { level: Some(Level::Info), process: Some("12"), content: "checkpoint complete", ..Parts::default() },
        ),
        (
            "2024-03-05 11:22:33,250 INFO shop.cart TraceID: e8a3352051e85c13 SpanID: dea06c5b order placed",
            Format::Header,
            Parts { level: Some(Level::Info),  request: Some("e8a3352051e85c13"), content: "shop.cart TraceID: e8a3352051e85c13 SpanID: dea06c5b order placed", ..Parts::default() },
        ),
    ]
    .map(|(text, format, parts)| {
        // The zone that PostgreSQL writes is part of the moment.
        (if text.contains(" CET ") { "2024-03-05 12:22:33.250 CET [12] LOG:  checkpoint complete" } else { text }, format, parts)
    }));
}

#[test]
fn fields_of_structured_lines_are_found_wherever_they_stand() {
    check(&[
        (
            r#"{"ts":"2024-03-05T11:22:33Z","level":"error","pid":7,"thread":"main","caller":"a/b.go:3","trace_id":"5af7183fb1d4cf5f","msg":"no cart","host":"web1"}"#,
            Format::Json,
            Parts {
                level: Some(Level::Error),
                host: Some("web1"),
                process: Some("7"),
                thread: Some("main"),
                source: Some("a/b.go:3"),
                request: Some("5af7183fb1d4cf5f"),
                content: "no cart",
                ..Parts::default()
            },
        ),
        (
            r#"time=2024-03-05T11:22:33Z level=warn caller=a/b.go:3 msg="slow query" requestID=ab-12 host=web1"#,
            Format::Logfmt,
            Parts {
                level: Some(Level::Warn),
                host: Some("web1"),
                logger: Some("a/b.go:3"),
                source: Some("a/b.go:3"),
                request: Some("ab-12"),
                content: "slow query",
                ..Parts::default()
            },
        ),
        (
            r#"Mar  5 11:22:33 web1 cart[31]: {"level":"error","msg":"no cart","request_id":"r-1"}"#,
            Format::Json,
            Parts {
                level: Some(Level::Error),
                host: Some("web1"),
                logger: Some("cart"),
                request: Some("r-1"),
                content: "no cart",
                ..Parts::default()
            },
        ),
        (
            "Mar  5 11:22:33 web1 cart[31]: 2024-03-05 11:22:33,250 WARN [main] shop.Cart: low stock",
            Format::Header,
            Parts {
                level: Some(Level::Warn),
                host: Some("web1"),
                logger: Some("shop.Cart"),
                process: Some("31"),
                thread: Some("main"),
                content: "low stock",
                ..Parts::default()
            },
        ),
        (
            r#"2024-03-05 11:22:33,web1,INFO,checkout,"order 12 placed, 3 items",7"#,
            Format::Csv,
            Parts { level: Some(Level::Info), content: "order 12 placed, 3 items", ..Parts::default() },
        ),
        (
            r#""2024-03-05 11:22:33";"WARN";"db1";"replica ""b"" is behind";"12""#,
            Format::Csv,
            Parts { level: Some(Level::Warn), content: r#"replica ""b"" is behind"#, ..Parts::default() },
        ),
        (
            "20240305-11:22:33:250|Shop_Cart|30002312| item = 7, not first , type 1",
            Format::Csv,
            Parts { content: "item = 7, not first , type 1", ..Parts::default() },
        ),
        (
            "17,web1,2024-03-05T11:22:33Z,ERROR,payment refused by bank",
            Format::Csv,
            Parts { level: Some(Level::Error), content: "payment refused by bank", ..Parts::default() },
        ),
    ]);
}

#[test]
fn events_of_windows_and_of_routers_are_read() {
    check(&[
        (
            "Information\t3/5/2024 11:22:33 AM\tService Control Manager\t7036\tNone\tThe service entered the running state.",
            Format::Header,
            Parts {
                level: Some(Level::Info),
                content: "Service Control Manager\t7036\tNone\tThe service entered the running state.",
                ..Parts::default()
            },
        ),
        (
            "2024-03-05 11:22:33, Info                  CBS    Session: 1_2 initialized",
            Format::Header,
            Parts {
                level: Some(Level::Info),
                content: "CBS    Session: 1_2 initialized",
                ..Parts::default()
            },
        ),
        (
            "Mar  5 11:22:33 gw1 %LINK-3-UPDOWN: Interface Gi0/1, changed state to down",
            Format::Syslog,
            Parts {
                level: Some(Level::Error),
                host: Some("gw1"),
                logger: Some("LINK"),
                content: "%LINK-3-UPDOWN: Interface Gi0/1, changed state to down",
                ..Parts::default()
            },
        ),
        (
            "<189>45: *Mar  5 11:22:33.250: %SYS-5-CONFIG_I: Configured from console by ann",
            Format::Header,
            Parts {
                level: Some(Level::Info),
                logger: Some("SYS"),
                content: "%SYS-5-CONFIG_I: Configured from console by ann",
                ..Parts::default()
            },
        ),
        (
            "2024 Mar  5 11:22:33 sw1 %ETHPORT-5-IF_UP: Interface Ethernet1/2 is up",
            Format::Syslog,
            Parts {
                level: Some(Level::Info),
                host: Some("sw1"),
                logger: Some("ETHPORT"),
                content: "%ETHPORT-5-IF_UP: Interface Ethernet1/2 is up",
                ..Parts::default()
            },
        ),
        (
            "Mar  5 11:22:33.250 gw2 rpd[1513]: bgp peer 10.0.0.1 is down",
            Format::Syslog,
            Parts {
                host: Some("gw2"),
                logger: Some("rpd"),
                process: Some("1513"),
                content: "bgp peer 10.0.0.1 is down",
                ..Parts::default()
            },
        ),
    ]);
}

#[test]
fn text_beyond_ascii_is_read_as_any_other() {
    check(&[
        (
            "2024-03-05 11:22:33,250 ERROR [Verkäufer-1] shop.Kasse: Zahlung von Jürgen abgelehnt – 12 €",
            Format::Header,
            Parts {
                level: Some(Level::Error),
                logger: Some("shop.Kasse"),
                thread: Some("Verkäufer-1"),
                content: "Zahlung von Jürgen abgelehnt – 12 €",
                ..Parts::default()
            },
        ),
        (
            "Mar  5 11:22:33 主机 服务[7]: 连接失败",
            Format::Syslog,
            Parts {
                host: Some("主机"),
                logger: Some("服务"),
                process: Some("7"),
                content: "连接失败",
                ..Parts::default()
            },
        ),
    ]);
}

#[test]
fn a_source_shows_how_it_writes_dates_and_is_believed_anew_when_it_changes() {
    let mut source = SourceFormat::default();
    let mut day = |line: &str| {
        let ns = source.parse(line, 0).time.unwrap_or(0);
        jiff::Timestamp::from_nanosecond(i128::from(ns))
            .map(|at| at.to_string()[..10].to_owned())
            .unwrap_or_default()
    };
    assert_eq!(day("02/03/2024 11:22:33 INFO x"), "2024-02-03", "month first, as long as nothing is known");
    assert_eq!(day("25/02/2024 11:22:33 INFO x"), "2024-02-25");
    assert_eq!(day("02/03/2024 11:22:33 INFO x"), "2024-03-02");
    for _ in 0..20 {
        day("25/02/2024 11:22:33 INFO x");
    }
    // Another program writes the file now.
    let turn = (0..20).position(|_| {
        day("02/25/2024 11:22:33 INFO x");
        day("02/03/2024 11:22:33 INFO x") == "2024-02-03"
    });
    assert!(turn.is_some_and(|lines| lines < 9), "{turn:?}");
}

#[test]
fn a_zone_moves_the_times_without_one_and_nothing_else() {
    let mut source = SourceFormat::default();
    let zone = Zone::fixed(-300);
    for (line, hours) in [
        ("2024-03-05 11:22:33 INFO ready", 5),
        ("Mar  5 11:22:33 web1 app[1]: ready", 5),
        ("2024-03-05T11:22:33Z INFO ready", 0),
        ("2024-03-05 12:22:33 +0100 INFO ready", 0),
        (r#"{"time":"2024-03-05 11:22:33","msg":"ready"}"#, 5),
        (r#"{"time":1709637753,"msg":"ready"}"#, 0),
    ] {
        let here = source.parse(line, HINT);
        let there = source.parse_in(line, HINT, &zone);
        assert_eq!(there.time, here.time.map(|ns| ns + hours * 3_600_000_000_000), "{line}");
        assert_eq!(parts(&there), parts(&here), "{line}");
    }
}
