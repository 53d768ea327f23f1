//! Finds where each JSON object of a stream begins and ends, whatever stands between them.
//!
//! Brackets, commas and white space between objects are separators. So NDJSON, `{}{}`, Firehose's `},\n{`, one array,
//! arrays of arrays and stray brackets after them are all read in the same way.
//!
//! A broken object must not take its neighbors with it. The scanner knows enough of the grammar to notice early that an
//! object is broken. Reading then continues at the next line that begins with an object and is indented no deeper than
//! the broken one, or at the next object that begins with the same key as the broken one.

use memchr::{memchr, memchr3, memmem, memrchr};

use crate::format::{BROKEN_OFF, Rest, Split, Stretch};

/// The longest object that is read, in bytes: a page of 500 tweets is 3 MB. A longer page at the beginning of a source is taken
/// apart: see [`giant`](super::giant).
const MAX_RECORD_BYTES: usize = 16 * 1024 * 1024;
/// How much broken data is kept in memory while looking for a place to continue. Only this much of it is rejected as a
/// record; the rest is skipped.
const MAX_FAULT_BYTES: usize = 1024 * 1024;
/// The longest first key of a broken object, in bytes, by which the next object can be recognized.
const MAX_KEY_BYTES: usize = 64;
/// As deep as `serde_json` goes; a tweet is about a dozen deep.
const MAX_DEPTH: usize = 127;

const NOT_JSON: &str = "this is not a JSON object";
const BROKEN: &str = "the JSON is broken";
const PYTHON: &str = "this is a value of Python, not JSON; hint: write it with json.dumps, or convert it with ast.literal_eval";
const UNFINISHED: &str = "the JSON ends in the middle of an object";
const TOO_LONG: &str = "the JSON object is longer than 16 MiB";

#[derive(Default)]
pub(super) struct Splitter {
    mode: Mode,
    /// How many blanks and tabs indent the current line.
    indent: usize,
}

#[derive(Default)]
enum Mode {
    #[default]
    Between,
    Object(Scanner),
    /// In an object that was written as a text, which has been looked through up to `looked_at`.
    Text {
        looked_at: usize,
    },
    /// In broken data, whose first `looked_at` bytes contain no place to continue.
    Broken {
        fault: &'static str,
        looked_at: usize,
        /// Whether its beginning was already rejected, so that the rest must not be reported as another record.
        is_told: bool,
    },
}

impl Split for Splitter {
    fn next(&mut self, bytes: &[u8], rest: Rest) -> Stretch {
        if let Mode::Between = self.mode {
            let separators = self.separators(bytes);
            if separators > 0 {
                return Stretch::Separators { end: separators };
            }
            match bytes.first() {
                None => return Stretch::Unfinished,
                Some(b'{') => self.mode = Mode::Object(Scanner::default()),
                Some(b'"') if begins_text(bytes) => self.mode = Mode::Text { looked_at: 1 },
                Some(_) => self.broken(NOT_JSON, 0),
            }
        }
        if let Mode::Text { looked_at } = &mut self.mode {
            match scan_text(bytes, looked_at) {
                Scanned::Whole { end } => {
                    self.mode = Mode::Between;
                    return Stretch::Record { end, fault: None };
                }
                Scanned::More if rest == Rest::ToCome && bytes.len() <= MAX_RECORD_BYTES => {
                    return Stretch::Unfinished;
                }
                Scanned::More | Scanned::Broken => self.broken(NOT_JSON, 1),
            }
        }
        if let Mode::Object(scanner) = &mut self.mode {
            match scanner.scan(bytes) {
                Scanned::Whole { end } => {
                    self.mode = Mode::Between;
                    return Stretch::Record { end, fault: None };
                }
                Scanned::Broken if bytes.starts_with(b"{'") || bytes.starts_with(b"{u'") => {
                    self.broken(PYTHON, 1);
                }
                Scanned::Broken => self.broken(BROKEN, 1),
                // Most likely a quotation mark or a bracket is missing. Without a limit, the rest of the file would be
                // taken for
                // part of this record.
                Scanned::More if bytes.len() > MAX_RECORD_BYTES => self.broken(TOO_LONG, 1),
                Scanned::More => match rest {
                    Rest::ToCome => return Stretch::Unfinished,
                    Rest::Ended => self.broken(UNFINISHED, 1),
                    Rest::BrokeOff => self.broken(BROKEN_OFF, 1),
                },
            }
        }
        self.resume(bytes, rest)
    }
}

