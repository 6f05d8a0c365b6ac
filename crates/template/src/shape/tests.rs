use proptest::prelude::*;

use super::*;

fn shape(content: &str) -> String {
    let mut shaper = Shaper::new();
    let found = shaper.shape(content);
    let mut text = String::new();
    shaper.write_tokens(&mut text);
    assert_eq!(found.hash, ShapeHash::of_text(&text), "{content}");
    assert_eq!(
        usize::from(found.tokens),
        text.split(' ').filter(|token| !token.is_empty()).count(),
        "{content}: {text}"
    );
    text
}

#[test]
fn parameters_of_each_kind_are_lifted() {
    for (content, expected) in [
        ("took 12 of -3.5e9 tries, 1,234 left", "took <num> of <num> tries, <num> left"),
        ("took 12ms, then 1.5s and 1h2m3s", "took <dur>, then <dur> and <dur>"),
        ("took 12 ms. sent (2.85 KB)", "took <dur>. sent (<size>)"),
        ("wrote 4096 bytes (4 KB) to disk", "wrote <num> bytes to disk"),
        ("limit is 512MiB at 99%", "limit is <size> at <num>"),
        ("from 10.0.0.1:4100 to /10.0.0.2:80, net 10.0.0.0/8", "from <ip> to /<ip>, net <ip>"),
        ("peer fe80::1:2%eth0 or 00:1a:2b:3c:4d:5e", "peer <ip> or <ip>"),
        ("id 6f9619ff-8b86-d011-b42d-00cf4fc964ff at 0x7ffe12", "id <uuid> at <hex>"),
        ("commit 5ac2f7b1 and deadbeef", "commit <hex> and deadbeef"),
        ("open /var/log/a.log: C:\\Temp\\x.txt or lib/a.so", "open <path>: <path> or <path>"),
        ("get https://a.example/x?y=1. done", "get <url>. done"),
        ("mail ann@example.org now", "mail <email> now"),
        ("via proxy.example.org:3128 and a.b.example.com", "via <host> and <host>"),
        ("user=ann uid=0, tty= rhost=10.0.0.1 ok", "user=<val> uid=<val>, tty=<val> rhost=<val> ok"),
        ("name=\"Ann Lee\" said 'no way' twice", "name=<val> said <str> twice"),
        ("it's ann's turn", "it's ann's turn"),
        ("blk_-1608999687919862906 on node-12 by task_01_m_000003", "blk_<num> on node-<num> by <id>"),
        ("at Sat Jul 16 08:14:07 2005 and 2024-03-05T11:22:33Z", "at <time> and <time>"),
        ("1 2 3 4 done", "<num> done"),
        ("1, 2, 3 done", "<num> done"),
        ("version 1.2.3 of app", "version <ver> of app"),
        ("lifetime <1 sec or 01:55", "lifetime <dur> or <time>"),
        ("connection from (host.example.org) and ()", "connection from (<host>) and (<val>)"),
        ("{\"a\": \"b c\", \"n\": 12}", "{\"a\": <str>, \"n\": <num>}"),
        ("\"GET /a/b?c=1 HTTP/1.1\" 200", "\"GET <path> HTTP/<num>.<num>\" <num>"),
        ("größe 12 für straße", "größe <num> für straße"),
        ("a == b => c", "a == b => c"),
        ("file \"a\": gone, file \"b.c\": kept", "file <str>: gone, file <str>: kept"),
        ("unknown tags [red, old, x-1] of 12", "unknown tags [<val>] of <num>"),
        ("unknown tags [\"red\",\"old\"] of 12", "unknown tags [<str>] of <num>"),
        ("args (1, 2, 3), (left, right). done", "args (<val>), (<val>). done"),
        ("it (the job, that is) ended", "it (the job, that is) ended"),
        ("lock ws=WorkSource{10113}, tag=f(a), uid=(7)", "lock ws=<val>, tag=<val>, uid=(<num>)"),
        ("", ""),
    ] {
        assert_eq!(shape(content), expected, "{content}");
    }
}

