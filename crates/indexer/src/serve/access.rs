//! Who may use the dashboard: everybody on this machine, everybody who has the token, or everybody.
//!
//! A malicious web page can make a browser send requests to this machine under the page's own host name (DNS
//! rebinding). A server that listens on loopback therefore answers only requests to a loopback name.

use axum::http::header::{AUTHORIZATION, COOKIE, HOST, HeaderMap};
use axum::http::uri::Authority;
use cookie::time::Duration;
use cookie::{Cookie, SameSite};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// The cookie of those who have logged in.
const COOKIE_NAME: &str = "indexer_session";
/// How long they stay logged in.
const SESSION: Duration = Duration::days(30);

/// Who may use the dashboard.
pub(super) enum Access {
    /// Everybody who can reach the server.
    Public,
    /// Requests whose `Host` is a name of this machine itself, such as `localhost`.
    ThisMachine,
    /// Requests with the token, or with the cookie that was given in exchange for it.
    Token(Token),
}

/// A secret that opens the dashboard.
pub(super) struct Token(String);

/// Whether a request may be answered.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Admission {
    Welcome,
    /// There is no token or cookie, or it is not the right one.
    Unknown,
    /// The `Host` header names another server.
    Misdirected,
}

impl Access {
    /// Access for those who have this token.
    pub(super) fn token(token: String) -> Access {
        Access::Token(Token(token))
    }

    /// Whether there is a token to log in with.
    pub(super) fn has_token(&self) -> bool {
        matches!(self, Access::Token(_))
    }

    /// Judges a request by its headers.
    pub(super) fn judge(&self, headers: &HeaderMap) -> Admission {
        match self {
            Access::Public => Admission::Welcome,
            Access::ThisMachine if is_loopback(headers) => Admission::Welcome,
            Access::ThisMachine => Admission::Misdirected,
            Access::Token(token) if token.is_in(headers) => Admission::Welcome,
            Access::Token(_) => Admission::Unknown,
        }
    }

    /// The `set-cookie` header for a client that logs in with the right token; `None` if `given` is not the token.
    pub(super) fn log_in(&self, given: &str, headers: &HeaderMap) -> Option<String> {
        let Access::Token(token) = self else { return None };
        let session = token.is(given).then(|| token.session())?;
        let is_encrypted = headers.get("x-forwarded-proto").is_some_and(|proto| proto == "https");
        // Lax, so that a link from elsewhere opens the dashboard without a new login. A forged request can do no harm,
        // since this server only reads.
        let cookie = Cookie::build((COOKIE_NAME, session))
            .path("/")
            .http_only(true)
            .same_site(SameSite::Lax)
            .max_age(SESSION)
            .secure(is_encrypted);
        Some(cookie.to_string())
    }
}

impl Token {
    fn is_in(&self, headers: &HeaderMap) -> bool {
        let texts =
            |name| headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
        let bearer = texts(AUTHORIZATION).filter_map(|value| {
            let (scheme, token) = value.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
        });
        let mut cookies = texts(COOKIE)
            .flat_map(Cookie::split_parse)
            .flatten()
            .filter(|cookie| cookie.name() == COOKIE_NAME);
        // The cookie is the token's HMAC in hexadecimal, never the token itself.
        let is_session = |value: &str| {
            let given: Option<Vec<u8>> = (0..value.len())
                .step_by(2)
                .map(|at| u8::from_str_radix(value.get(at..at + 2)?, 16).ok())
                .collect();
            given.is_some_and(|given| self.mac().verify_slice(&given).is_ok())
        };
        bearer.into_iter().any(|given| self.is(given))
            || cookies.any(|cookie| is_session(cookie.value()))
    }

    /// Whether this is the token. The time that this takes does not depend on how much of it is right.
    fn is(&self, given: &str) -> bool {
        let expected = self.mac().finalize().into_bytes();
        Token(given.to_owned()).mac().verify_slice(&expected).is_ok()
    }

    /// The value of the cookie: it proves that the client knew the token, without revealing it.
    fn session(&self) -> String {
        self.mac().finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn mac(&self) -> Hmac<Sha256> {
        let mac = Hmac::<Sha256>::new_from_slice(self.0.as_bytes());
        let mut mac = mac.expect("a key of any length");
        mac.update(b"session");
        mac
    }
}

/// Whether a request is addressed to a name that can only be this machine's.
fn is_loopback(headers: &HeaderMap) -> bool {
    let mut hosts = headers.get_all(HOST).into_iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else { return false };
    let Ok(host) = Authority::try_from(host.as_bytes()) else { return false };
    // Nothing but a port after the name, and nothing before it.
    let port = host.as_str().strip_prefix(host.host());
    if !port.is_some_and(|port| port.trim_start_matches(':').bytes().all(|b| b.is_ascii_digit())) {
        return false;
    }
    let name = host.host().trim_matches(['[', ']']).trim_end_matches('.');
    let is_address = name.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback());
    is_address || name.eq_ignore_ascii_case("localhost") || name.ends_with(".localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(access: &Access, name: &'static str, value: &str) -> Admission {
        access.judge(&HeaderMap::from_iter([(
            axum::http::HeaderName::from_static(name),
            value.parse().unwrap(),
        )]))
    }

    #[test]
    fn this_machine_is_asked_for_by_its_own_names() {
        for (host, admission) in [
            ("localhost:8080", Admission::Welcome),
            ("127.0.0.1:8080", Admission::Welcome),
            ("[::1]:8080", Admission::Welcome),
            ("evil.example:8080", Admission::Misdirected),
            ("localhost.", Admission::Welcome),
            ("localhost.evil.example", Admission::Misdirected),
            ("[::1]evil", Admission::Misdirected),
            ("localhost:80@evil.example", Admission::Misdirected),
            ("192.168.0.1", Admission::Misdirected),
            ("", Admission::Misdirected),
        ] {
            assert_eq!(judge(&Access::ThisMachine, "host", host), admission, "{host}");
        }
    }

    #[test]
    fn the_token_opens_and_so_does_the_cookie_it_was_changed_for() {
        let access = Access::token("correct horse battery".to_owned());
        let cookie = access.log_in("correct horse battery", &HeaderMap::new()).unwrap();
        assert!(!cookie.contains("correct"));
        let (cookie, _) = cookie.split_once(';').unwrap();
        let others = Access::token("another".to_owned()).log_in("another", &HeaderMap::new());
        for (name, value, admission) in [
            ("authorization", "Bearer correct horse battery", Admission::Welcome),
            ("authorization", "bearer correct horse battery", Admission::Welcome),
            ("authorization", "Bearer wrong", Admission::Unknown),
            ("authorization", "Bearer ", Admission::Unknown),
            ("authorization", "Basic correct horse battery", Admission::Unknown),
            ("cookie", &format!("a=b; {cookie}"), Admission::Welcome),
            ("cookie", "indexer_session=", Admission::Unknown),
            ("cookie", "indexer_session=ää", Admission::Unknown),
            ("cookie", &others.unwrap(), Admission::Unknown),
            ("host", "localhost", Admission::Unknown),
        ] {
            assert_eq!(judge(&access, name, value), admission, "{name}: {value}");
        }
        assert_eq!(access.log_in("wrong", &HeaderMap::new()), None);
    }
}