impl Splitter {
    fn broken(&mut self, fault: &'static str, looked_at: usize) {
        self.mode = Mode::Broken { fault, looked_at, is_told: false };
    }

    fn separators(&mut self, bytes: &[u8]) -> usize {
        let mut at = 0;
        while let Some(&byte) = bytes.get(at) {
            match byte {
                b'\n' => self.indent = 0,
                b' ' | b'\t' => self.indent += 1,
                b'\r' | b',' | b';' | b'[' | b']' | 0 | 0x0C | 0x1E => {}
                0xEF if bytes[at..].starts_with(b"\xEF\xBB\xBF") => at += 2,
                _ => break,
            }
            at += 1;
        }
        at
    }

    /// Finds where to go on after something broken.
    fn resume(&mut self, bytes: &[u8], rest: Rest) -> Stretch {
        let Mode::Broken { fault, looked_at, is_told } = &mut self.mode else {
            return Stretch::Unfinished;
        };
        let (fault, was_told) = (*fault, *is_told);
        let place = if fault == NOT_JSON {
            next_line_or_object(bytes, looked_at)
        } else {
            next_object(bytes, looked_at, self.indent)
        };
        let end = match place {
            Some(place) => {
                self.mode = Mode::Between;
                // The white space is passed as separators, so that the indent is known.
                bytes[..place].trim_ascii_end().len()
            }
            None if rest != Rest::ToCome => {
                self.mode = Mode::Between;
                bytes.len()
            }
            // Too much to keep, so drop what has been looked at. What is left may be the start of a place to continue.
            None if bytes.len() > MAX_FAULT_BYTES => {
                *is_told = true;
                std::mem::take(looked_at).max(1)
            }
            None => return Stretch::Unfinished,
        };
        match was_told {
            true => Stretch::Separators { end },
            false => Stretch::Record { end, fault: Some(fault) },
        }
    }
}

/// Whether an object or a list begins that was written as a text: `"{\"id\": …`.
pub(super) fn begins_text(bytes: &[u8]) -> bool {
    let inside = bytes.strip_prefix(b"\"").map(|text| text.trim_ascii_start());
    inside.and_then(|text| text.split_first()).is_some_and(|(first, rest)| {
        let rest = rest.trim_ascii_start();
        matches!(first, b'{' | b'[') && (rest.starts_with(b"\\\"") || rest.starts_with(b"{\\\""))
    })
}

/// Finds the end of the text at the front of `bytes`, which lies on one line.
fn scan_text(bytes: &[u8], looked_at: &mut usize) -> Scanned {
    while let Some(length) = memchr3(b'"', b'\\', b'\n', &bytes[*looked_at..]) {
        *looked_at += length;
        match bytes[*looked_at] {
            b'"' => return Scanned::Whole { end: *looked_at + 1 },
            b'\n' => return Scanned::Broken,
            // What follows the backslash may not be there yet.
            _ if *looked_at + 1 == bytes.len() => return Scanned::More,
            _ => *looked_at += 2,
        }
    }
    *looked_at = bytes.len();
    Scanned::More
}