#[test]
fn parameters_are_told_with_their_place() {
    let content = "user=ann paid 12.5 EUR in 30 ms from 10.0.0.1";
    let mut shaper = Shaper::new();
    shaper.shape(content);
    let found: Vec<_> = shaper
        .parameters()
        .iter()
        .map(|parameter| (parameter.kind, &content[parameter.start as usize..parameter.end as usize]))
        .collect();
    assert_eq!(
        found,
        [
            (ParameterKind::Value, "ann"),
            (ParameterKind::Number, "12.5"),
            (ParameterKind::Duration, "30 ms"),
            (ParameterKind::Ip, "10.0.0.1"),
        ]
    );
}

#[test]
fn work_and_shape_are_bounded_whatever_the_line_holds() {
    let mut shaper = Shaper::new();
    for line in [
        "word ".repeat(200_000),
        "x".repeat(1 << 20),
        "1".repeat(1 << 20),
        "\"".repeat(1 << 20),
        "=".repeat(1 << 20),
        "a=".repeat(1 << 19),
        "[({".repeat(1 << 18),
        "\u{0}\u{1}\u{fffd}é".repeat(1 << 17),
        "/a".repeat(1 << 19),
        "'a ".repeat(1 << 18),
    ] {
        let found = shaper.shape(&line);
        assert!(usize::from(found.tokens) <= MAX_TOKENS + 1);
        assert!(shaper.parameters().len() <= MAX_PARAMETERS);
        assert!(shaper.text.len() <= 8 * MAX_CONTENT_BYTES, "{}", shaper.text.len());
    }
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(content in any::<String>()) {
        shape(&content);
    }

    #[test]
    fn marks_in_any_order_do_not_make_it_panic(content in "[a1.,:;=\"'\\\\/<>()\\[\\]@#é -]{0,80}") {
        let text = shape(&content);
        let mut shaper = Shaper::new();
        prop_assert!(usize::from(shaper.shape(&content).tokens) <= MAX_TOKENS + 1);
        for parameter in shaper.parameters() {
            prop_assert!(content.get(parameter.start as usize..parameter.end as usize).is_some(), "{} {}", content, text);
        }
    }

    #[test]
    fn other_values_make_the_same_shape(
        a in any::<u32>(), b in 0u64..10_000_000_000_000, ip in any::<[u8; 4]>(), port in 1u16..,
        hex in any::<u128>(), hour in 0u32..24, minute in 0u32..60, word in "[a-z]{1,10}",
    ) {
        let [i, j, k, l] = ip;
        let uuid = format!("{:08x}-{:04x}-{:04x}-{:04x}-{:012x}", hex as u32, (hex >> 32) as u16, (hex >> 48) as u16, (hex >> 64) as u16, (hex >> 80) as u64 & 0xffff_ffff_ffff);
        let content = format!(
            "request {a} of user={word} from {i}.{j}.{k}.{l}:{port} took {b}ms, id {uuid} at {hour:02}:{minute:02}:07 wrote /data/{word}/{a}.log with code={a} 'in {word}' blk_{b} <{word}{a}@example.org>"
        );
        prop_assert_eq!(
            shape(&content),
            "request <num> of user=<val> from <ip> took <dur>, id <uuid> at <time> wrote <path> with code=<val> <str> blk_<num> <<email>>"
        );
    }

    #[test]
    fn a_shaper_remembers_nothing(first in any::<String>(), second in any::<String>()) {
        let mut shaper = Shaper::new();
        shaper.shape(&first);
        prop_assert_eq!(shaper.shape(&second), Shaper::new().shape(&second));
    }
}

#[test]
fn there_is_one_parameter_for_each_mark_whatever_a_line_repeats() {
    let mut shaper = Shaper::new();
    for line in [
        "took 3 ms of 5 s ref=0a1b2c3d ref=1a1b2c3d ref=2a1b2c3d end",
        "sizes 1, 2, 3, 4 and 2928 bytes (2.85 KB) of 10.0.0.1:80",
        "user=bob uid=7 id=550e8400-e29b-41d4-a716-446655440000 at Mar 5 11:22:33",
        "nothing here",
    ] {
        shaper.shape(line);
        let mut text = String::new();
        shaper.write_tokens(&mut text);
        let told: Vec<_> = shaper.parameters().iter().map(|parameter| parameter.kind).collect();
        let marked: Vec<_> = crate::marks(&text).iter().map(|mark| mark.kind).collect();
        assert_eq!(told, marked, "{line}: {text}");
    }
}
