//! Undoes what tools have done to texts on their way: Python's `b'…'`, R's `<U+1F621>`, UTF-8 that was read as
//! Windows-1252, and emoji in CESU-8.

use std::borrow::Cow;

use memchr::memchr;

/// Repairs a text, if there is something to repair.
pub(crate) fn repair(text: Cow<'_, str>) -> Cow<'_, str> {
    let repaired = unguarded(&text)
        .or_else(|| bytes_literal(&text))
        .or_else(|| unicode_of_r(&text))
        .or_else(|| misread_utf8(&text));
    repaired.map_or(text, Cow::Owned)
}

/// `="…"` and `=@ann …`, as spreadsheets are kept from evaluating a text.
fn unguarded(text: &str) -> Option<String> {
    let rest = text.trim_start().strip_prefix('=')?;
    if rest.starts_with('@') {
        return Some(rest.to_owned());
    }
    let inner = rest.trim_end().strip_prefix('"')?.strip_suffix('"')?;
    Some(inner.replace("\"\"", "\""))
}

/// The text in Python's notation for bytes: `b'caf\xc3\xa9'`.
fn bytes_literal(text: &str) -> Option<String> {
    let inner = text.trim().strip_prefix('b')?;
    let quote = inner.chars().next().filter(|quote| matches!(quote, '\'' | '"'))?;
    let inner = inner.strip_prefix(quote)?.strip_suffix(quote)?;
    if !inner.is_ascii() {
        return None;
    }
    let mut bytes = Vec::with_capacity(inner.len());
    let mut rest = inner.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'\\' {
            bytes.push(byte);
            continue;
        }
        let (&escape, after) = rest.split_first()?;
        rest = after;
        bytes.push(match escape {
            b'n' => b'\n',
            b't' => b'\t',
            b'r' => b'\r',
            b'x' => {
                let hex = std::str::from_utf8(rest.get(..2)?).ok()?;
                rest = &rest[2..];
                u8::from_str_radix(hex, 16).ok()?
            }
            other => other,
        });
    }
    // The last character may have been cut.
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// The text without R's escapes: `<U+2019>`, and bytes such as `<f0><9f><98><a1>`.
fn unicode_of_r(text: &str) -> Option<String> {
    memchr(b'<', text.as_bytes())?;
    let (mut decoded, mut rest, mut is_changed) = (String::with_capacity(text.len()), text, false);
    while let Some(at) = rest.find('<') {
        decoded.push_str(&rest[..at]);
        rest = &rest[at..];
        if let Some((characters, length)) = bytes_of_r(rest) {
            decoded.push_str(&characters);
            rest = &rest[length..];
            is_changed = true;
        } else if let Some((code, length)) = code_point(rest) {
            decoded.push(char::from_u32(code)?);
            rest = &rest[length..];
            is_changed = true;
        } else {
            decoded.push('<');
            rest = &rest[1..];
        }
    }
    decoded.push_str(rest);
    is_changed.then_some(decoded)
}

/// `<U+1F621>`: the code point, and the length of what stands for it.
fn code_point(text: &str) -> Option<(u32, usize)> {
    let hex = text.strip_prefix("<U+")?;
    let end = hex.find('>').filter(|end| (4..=8).contains(end))?;
    Some((u32::from_str_radix(&hex[..end], 16).ok()?, 3 + end + 1))
}

/// `<f0><9f><98><a1>`, of which R has made some `<U+009F>`: the characters, and the length of what stands for them.
fn bytes_of_r(text: &str) -> Option<(String, usize)> {
    let byte = |text: &str| -> Option<u8> {
        let hex = text.strip_prefix('<')?.get(..2)?;
        (text.as_bytes().get(3) == Some(&b'>')).then(|| u8::from_str_radix(hex, 16).ok())?
    };
    let (mut bytes, mut length) = (vec![byte(text).filter(|first| *first >= 0xC2)?], 4);
    loop {
        let rest = &text[length..];
        let (next, taken) = match byte(rest) {
            Some(next) => (next, 4),
            None => match code_point(rest) {
                Some((code, taken)) if (0x80..=0xFF).contains(&code) => (code as u8, taken),
                _ => break,
            },
        };
        bytes.push(next);
        length += taken;
    }
    let bytes = cesu8(&bytes).unwrap_or(bytes);
    Some((String::from_utf8(bytes).ok()?, length))
}

/// The text that is left if UTF-8 was read as Windows-1252: `donâ€™t` is `don’t`.
fn misread_utf8(text: &str) -> Option<String> {
    // Â, Ã, â, ð and their like are what the first bytes of characters become. In UTF-8, all of them begin like this.
    memchr(0xC3, text.as_bytes())?;
    if !text.contains([
        'Â', 'Ã', 'â', 'ð', 'å', 'ä', 'æ', 'ç', 'è', 'é', 'ã', 'á', 'à', 'Ø', 'Ù', 'Ð', 'Ñ',
    ]) {
        return None;
    }
    let (bytes, _, is_lossy) = encoding_rs::WINDOWS_1252.encode(text);
    if is_lossy {
        return None;
    }
    String::from_utf8(bytes.into_owned()).ok().filter(|decoded| decoded.len() < text.len())
}

/// Turns pairs of surrogates that were written as characters of three bytes each (CESU-8, Java's modified UTF-8) into
/// UTF-8. `None` if there are none.
pub(crate) fn cesu8(bytes: &[u8]) -> Option<Vec<u8>> {
    let surrogate = |at: usize, first: std::ops::RangeInclusive<u8>| -> Option<u32> {
        let [0xED, second, third] = *bytes.get(at..at + 3)? else { return None };
        (first.contains(&second) && third & 0xC0 == 0x80)
            .then(|| u32::from(second & 0x0F) << 6 | u32::from(third & 0x3F))
    };
    let (mut decoded, mut from, mut at) = (Vec::new(), 0, 0);
    while let Some(found) = memchr(0xED, &bytes[at..]) {
        at += found;
        let pair = surrogate(at, 0xA0..=0xAF).zip(surrogate(at + 3, 0xB0..=0xBF));
        let character = pair.and_then(|(high, low)| char::from_u32(0x10000 + (high << 10 | low)));
        match character {
            Some(character) => {
                decoded.extend_from_slice(&bytes[from..at]);
                decoded.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                at += 6;
                from = at;
            }
            None => at += 1,
        }
    }
    if from == 0 {
        return None;
    }
    decoded.extend_from_slice(&bytes[from..]);
    Some(decoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_as_they_were_written() {
        for (text, expected) in [
            (
                "b'I love this \\xf0\\x9f\\x98\\x8d don\\xe2\\x80\\x99t you'",
                "I love this 😍 don’t you",
            ),
            ("b\"it's\\n\"", "it's\n"),
            ("<U+0001F621> don<U+2019>t", "😡 don’t"),
            ("<ed><U+00A0><U+00BD><ed><U+00B8><U+00A1>!", "😡!"),
            ("<f0><9f><98><a1>", "😡"),
            ("I <3 <U+> and a < b", "I <3 <U+> and a < b"),
            ("donâ€™t, cafÃ© ðŸ˜¡", "don’t, café 😡"),
            ("SÃO PAULO, café, naïve", "SÃO PAULO, café, naïve"),
            ("=\"hello\"", "hello"),
            ("=@ann hi", "@ann hi"),
            ("b'etter", "b'etter"),
        ] {
            assert_eq!(repair(text.into()), expected, "{text}");
        }
        assert_eq!(cesu8(b"a\xED\xA0\xBD\xED\xB8\xA1b").as_deref(), Some("a😡b".as_bytes()));
        assert_eq!(cesu8("\u{D7FF}한".as_bytes()), None);
    }
}