/// Finds the next line end or the next thing that looks like an object, whichever comes first.
fn next_line_or_object(bytes: &[u8], looked_at: &mut usize) -> Option<usize> {
    let from = *looked_at;
    let line = memchr(b'\n', &bytes[from..]).map(|at| from + at);
    let line_bytes = &bytes[from..line.unwrap_or(bytes.len())];
    let object = memmem::find(line_bytes, b"{\"");
    let text = memmem::find(line_bytes, b"\"{\\\"");
    let object = object.into_iter().chain(text).min().map(|at| from + at);
    *looked_at = bytes.len().saturating_sub(1).max(from);
    object.or(line)
}

/// Finds the next object after a broken one: one that begins a line and is indented no deeper than `indent`, one that
/// begins with the same key as the broken one and is not a value inside it, or one that follows another without a gap.
fn next_object(bytes: &[u8], looked_at: &mut usize, indent: usize) -> Option<usize> {
    // `{"id"`, with its quotation marks.
    let first_key =
        memchr(b'"', bytes).and_then(|open| Some(open + 2 + memchr(b'"', &bytes[open + 1..])?));
    let first_key = first_key.filter(|&end| end <= MAX_KEY_BYTES).map(|end| &bytes[..end]);
    let mut from = *looked_at;
    let mut newline = memrchr(b'\n', &bytes[..from]);
    while let Some(brace) = memchr(b'{', &bytes[from..]).map(|at| from + at) {
        newline = memrchr(b'\n', &bytes[from..brace]).map(|at| from + at).or(newline);
        let starts_line =
            newline.is_some_and(|newline| is_indent(&bytes[newline + 1..brace], indent));
        let before = bytes[..brace].trim_ascii_end();
        let is_value = matches!(before.last(), Some(b':' | b'['));
        let same_key = || first_key.is_some_and(|key| bytes[brace..].starts_with(key));
        let is_adjacent = before.len() == brace && before.ends_with(b"}");
        if starts_line || is_adjacent || !is_value && same_key() {
            return Some(brace);
        }
        from = brace + 1;
    }
    // The key of an object near the end may not be there yet.
    *looked_at = bytes.len().saturating_sub(MAX_KEY_BYTES).max(*looked_at).max(1);
    None
}

/// Whether the start of a line is nothing but white space, commas and brackets, indented no deeper than `indent`.
fn is_indent(start: &[u8], indent: usize) -> bool {
    let white =
        start.iter().take_while(|b| matches!(b, b' ' | b'\t' | b'\r' | b',' | b'[')).count();
    white == start.len() && start.iter().filter(|b| matches!(b, b' ' | b'\t')).count() <= indent
}

enum Scanned {
    Whole { end: usize },
    Broken,
    More,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Expect {
    #[default]
    Value,
    ValueOrEnd,
    Key,
    KeyOrEnd,
    Colon,
    CommaOrEnd,
}

/// Looks for the end of the object at the beginning of a source, which may be huge.
#[derive(Default)]
pub(crate) struct FirstObject(Scanner);

impl FirstObject {
    /// Whether the object goes on behind `bytes`, which are all that has been read so far.
    pub(crate) fn goes_on(&mut self, bytes: &[u8]) -> bool {
        let bom = if bytes.starts_with(b"\xEF\xBB\xBF") { 3 } else { 0 };
        let body = bytes[bom..].trim_ascii_start();
        matches!(self.0.scan(body), Scanned::More)
    }
}

/// Whether what follows a line end begins another record or another entry of this one. `None` if that does not show yet.
fn begins_anew(bytes: &[u8]) -> Option<bool> {
    let blanks =
        bytes.iter().take_while(|b| matches!(b, b' ' | b'\t' | b'\r' | b',' | b'[')).count();
    let line = &bytes[blanks..];
    let first = *line.first()?;
    let second = line.get(1);
    match first {
        b'{' => Some(matches!(second?, b'"' | b'}' | b'\n' | b'\r' | b' ')),
        // `"key":`
        b'"' => {
            let end = memchr3(b'"', b'\\', b'\n', &line[1..]);
            match end {
                Some(end) => {
                    let after = line[1 + end..].get(1);
                    Some(line[1 + end] == b'"' && *after? == b':')
                }
                None if line.len() > MAX_KEY_BYTES => Some(false),
                None => None,
            }
        }
        b'}' | b']' => Some(true),
        _ => Some(false),
    }
}

/// Whether a number or a word can have this byte.
fn is_of_literal(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'+' | b'.')
}

