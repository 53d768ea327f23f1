//! The text of HTML, as posts of Mastodon are written in it.

/// The characters that have names in the texts of posts.
const NAMED: [(&str, char); 7] = [
    ("amp", '&'),
    ("lt", '<'),
    ("gt", '>'),
    ("quot", '"'),
    ("apos", '\''),
    ("nbsp", ' '),
    ("hellip", '…'),
];

/// The text of HTML: without tags, with line breaks for `<br>` and between paragraphs.
pub(crate) fn text_of_html(html: &str) -> String {
    let mut text = String::with_capacity(html.len());
    let mut rest = html;
    while let Some(at) = rest.find(['<', '&']) {
        text.push_str(&rest[..at]);
        rest = &rest[at..];
        if let Some(tag) = rest.strip_prefix('<') {
            let Some(end) = tag.find('>') else { break };
            let name =
                tag[..end].split([' ', '/']).find(|name| !name.is_empty()).unwrap_or_default();
            match name.to_ascii_lowercase().as_str() {
                "br" => text.push('\n'),
                // Before all paragraphs but the first.
                "p" if !tag.starts_with('/') && !text.is_empty() => text.push_str("\n\n"),
                _ => {}
            }
            rest = &tag[end + 1..];
        } else {
            let (character, length) = entity(rest);
            text.push(character);
            rest = &rest[length..];
        }
    }
    text.push_str(rest);
    text
}

/// The character that stands at the front of a text that begins with `&`, and the length of what stands for it.
fn entity(text: &str) -> (char, usize) {
    let found = || {
        let end = text.find(';').filter(|end| *end <= 10)?;
        let name = &text[1..end];
        let by_number = || {
            let number = name.strip_prefix('#')?;
            let hex = number.strip_prefix(['x', 'X']);
            let code =
                hex.map_or_else(|| number.parse(), |hex| u32::from_str_radix(hex, 16)).ok()?;
            char::from_u32(code)
        };
        let by_name =
            NAMED.iter().find(|(known, _)| *known == name).map(|(_, character)| *character);
        Some((by_name.or_else(by_number)?, end + 1))
    };
    found().unwrap_or(('&', 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn html_becomes_text() {
        for (html, expected) in [
            ("<p>hello <a href=\"x\">#<span>tag</span></a>, it&#39;s</p>", "hello #tag, it's"),
            ("<p>one</p><p>two<br />three</p>", "one\n\ntwo\nthree"),
            ("a &amp;lt; b &hearts; &#x1F600; &", "a &lt; b &hearts; 😀 &"),
            ("a <b", "a <b"),
        ] {
            assert_eq!(text_of_html(html), expected, "{html}");
        }
    }
}
