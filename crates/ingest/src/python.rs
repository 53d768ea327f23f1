//! Values in Python's notation, as `print` and pandas write dicts and dataclasses into the cells of tables:
//! `{'username': 'ann', 'id': 1}`, `User(username='ann', id=1)`.

use std::borrow::Cow;

/// Deeper values are not read.
const MAX_DEPTH: usize = 16;
/// Longer ones are not either.
const MAX_BYTES: usize = 256 * 1024;

/// Whether a cell looks like an object in Python's notation, or in JSON.
pub(crate) fn looks_like_object(cell: &str) -> bool {
    let cell = cell.trim();
    let is_call = || {
        let Some(open) = cell.find('(') else { return false };
        cell.ends_with(')')
            && cell.as_bytes()[0].is_ascii_uppercase()
            && cell[..open].bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.'))
            && cell[open..].contains('=')
    };
    cell.starts_with('{') && cell.ends_with('}') || is_call()
}

/// The object in a cell, as JSON. `None` if there is none, or it cannot be read.
pub(crate) fn object_in(cell: &str) -> Option<Cow<'_, str>> {
    if !looks_like_object(cell) {
        return None;
    }
    match serde_json::from_str::<serde::de::IgnoredAny>(cell) {
        Ok(_) => Some(Cow::Borrowed(cell)),
        Err(_) => to_json(cell).filter(|json| json.starts_with('{')).map(Cow::Owned),
    }
}

/// A value in Python's notation, as JSON. `None` if it cannot be read.
fn to_json(text: &str) -> Option<String> {
    if text.len() > MAX_BYTES {
        return None;
    }
    let mut reader = Reader { rest: text.trim(), json: String::with_capacity(text.len() + 16) };
    reader.value(0)?;
    reader.rest.trim().is_empty().then_some(reader.json)
}

struct Reader<'t> {
    rest: &'t str,
    json: String,
}

