//! Addresses: of mail, the web, telephones and hosts.

use std::net::{Ipv4Addr, Ipv6Addr};

/// One `@`, a local part without spaces, a domain of labels.
pub(super) fn email(text: &str) -> Result<(), String> {
    let Some((local, domain)) = text.split_once('@') else {
        return Err("there is no @".to_owned());
    };
    let plain = |c: char| c.is_alphanumeric() || ".!#$%&'*+/=?^_`{|}~-".contains(c);
    if local.is_empty() {
        return Err("nothing stands before the @".to_owned());
    }
    if let Some(wrong) = local.chars().find(|c| !plain(*c)) {
        return Err(format!("{wrong:?} cannot stand before the @"));
    }
    if domain.split('.').all(is_label) {
        return Ok(());
    }
    Err(format!("`{domain}` is not a domain"))
}

fn is_label(label: &str) -> bool {
    !label.is_empty()
        && label.len() <= 63
        && !label.starts_with('-')
        && !label.ends_with('-')
        && label.chars().all(|c| c.is_alphanumeric() || c == '-')
}

/// An absolute URL: a scheme, then `//` and a host, or what a scheme like `mailto` has instead.
pub(super) fn url(text: &str) -> Result<(), String> {
    let relative = || "it does not start with a scheme such as `https://`".to_owned();
    if let Some(wrong) = text.chars().find(|c| c.is_whitespace() || c.is_control()) {
        return Err(format!("{wrong:?} must be percent-encoded"));
    }
    let (scheme, rest) = text.split_once(':').ok_or_else(relative)?;
    let in_scheme = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
    if !scheme.starts_with(|c: char| c.is_ascii_alphabetic()) || !scheme.chars().all(in_scheme) {
        return Err(relative());
    }
    if let Some(rest) = rest.strip_prefix("//") {
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let authority = &rest[..end];
        if authority.is_empty() && scheme.eq_ignore_ascii_case("file") {
            return Ok(());
        }
        return host_and_port(authority);
    }
    // `localhost:3000` and `example.org:80` are hosts whose scheme was forgotten.
    let hierarchical = ["http", "https", "ws", "wss", "ftp"].iter().any(|known| scheme.eq_ignore_ascii_case(known));
    if rest.is_empty() || hierarchical || scheme.contains('.') || scheme == "localhost" {
        return Err(relative());
    }
    Ok(())
}

fn host_and_port(authority: &str) -> Result<(), String> {
    let host_port = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let (host, port) = if let Some(bracketed) = host_port.strip_prefix('[') {
        let (address, port) = bracketed.split_once(']').ok_or_else(|| "the address in `[` has no `]`".to_owned())?;
        if address.parse::<Ipv6Addr>().is_err() {
            return Err(format!("`{address}` is not an IPv6 address"));
        }
        (address, port.strip_prefix(':'))
    } else {
        match host_port.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (host_port, None),
        }
    };
    if host.is_empty() {
        return Err("the host is missing".to_owned());
    }
    match port {
        Some(port) if !port.is_empty() && !is_number_up_to(port, u32::from(u16::MAX)) => {
            Err(format!("`{port}` is not a port"))
        }
        Some(_) | None => Ok(()),
    }
}

/// An optional `+`, then two to fifteen digits with spaces and hyphens between them.
pub(super) fn phone(text: &str) -> Result<(), String> {
    let number = text.strip_prefix('+').unwrap_or(text);
    if let Some(wrong) = number.chars().find(|c| !(c.is_ascii_digit() || *c == ' ' || *c == '-')) {
        return Err(format!("{wrong:?} is not a digit, space or hyphen"));
    }
    if !number.starts_with(|c: char| c.is_ascii_digit()) {
        return Err("it does not start with a digit".to_owned());
    }
    let digits = number.chars().filter(char::is_ascii_digit).count();
    if (2..=15).contains(&digits) {
        return Ok(());
    }
    Err(format!("numbers have 2 to 15 digits, this has {digits}"))
}

/// IPv4 or IPv6, with an optional prefix length.
pub(super) fn ip_address(text: &str) -> Result<(), String> {
    let (address, prefix) = match text.split_once('/') {
        Some((address, prefix)) => (address, Some(prefix)),
        None => (text, None),
    };
    let bits = if address.parse::<Ipv4Addr>().is_ok() {
        32
    } else if address.parse::<Ipv6Addr>().is_ok() {
        128
    } else {
        return Err("it is neither an IPv4 nor an IPv6 address".to_owned());
    };
    match prefix {
        Some(prefix) if !is_number_up_to(prefix, bits) => Err(format!("the prefix length is a number up to {bits}")),
        Some(_) | None => Ok(()),
    }
}

fn is_number_up_to(text: &str, most: u32) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<u32>().is_ok_and(|number| number <= most)
}
