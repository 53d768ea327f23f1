//! Links in a text, by the rules of Twitter's own `twitter-text`, version 3
//! (<https://github.com/twitter/twitter-text>, `js/src/regexp` and `js/src/extractUrlsWithIndices.js`).
//!
//! A link is a host name under a top-level domain that exists, with or without a scheme before it and a path after it.
//! Which ones exist, today's list of the IANA says (the crate `tld`), and not the older one of `twitter-text`.
//! Host names may have letters of any script. Scripts without spaces run into links, so that a host is not always what
//! it seems: in `これはexample.comです` it is `example.com`.
//!
//! `twitter-text` searches with one regular expression, which takes quadratic time on some texts. Here each stretch of
//! characters that a host name can have is split at its dots once, and then every place where a link could begin is
//! judged in constant time.

use std::ops::Range;

use idna::punycode;
use memchr::memchr;
use smallvec::SmallVec;

use super::characters::{is_latin_accent, is_punctuation};
use super::path::{path_length, query_length};

/// The most characters that the path of a `t.co` link may have. With a longer path, it is not a link.
const MAX_TCO_SLUG: usize = 40;
/// The most bytes of a part of a host name between dots, encoded for the DNS (RFC 1035, section 2.3.4).
const MAX_LABEL: usize = 63;
/// The most characters of a top-level domain.
const MAX_TLD_CHARS: usize = 24;

/// Finds the links of a text, in order.
pub(super) fn find_urls(text: &str) -> Vec<Range<usize>> {
    let mut urls = Vec::new();
    // `at` is how far dots have been searched for; `used` is the end of the last match.
    let (mut at, mut used) = (0, 0);
    while let Some(dot) = memchr(b'.', &text.as_bytes()[at..]).map(|dot| at + dot) {
        // No top-level domain begins with anything but a letter, and most dots only end a sentence.
        if text
            .as_bytes()
            .get(dot + 1)
            .is_none_or(|next| next.is_ascii() && !next.is_ascii_alphabetic())
        {
            at = dot + 1;
            continue;
        }
        let mut hosts = Hosts::around(text, dot, used);
        while let Some(found) = hosts.first_match(used) {
            found.add_to(text, &mut urls);
            used = found.end;
            if !hosts.go_on_from(used) {
                break;
            }
        }
        at = used.max(hosts.end);
    }
    urls
}

/// A stretch of characters that host names can have, with at least one dot in it.
struct Hosts<'t> {
    text: &'t str,
    start: usize,
    end: usize,
    /// Few host names have more than three parts.
    labels: SmallVec<[Label; 3]>,
    /// The index of the first label that no match has used up yet.
    first: usize,
}

/// A part of a stretch between dots.
struct Label {
    start: usize,
    end: usize,
    /// Whether its last character is none of `-` and `_`.
    ends_well: bool,
    /// Whether its first character is neither `-` nor `_`.
    starts_well: bool,
    /// Where its last `_` is. Only subdomains may have one.
    underscore: Option<usize>,
    /// If the label begins with a top-level domain, where that ends.
    tld_end: Option<usize>,
    /// The index of the label with the top-level domain of the longest host name that begins where this label begins;
    /// `None` if no host name begins there.
    reach: Option<usize>,
}

/// A match of the search, whether it is a link or not. It uses up its characters either way.
struct Match {
    start: usize,
    host: Range<usize>,
    has_scheme: bool,
    path_end: usize,
    end: usize,
}