/// Finds the end of an object, going on where it stopped when more bytes have come.
#[derive(Default)]
struct Scanner {
    at: usize,
    open: Vec<u8>,
    expect: Expect,
    in_string: bool,
    in_literal: bool,
}

impl Scanner {
    fn scan(&mut self, bytes: &[u8]) -> Scanned {
        // Kept apart from `self` meanwhile, where each change would be written to memory.
        let (mut at, mut expect) = (self.at, self.expect);
        let scanned = loop {
            if self.in_string {
                match end_of_string(bytes, &mut at) {
                    Scanned::Whole { end } => {
                        at = end;
                        self.in_string = false;
                    }
                    other => break other,
                }
            }
            let Some(&byte) = bytes.get(at) else { break Scanned::More };
            let is_literal = is_of_literal(byte);
            if self.in_literal && is_literal {
                at += 1;
                continue;
            }
            self.in_literal = false;
            at += 1;
            expect = match (byte, expect) {
                (b' ' | b'\t' | b'\n' | b'\r', expect) => expect,
                (b'"', Expect::Key | Expect::KeyOrEnd) => {
                    self.in_string = true;
                    Expect::Colon
                }
                (b'"', Expect::Value | Expect::ValueOrEnd) => {
                    self.in_string = true;
                    Expect::CommaOrEnd
                }
                (b':', Expect::Colon) => Expect::Value,
                (b',', Expect::CommaOrEnd) if self.open.last() == Some(&b'{') => Expect::Key,
                (b',', Expect::CommaOrEnd) => Expect::Value,
                (b'{' | b'[', Expect::Value | Expect::ValueOrEnd)
                    if self.open.len() < MAX_DEPTH =>
                {
                    self.open.push(byte);
                    if byte == b'{' { Expect::KeyOrEnd } else { Expect::ValueOrEnd }
                }
                (b'}', Expect::KeyOrEnd | Expect::CommaOrEnd)
                    if self.open.last() == Some(&b'{') =>
                {
                    self.open.pop();
                    Expect::CommaOrEnd
                }
                (b']', Expect::ValueOrEnd | Expect::CommaOrEnd)
                    if self.open.last() == Some(&b'[') =>
                {
                    self.open.pop();
                    Expect::CommaOrEnd
                }
                (_, Expect::Value | Expect::ValueOrEnd) if is_literal => {
                    self.in_literal = true;
                    Expect::CommaOrEnd
                }
                _ => break Scanned::Broken,
            };
            if self.open.is_empty() {
                break Scanned::Whole { end: at };
            }
        };
        (self.at, self.expect) = (at, expect);
        scanned
    }
}

/// Finds the end of a string from `at` on, and sets `at` to where it has to go on if more bytes are needed.
fn end_of_string(bytes: &[u8], at: &mut usize) -> Scanned {
    while let Some(length) = bytes.get(*at..).and_then(|rest| memchr3(b'"', b'\\', b'\n', rest)) {
        *at += length;
        match bytes[*at] {
            b'"' => return Scanned::Whole { end: *at + 1 },
            b'\\' if *at + 1 < bytes.len() => *at += 2,
            b'\\' => return Scanned::More,
            // A raw line end in a string is not JSON. If the next line begins with an object or a key, this one was cut;
            // otherwise the line end may be a part of the text.
            _ => match begins_anew(&bytes[*at + 1..]) {
                None => return Scanned::More,
                Some(true) => return Scanned::Broken,
                Some(false) => *at += 1,
            },
        }
    }
    *at = bytes.len();
    Scanned::More
}