impl Reader<'_> {
    fn skip_blanks(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn takes(&mut self, token: char) -> bool {
        self.skip_blanks();
        match self.rest.strip_prefix(token) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn value(&mut self, depth: usize) -> Option<()> {
        if depth > MAX_DEPTH {
            return None;
        }
        self.skip_blanks();
        match self.rest.chars().next()? {
            '{' => self.dict(depth),
            '[' => self.list(']', depth),
            '(' => self.list(')', depth),
            '\'' | '"' => self.string(),
            '0'..='9' | '-' | '.' => self.number(),
            first if first.is_ascii_alphabetic() || first == '_' => self.word(depth),
            _ => None,
        }
    }

    fn dict(&mut self, depth: usize) -> Option<()> {
        self.rest = &self.rest[1..];
        self.json.push('{');
        let mut is_first = true;
        while !self.takes('}') {
            if !std::mem::take(&mut is_first) {
                self.json.push(',');
            }
            let start = self.json.len();
            self.value(depth + 1)?;
            // A key that is a number, say.
            if !self.json[start..].starts_with('"') {
                let key = self.json.split_off(start);
                self.json.push_str(&serde_json::to_string(&key).ok()?);
            }
            if !self.takes(':') {
                return None;
            }
            self.json.push(':');
            self.value(depth + 1)?;
            if !self.takes(',') {
                return self.takes('}').then(|| self.json.push('}'));
            }
        }
        self.json.push('}');
        Some(())
    }

    fn list(&mut self, end: char, depth: usize) -> Option<()> {
        self.rest = &self.rest[1..];
        self.json.push('[');
        let mut is_first = true;
        while !self.takes(end) {
            if !std::mem::take(&mut is_first) {
                self.json.push(',');
            }
            // A named argument after others.
            if let Some(length) = self.name() {
                self.rest = &self.rest[length..];
            }
            self.value(depth + 1)?;
            if !self.takes(',') {
                return self.takes(end).then(|| self.json.push(']'));
            }
        }
        self.json.push(']');
        Some(())
    }

    fn string(&mut self) -> Option<()> {
        let quote = self.rest.chars().next()?;
        let mut text = String::new();
        let mut characters = self.rest[1..].char_indices();
        loop {
            let (at, character) = characters.next()?;
            if character == quote {
                self.rest = &self.rest[1 + at + 1..];
                break;
            }
            if character != '\\' {
                text.push(character);
                continue;
            }
            let (_, escape) = characters.next()?;
            let mut hex = |n: usize| {
                let digits: String = characters.by_ref().take(n).map(|(_, c)| c).collect();
                u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32)
            };
            text.push(match escape {
                'n' => '\n',
                't' => '\t',
                'r' => '\r',
                'x' => hex(2)?,
                'u' => hex(4)?,
                'U' => hex(8)?,
                other => other,
            });
        }
        self.json.push_str(&serde_json::to_string(&text).ok()?);
        Some(())
    }

    fn number(&mut self) -> Option<()> {
        let is_part = |c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.' | 'e' | 'E');
        let length = self.rest.find(|c| !is_part(c)).unwrap_or(self.rest.len());
        let number: serde_json::Number = serde_json::from_str(&self.rest[..length]).ok()?;
        self.json.push_str(&number.to_string());
        // Python 2 marks long numbers.
        self.rest = self.rest[length..].trim_start_matches('L');
        Some(())
    }

    /// `None`, `True`, `u'…'`, or a call: its named arguments are an object, others a list.
    fn word(&mut self, depth: usize) -> Option<()> {
        let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.');
        let length = self.rest.find(|c| !is_part(c)).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(length);
        self.rest = rest;
        match word {
            "None" | "nan" | "NaN" | "null" => self.json.push_str("null"),
            "True" | "true" => self.json.push_str("true"),
            "False" | "false" => self.json.push_str("false"),
            "u" | "b" if rest.starts_with(['\'', '"']) => return self.string(),
            _ if rest.starts_with('(') => return self.call(depth),
            _ => self.json.push_str(&serde_json::to_string(word).ok()?),
        }
        Some(())
    }

    /// The length of `name=`, if that comes next.
    fn name(&mut self) -> Option<usize> {
        self.skip_blanks();
        let length = self.rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))?;
        (length > 0 && self.rest[length..].starts_with('=')).then_some(length + 1)
    }

    fn call(&mut self, depth: usize) -> Option<()> {
        let whole = self.rest;
        self.rest = &self.rest[1..];
        if self.name().is_none() {
            self.rest = whole;
            return self.list(')', depth);
        }
        self.json.push('{');
        let mut is_first = true;
        while !self.takes(')') {
            if !std::mem::take(&mut is_first) {
                self.json.push(',');
            }
            self.skip_blanks();
            let (name, value) = self.rest.split_once('=')?;
            self.json.push_str(&serde_json::to_string(name.trim()).ok()?);
            self.json.push(':');
            self.rest = value;
            self.value(depth + 1)?;
            if !self.takes(',') {
                return self.takes(')').then(|| self.json.push('}'));
            }
        }
        self.json.push('}');
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn python_becomes_json() {
        for (python, expected) in [
            (
                "{'a': 1, 'b': None, \"c\": [True, 'it\\'s'], }",
                Some(r#"{"a":1,"b":null,"c":[true,"it's"]}"#),
            ),
            ("{u'id': 974370000000000001L}", Some(r#"{"id":974370000000000001}"#)),
            (
                "User(username='ann', id=1, created=datetime.datetime(2022, 12, 10))",
                Some(r#"{"username":"ann","id":1,"created":[2022,12,10]}"#),
            ),
            ("{'a': ('x', 'y')}", Some(r#"{"a":["x","y"]}"#)),
            ("{'a' 1}", None),
            ("{'a': 'b", None),
            ("hello", Some(r#""hello""#)),
        ] {
            assert_eq!(to_json(python).as_deref(), expected, "{python}");
        }
        for (cell, expected) in [
            ("{'a': 1}", true),
            ("User(id=1)", true),
            ("Ann (she=her)", false),
            ("ann", false),
            ("", false),
        ] {
            assert_eq!(looks_like_object(cell), expected, "{cell}");
        }
    }
}
