//! Addresses: one URL that carries all a dialer needs.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;

use rustls::pki_types::ServerName;
use thiserror::Error;

use crate::pin::{Pin, PinError};
use crate::trust::Trust;

const SCHEME: &str = "syncline://";

/// Where a peer listens and, unless a CA vouches for it, which key it has:
/// `syncline://HOST:PORT?pin=HEX`.
///
/// HOST is a name, an IPv4 address, or an IPv6 address in brackets; names are resolved at each
/// dial. [`Display`](fmt::Display) gives back what [`FromStr`] reads.
///
/// ```
/// use syncline_net::Address;
///
/// let address: Address = "syncline://[::1]:4433".parse()?;
/// assert_eq!((address.host(), address.port()), ("::1", 4433));
/// assert_eq!(address.to_string(), "syncline://[::1]:4433");
/// # Ok::<(), syncline_net::AddressError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    host: String,
    port: u16,
    pin: Option<Pin>,
}

impl Address {
    /// An address from its parts; `host` without brackets.
    pub fn new(host: &str, port: u16, pin: Option<Pin>) -> Result<Self, AddressError> {
        Self::checked(host, port, pin).map_err(|problem| AddressError { given: host.to_owned(), problem })
    }

    /// The address of a listening IP address.
    pub fn at(socket: std::net::SocketAddr, pin: Option<Pin>) -> Self {
        Self { host: socket.ip().to_canonical().to_string(), port: socket.port(), pin }
    }

    /// Name or IP address, without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The UDP port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The key that the peer must have, if the address names one.
    pub fn pin(&self) -> Option<Pin> {
        self.pin
    }

    /// How the peer proves itself: by the address's pin, else by `ca_file`, else by a CA that
    /// this machine trusts.
    pub fn trust(&self, ca_file: Option<PathBuf>) -> Trust {
        match (self.pin, ca_file) {
            (Some(pin), _) => Trust::Pin(pin),
            (None, Some(path)) => Trust::CaFile(path),
            (None, None) => Trust::NativeRoots,
        }
    }

    fn checked(host: &str, port: u16, pin: Option<Pin>) -> Result<Self, AddressProblem> {
        if host.is_empty() {
            return Err(AddressProblem::NoHost);
        }
        if ServerName::try_from(host).is_err() {
            return Err(AddressProblem::Host(host.to_owned()));
        }
        if port == 0 {
            return Err(AddressProblem::Port("0".to_owned()));
        }
        let host = host.to_ascii_lowercase();
        Ok(Self { host, port, pin })
    }

    fn parse(text: &str) -> Result<Self, AddressProblem> {
        let rest = match text.get(..SCHEME.len()) {
            Some(scheme) if scheme.eq_ignore_ascii_case(SCHEME) => &text[SCHEME.len()..],
            _ => return Err(AddressProblem::Scheme),
        };
        let (authority, query) = match rest.split_once('?') {
            Some((authority, query)) => (authority, Some(query)),
            None => (rest, None),
        };
        let authority = authority.strip_suffix('/').unwrap_or(authority);
        let (host, port) = split_authority(authority)?;
        Self::checked(host, port, parse_query(query.unwrap_or(""))?)
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        Self::parse(text).map_err(|problem| AddressError { given: text.to_owned(), problem })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "{SCHEME}[{}]:{}", self.host, self.port)?,
            false => write!(f, "{SCHEME}{}:{}", self.host, self.port)?,
        }
        match self.pin {
            Some(pin) => write!(f, "?pin={pin}"),
            None => Ok(()),
        }
    }
}

fn split_authority(authority: &str) -> Result<(&str, u16), AddressProblem> {
    if let Some(path) = authority.find('/') {
        return Err(AddressProblem::Path(authority[path..].to_owned()));
    }
    let (host, port) = match authority.strip_prefix('[') {
        Some(inner) => {
            let (host, after) = inner.split_once(']').ok_or(AddressProblem::Bracket)?;
            if !host.parse::<IpAddr>().is_ok_and(|ip| ip.is_ipv6()) {
                return Err(AddressProblem::Host(host.to_owned()));
            }
            (host, after.strip_prefix(':').ok_or(AddressProblem::NoPort)?)
        }
        None => authority.split_once(':').ok_or(AddressProblem::NoPort)?,
    };
    if port.contains(':') {
        return Err(AddressProblem::Bracket);
    }
    if port.is_empty() {
        return Err(AddressProblem::NoPort);
    }
    let number = port.parse().map_err(|_| AddressProblem::Port(port.to_owned()))?;
    Ok((host, number))
}

fn parse_query(query: &str) -> Result<Option<Pin>, AddressProblem> {
    let mut pin = None;
    for parameter in query.split('&').filter(|part| !part.is_empty()) {
        match parameter.split_once('=') {
            Some(("pin", _)) if pin.is_some() => return Err(AddressProblem::TwoPins),
            Some(("pin", hex)) => pin = Some(hex.parse().map_err(AddressProblem::Pin)?),
            // Ignoring a mistyped `pin` would silently trust another authority.
            _ => return Err(AddressProblem::Parameter(parameter.to_owned())),
        }
    }
    Ok(pin)
}

