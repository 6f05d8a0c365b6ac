use proptest::prelude::*;

use super::*;

fn hidden(line: &str, secret: &str) {
    let masked = mask_secrets(line);
    assert!(!masked.contains(secret), "{masked}");
    assert!(masked.contains(MASK), "{masked}");
}

#[test]
fn secrets_of_each_kind_are_hidden() {
    for (line, secret) in [
        ("login user=ann password=hunter22 ok", "hunter22"),
        ("DB_PASSWORD='p w,d' set", "p w,d"),
        (r#"{"user":"ann","api_key":"abc-123-def","n":1}"#, "abc-123-def"),
        (r#"body: {\"client_secret\": \"s3cr3tvalue\"}"#, "s3cr3tvalue"),
        ("Authorization: Basic dXNlcjpwYXNzd29yZA==", "dXNlcjpwYXNzd29yZA"),
        ("sent header bearer a1b2c3d4e5f6", "a1b2c3d4e5f6"),
        ("cloning https://ann:pa55@git.example.org/x.git", "pa55"),
        ("run --token abcdef --verbose", "abcdef"),
        ("mail to ann.lee+shop@example.org failed", "ann.lee+shop@example.org"),
        ("charged 4111 1111 1111 1111 twice", "1111 1111"),
        ("charged 4111111111111111 twice", "4111111111111111"),
        ("jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl seen", "eyJzdWIiOiIxIn0"),
        ("key AKIAIOSFODNN7EXAMPLE rotated", "AKIAIOSFODNN7EXAMPLE"),
        ("-----BEGIN RSA PRIVATE KEY----- MIIEow -----END RSA PRIVATE KEY----- done", "MIIEow"),
        ("-----BEGIN PRIVATE KEY----- MIIEow", "MIIEow"),
        ("Cookie: sid=abc; theme=dark", "sid=abc"),
        ("https://x.org/cb?access_token=zzz999&state=1", "zzz999"),
    ] {
        hidden(line, secret);
    }
}

#[test]
fn a_secret_is_hidden_wherever_it_stands() {
    assert_eq!(mask_secrets("password=hunter22; user typed hunter22"), "password=***; user typed ***");
}

#[test]
fn lines_without_secrets_stay_as_they_are() {
    for line in [
        "Failed password for root from 10.0.0.1 port 22 ssh2",
        "tokens=512 max_tokens=1024 took 1709637753250 ns",
        "order 4111111111111112 is no card",
        "GET /a/b?x=1 200",
        "größer als 10 %",
    ] {
        assert!(matches!(mask_secrets(line), Cow::Borrowed(same) if same == line), "{line}");
    }
}

#[test]
fn control_characters_go() {
    assert_eq!(mask_secrets("\u{1b}[31mred\u{1b}[0m\tend\u{7}\u{202e}x\n"), "red endx ");
}

#[test]
fn a_long_line_is_cut_at_a_character() {
    let masked = mask_secrets(&"ä".repeat(5000)).into_owned();
    assert_eq!(masked.len(), "…".len(), "one endless token is left out");
    let masked = mask_secrets(&"ä ".repeat(3000)).into_owned();
    assert!(masked.len() <= MAX_MASKED_BYTES && masked.ends_with('…'));
}

proptest! {
    #[test]
    fn what_is_masked_is_never_in_the_output(before in "[ -~]{0,40}", secret in "[a-zA-Z0-9]{8,30}", after in "[ -~]{0,40}") {
        // Quotes and backslashes before the name may change what is a value.
        prop_assume!(!before.contains(['"', '\'', '\\', '`']));
        for line in [
            format!("{before} password={secret} {after} {secret}"),
            format!("{before} \"token\": \"{secret}\", {after}"),
            format!("{before} https://u:{secret}@h.example {after}"),
        ] {
            let masked = mask_secrets(&line);
            prop_assert!(!masked.contains(&secret), "{line} -> {masked}");
        }
    }

    #[test]
    fn any_text_is_masked_without_panic_and_within_bounds(line in "\\PC{0,300}") {
        let masked = mask_secrets(&line);
        prop_assert!(masked.len() <= MAX_MASKED_BYTES);
        prop_assert!(!masked.chars().any(is_control));
    }

    #[test]
    fn masking_again_changes_nothing(line in "([a-z=:\"' ]|password|token|@|1|4){0,60}") {
        let once = mask_secrets(&line).into_owned();
        prop_assert_eq!(mask_secrets(&once), once.as_str());
    }
}
