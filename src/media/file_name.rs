//! Sanitizes file names for display: no paths, no invisible characters, bounded length (promise P9).

/// The longest file name, in bytes.
const MAX_LEN: usize = 255;

/// Returns a client's file name without unsafe parts, or `None` if nothing is left.
///
/// Removes everything up to the last separator of either kind, and with it directories and `..`; then
/// control characters and invisible characters. Among these are the characters that change the direction of
/// text (Unicode's `Bidi_Control`) and can display `gnp.exe` as `exe.png`. U+200C and U+200D stay, because
/// Persian and Hindi words and joined emoji need them.
pub(crate) fn display_name(name: &str) -> Option<String> {
    let base = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let mut shown = String::new();
    for c in base.chars().filter(|c| !c.is_control() && !is_invisible(*c)) {
        if shown.len() + c.len_utf8() > MAX_LEN {
            break;
        }
        shown.push(c);
    }
    let shown = shown.trim();
    let is_visible = shown.chars().any(|c| !matches!(c, '\u{200c}' | '\u{200d}'));
    (is_visible && shown != "." && shown != "..").then(|| shown.to_owned())
}

fn is_invisible(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::display_name;

    #[test]
    fn p09_a_name_has_no_path_and_no_invisible_characters() {
        for (given, shown) in [
            ("cat.png", Some("cat.png")),
            ("../../etc/passwd", Some("passwd")),
            (r"C:\Users\ana\cat.png", Some("cat.png")),
            ("cat\0\r\n.png", Some("cat.png")),
            ("cat\u{202e}gnp.exe", Some("catgnp.exe")),
            ("\u{feff} Größe 日本 🐈.png ", Some("Größe 日本 🐈.png")),
            ("می\u{200c}خواهم.png", Some("می\u{200c}خواهم.png")),
            ("👨\u{200d}👩.png", Some("👨\u{200d}👩.png")),
            ("a\u{200b}\u{200e}\u{200f}\u{202a}\u{2066}\u{2069}b.png", Some("ab.png")),
            ("\u{200d}\u{200c}", None),
            ("..", None),
            ("dir/", None),
            ("", None),
        ] {
            assert_eq!(display_name(given).as_deref(), shown, "{given:?}");
        }
        let long = display_name(&"ä".repeat(10_000)).expect("something is left");
        assert_eq!(long.len(), 254);
    }
}