/// A text that is not an [`Address`], and why.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "`{given}` is not a Syncline address: {problem}. \
     A good one looks like syncline://relay.example.org:4433 or \
     syncline://192.0.2.7:4433?pin=<64 hex digits>"
)]
pub struct AddressError {
    /// The text.
    pub given: String,
    /// What is wrong with it.
    pub problem: AddressProblem,
}

/// What is wrong with an address.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum AddressProblem {
    /// Another scheme, or none.
    #[error("it does not start with syncline://")]
    Scheme,
    /// Nothing before the port.
    #[error("the host is missing")]
    NoHost,
    /// Neither a DNS name nor an IP address.
    #[error("`{0}` is neither a host name nor an IP address")]
    Host(String),
    /// No port after the host.
    #[error("the port is missing")]
    NoPort,
    /// A port that is no number from 1 to 65535.
    #[error("`{0}` is not a port from 1 to 65535")]
    Port(String),
    /// An IPv6 address without its brackets, or with half of them.
    #[error("an IPv6 address stands in brackets, as in [::1]:4433")]
    Bracket,
    /// Something between port and query.
    #[error("it has a path, `{0}`, which means nothing here")]
    Path(String),
    /// A pin that is none.
    #[error("{0}")]
    Pin(PinError),
    /// More than one pin.
    #[error("it has more than one pin")]
    TwoPins,
    /// A query parameter that is not known.
    #[error("`{0}` is not a known parameter, only pin=HEX is")]
    Parameter(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    fn problem(text: &str) -> AddressProblem {
        text.parse::<Address>().unwrap_err().problem
    }

    #[test]
    fn an_address_is_written_as_it_is_read() {
        for text in [
            "syncline://localhost:4433".to_owned(),
            "syncline://192.0.2.7:1".to_owned(),
            format!("syncline://relay.example.org:4433?pin={HEX}"),
            format!("syncline://[2001:db8::1]:65535?pin={HEX}"),
        ] {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), text);
        }
        let slash = "SYNCLINE://Relay.example.org:4433/".parse::<Address>().unwrap();
        assert_eq!(slash.to_string(), "syncline://relay.example.org:4433");
    }

    #[test]
    fn a_bad_address_is_told_what_is_wrong_with_it() {
        assert_eq!(problem("https://host:1"), AddressProblem::Scheme);
        assert_eq!(problem(""), AddressProblem::Scheme);
        assert_eq!(problem("syncline://"), AddressProblem::NoPort);
        assert_eq!(problem("syncline://:4433"), AddressProblem::NoHost);
        assert_eq!(problem("syncline://host"), AddressProblem::NoPort);
        assert_eq!(problem("syncline://host:"), AddressProblem::NoPort);
        assert_eq!(problem("syncline://host:0"), AddressProblem::Port("0".into()));
        assert_eq!(problem("syncline://host:70000"), AddressProblem::Port("70000".into()));
        assert_eq!(problem("syncline://::1:4433"), AddressProblem::Bracket);
        assert_eq!(problem("syncline://[::1:4433"), AddressProblem::Bracket);
        assert_eq!(problem("syncline://[::1]"), AddressProblem::NoPort);
        assert_eq!(problem("syncline://[host]:1"), AddressProblem::Host("host".into()));
        assert_eq!(problem("syncline://a b:1"), AddressProblem::Host("a b".into()));
        assert_eq!(problem("syncline://h:1/db"), AddressProblem::Path("/db".into()));
        assert_eq!(problem("syncline://h:1?pn=00"), AddressProblem::Parameter("pn=00".into()));
        let short = AddressProblem::Pin(PinError::Length { found: 2 });
        assert_eq!(problem("syncline://h:1?pin=00"), short);
        let twice = format!("syncline://h:1?pin={HEX}&pin={HEX}");
        assert_eq!(problem(&twice), AddressProblem::TwoPins);
        assert_eq!(problem("sync😀line"), AddressProblem::Scheme);
    }

    #[test]
    fn the_message_shows_what_a_good_address_looks_like() {
        let message = "localhost:4433".parse::<Address>().unwrap_err().to_string();
        assert!(message.contains("`localhost:4433`"), "{message}");
        assert!(message.contains("syncline://relay.example.org:4433"), "{message}");
    }

    #[test]
    fn a_pin_in_the_address_goes_before_a_ca_file() {
        let pinned: Address = format!("syncline://h:1?pin={HEX}").parse().unwrap();
        assert!(matches!(pinned.trust(Some("ca.pem".into())), Trust::Pin(_)));
        let plain: Address = "syncline://h:1".parse().unwrap();
        assert!(matches!(plain.trust(Some("ca.pem".into())), Trust::CaFile(_)));
        assert!(matches!(plain.trust(None), Trust::NativeRoots));
    }
}
