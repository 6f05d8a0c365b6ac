//! Text that goes into the page. Whatever comes from logs goes through here: secrets masked, control characters out,
//! every character that means something to HTML written so that it means itself.

use std::fmt::{self, Write};

use foreshock_template::mask_secrets;

/// Text from outside, to be shown as it is.
pub(super) struct Text<'a>(pub(super) &'a str);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        escape(f, &mask_secrets(self.0))
    }
}

/// A template: its variable parts are set apart.
pub(super) struct Template<'a>(pub(super) &'a str);

impl fmt::Display for Template<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut pieces = mask_secrets(self.0).split("<*>").map(str::to_owned).collect::<Vec<_>>().into_iter();
        escape(f, &pieces.next().unwrap_or_default())?;
        for piece in pieces {
            f.write_str("<var>&lt;*&gt;</var>")?;
            escape(f, &piece)?;
        }
        Ok(())
    }
}

fn escape(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    for c in text.chars() {
        match c {
            '&' => f.write_str("&amp;")?,
            '<' => f.write_str("&lt;")?,
            '>' => f.write_str("&gt;")?,
            '"' => f.write_str("&quot;")?,
            '\'' => f.write_str("&#39;")?,
            c => f.write_char(c)?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_text_is_text_and_shows_no_secret() {
        let line = "</code><script>alert(1)</script> \"&' password=hunter2 \u{1b}[31m\u{202e}red";
        let shown = Text(line).to_string();
        assert!(!shown.contains(['<', '>', '"', '\'', '\u{1b}', '\u{202e}']), "{shown}");
        assert!(shown.starts_with("&lt;/code&gt;&lt;script&gt;") && !shown.contains("hunter2"), "{shown}");
        assert_eq!(
            Template("a <*> <b> c=<*>").to_string(),
            "a <var>&lt;*&gt;</var> &lt;b&gt; c=<var>&lt;*&gt;</var>"
        );
    }
}