impl<'t> Hosts<'t> {
    /// The stretch around a dot, not reaching back beyond `from`.
    fn around(text: &'t str, dot: usize, from: usize) -> Hosts<'t> {
        let is_outside = |c: char| !is_host_char(c) && !matches!(c, '.' | '-' | '_');
        let before = text[from..dot].rfind(is_outside);
        let start = before.map_or(from, |at| {
            let at = from + at;
            at + text[at..].chars().next().map_or(1, char::len_utf8)
        });
        let end = text[dot..].find(is_outside).map_or(text.len(), |length| dot + length);
        let mut labels = SmallVec::new();
        let mut label_start = start;
        for label in text[start..end].split('.') {
            let label_end = label_start + label.len();
            // What follows the dot of a label may be a top-level domain; the first label follows none.
            let tld = (!labels.is_empty()).then(|| tld_length(text, label_start..label_end));
            labels.push(Label {
                start: label_start,
                end: label_end,
                ends_well: label.ends_with(is_host_char),
                starts_well: label.starts_with(is_host_char),
                underscore: label.bytes().rposition(|b| b == b'_').map(|at| label_start + at),
                tld_end: tld.flatten().map(|length| label_start + length),
                reach: None,
            });
            label_start = label_end + 1;
        }
        let mut hosts = Hosts { text, start, end, labels, first: 0 };
        for index in (0..hosts.labels.len()).rev() {
            let Label { start, starts_well, .. } = hosts.labels[index];
            hosts.labels[index].reach =
                starts_well.then(|| hosts.reach_from(index, start)).flatten();
        }
        hosts
    }

    /// Leaves out what comes before `from`, which a match has used up, and keeps what is known of the rest. Returns
    /// whether there is a rest.
    fn go_on_from(&mut self, from: usize) -> bool {
        let n_used = self.labels[self.first..].iter().take_while(|label| label.end < from).count();
        self.first += n_used;
        let Some(first) = self.labels.get_mut(self.first) else { return false };
        let rest = &self.text[from..first.end];
        first.start = from;
        first.starts_well = rest.starts_with(is_host_char);
        first.ends_well = rest.ends_with(is_host_char);
        first.tld_end = None;
        let is_begin = first.starts_well;
        self.start = from;
        let reach = is_begin.then(|| self.reach_from(self.first, from)).flatten();
        self.labels[self.first].reach = reach;
        true
    }

    /// The index of the last label of the longest host name that begins at `start`, which lies in the label at `index`.
    fn reach_from(&self, index: usize, start: usize) -> Option<usize> {
        let label = &self.labels[index];
        let next = self.labels.get(index + 1)?;
        if !label.ends_well {
            return None;
        }
        let is_name = label.underscore.is_none_or(|underscore| underscore < start);
        next.reach.or_else(|| (is_name && next.tld_end.is_some()).then_some(index + 1))
    }

    /// The first match in the stretch, or before it with a scheme.
    fn first_match(&self, used: usize) -> Option<Match> {
        if let Some(scheme) = self.scheme_start(used)
            && let Some(reach) = self.labels[self.first].reach
        {
            return Some(self.matched(scheme, self.start, reach));
        }
        for (index, label) in self.labels.iter().enumerate().skip(self.first) {
            for (offset, first) in self.text[label.start..label.end].char_indices() {
                let start = label.start + offset;
                if !is_host_char(first) || !self.may_begin(start, used) {
                    continue;
                }
                if let Some(reach) = self.reach_from(index, start) {
                    return Some(self.matched(start, start, reach));
                }
                // If the label ends with `-` or `_`, no link can begin anywhere in it.
                if !label.ends_well {
                    break;
                }
            }
        }
        None
    }

    /// Where `https://` or `http://` begins, if it stands right before the stretch and may begin a link.
    fn scheme_start(&self, used: usize) -> Option<usize> {
        let before = &self.text.as_bytes()[used..self.start];
        let ends_with = |scheme: &str| {
            let start = before.len().checked_sub(scheme.len())?;
            before[start..].eq_ignore_ascii_case(scheme.as_bytes()).then_some(used + start)
        };
        let start = ends_with("https://").or_else(|| ends_with("http://"))?;
        self.may_begin(start, used).then_some(start)
    }

    /// Whether a link may begin at `start`: not within a word, and not after what begins a tag or a mention.
    fn may_begin(&self, start: usize, used: usize) -> bool {
        match self.text[used..start].chars().next_back() {
            Some(before) => {
                !before.is_ascii_alphanumeric()
                    && !matches!(
                        before,
                        '@' | '＠' | '$' | '#' | '＃' | '\u{FFFE}' | '\u{FEFF}' | '\u{FFFF}'
                    )
            }
            // Unless the text begins here, the previous match ends here, and a link cannot directly follow it.
            None => start == 0,
        }
    }

    /// A match, with the port, the path and the query that follow its host.
    fn matched(&self, start: usize, host_start: usize, reach: usize) -> Match {
        let host_end = self.labels[reach].tld_end.unwrap_or(self.labels[reach].end);
        let rest = &self.text[host_end..];
        let port = rest.strip_prefix(':').map_or(0, |digits| {
            let length = digits.bytes().take_while(u8::is_ascii_digit).count();
            if length > 0 { 1 + length } else { 0 }
        });
        let path = path_length(&rest[port..]);
        let query = query_length(&rest[port + path..]);
        Match {
            start,
            host: host_start..host_end,
            has_scheme: start < host_start,
            path_end: host_end + port + path,
            end: host_end + port + path + query,
        }
    }
}

impl Match {
    /// Adds the links that the match stands for.
    fn add_to(&self, text: &str, urls: &mut Vec<Range<usize>>) {
        let host = &text[self.host.clone()];
        // A name that seems to be encoded already must have a part that is a host name in Latin letters.
        let is_encoded = starts_with_ignore_case(host, "xn--");
        if !is_resolvable(host) || is_encoded && latin_hosts(text, self.host.clone()).is_empty() {
            return;
        }
        if self.has_scheme {
            urls.extend(tco_end(text, self).map(|end| self.start..end));
            return;
        }
        // A link without a scheme must not follow one of these characters, and only those parts of its host are links
        // that have nothing but Latin letters, digits and `-` before their top-level domain.
        if text[..self.start].ends_with(['-', '_', '.', '/']) {
            return;
        }
        let has_path = text[self.host.end..self.path_end].contains('/');
        for latin in latin_hosts(text, self.host.clone()) {
            let is_last = latin.end == self.host.end;
            urls.push(latin.start..if is_last && has_path { self.end } else { latin.end });
        }
    }
}

/// The parts of a host that are hosts written in Latin letters.
fn latin_hosts(text: &str, host: Range<usize>) -> Vec<Range<usize>> {
    let is_latin = |c: char| c == '-' || c.is_ascii_alphanumeric() || is_latin_accent(c);
    let mut hosts = Vec::new();
    let mut at = host.start;
    while let Some(skipped) = text[at..host.end].find(is_latin) {
        let start = at + skipped;
        // Take as many labels as possible, of which the last one begins with a top-level domain.
        let (mut label_start, mut end) = (start, None);
        loop {
            let rest = &text[label_start..host.end];
            let length = rest.find(|c| !is_latin(c)).unwrap_or(rest.len());
            let label_end = label_start + length;
            if length == 0 || !text[label_end..host.end].starts_with('.') {
                at = label_end.max(start + 1);
                break;
            }
            label_start = label_end + 1;
            let next_end =
                text[label_start..host.end].find('.').map_or(host.end, |dot| label_start + dot);
            if let Some(length) = tld_length(&text[..host.end], label_start..next_end) {
                end = Some(label_start + length);
            }
        }
        if let Some(end) = end {
            hosts.push(start..end);
            at = end;
        }
        while !text.is_char_boundary(at) {
            at += 1;
        }
    }
    hosts
}

/// Where a link with a scheme ends: after its path and query. In the path of a `t.co` link, only the letters and digits
/// after the slash belong to the link. `None` if it is a `t.co` link with a path that is too long.
fn tco_end(text: &str, found: &Match) -> Option<usize> {
    if !text[found.host.clone()].eq_ignore_ascii_case("t.co") {
        return Some(found.end);
    }
    let Some(path) = text[found.host.end..found.path_end].strip_prefix('/') else {
        return Some(found.end);
    };
    let slug = path.bytes().take_while(u8::is_ascii_alphanumeric).count();
    if slug == 0 {
        return Some(found.end);
    }
    if slug > MAX_TCO_SLUG {
        return None;
    }
    let end = found.host.end + 1 + slug;
    Some(end + query_length(&text[end..found.end]))
}

/// Whether the DNS could have such a name, which means that no label is too long once it is encoded.
fn is_resolvable(host: &str) -> bool {
    let encoded_length = |label: &str| match label.is_ascii() {
        true => Some(label.len()),
        // Encoding makes no label shorter, and takes quadratic time.
        false if label.chars().nth(MAX_LABEL).is_some() => None,
        false => Some("xn--".len() + punycode::encode_str(label)?.len()),
    };
    host.split('.').all(|label| encoded_length(label).is_some_and(|length| length <= MAX_LABEL))
}

fn starts_with_ignore_case(text: &str, start: &str) -> bool {
    text.get(..start.len()).is_some_and(|beginning| beginning.eq_ignore_ascii_case(start))
}

/// The length of the top-level domain that a label begins with, if no letter, digit or `@` follows it.
fn tld_length(text: &str, label: Range<usize>) -> Option<usize> {
    let rest = &text[label.clone()];
    let ascii = rest.bytes().take_while(u8::is_ascii_alphanumeric).count();
    let ends = |length: usize| {
        let next = text.as_bytes().get(label.start + length);
        next.is_none_or(|next| !next.is_ascii_alphanumeric() && *next != b'@')
    };
    if ascii > 0 && starts_with_ignore_case(rest, "xn--") {
        let is_punycode = |b: &u8| b.is_ascii_alphanumeric() || *b == b'-';
        return Some(rest.bytes().take_while(is_punycode).count()).filter(|length| *length > 4);
    }
    if ascii > 0 && ends(ascii) && is_tld(&rest[..ascii]) {
        return Some(ascii);
    }
    if rest.is_ascii() {
        return None;
    }
    // The longest one, since the label may go on in the same script.
    let lengths: Vec<usize> = rest
        .char_indices()
        .take(MAX_TLD_CHARS)
        .map(|(at, c)| at + c.len_utf8())
        .filter(|&length| length > ascii && ends(length))
        .collect();
    lengths.into_iter().rev().find(|&length| {
        let encoded = punycode::encode_str(&rest[..length].to_lowercase());
        encoded.is_some_and(|encoded| tld::exist(&format!("xn--{encoded}")))
    })
}

/// Whether a top-level domain in ASCII exists.
fn is_tld(domain: &str) -> bool {
    let mut lower = [0; MAX_TLD_CHARS];
    let Some(lower) = lower.get_mut(..domain.len()) else { return false };
    lower.copy_from_slice(domain.as_bytes());
    lower.make_ascii_lowercase();
    std::str::from_utf8(lower).is_ok_and(tld::exist)
}

/// Whether a host name can have a character (besides `-`, `_` and dots): anything but punctuation as `twitter-text`
/// lists it, spaces, and marks of direction. Quotation marks pass here, and end a link as letters of other scripts do.
fn is_host_char(c: char) -> bool {
    const ASCII: [bool; 128] = {
        let (mut table, mut byte) = ([false; 128], 0_u8);
        while byte < 128 {
            table[byte as usize] = !byte.is_ascii_whitespace() && !is_punctuation(byte as char);
            byte += 1;
        }
        table
    };
    match c {
        '\0'..='\x7F' => ASCII[c as usize],
        '\u{180E}' | '\u{FFFE}' | '\u{FEFF}' | '\u{FFFF}' => false,
        '\u{061C}' | '\u{200E}' | '\u{200F}' => false,
        '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' => false,
        _ => !c.is_whitespace(),
    }
}
