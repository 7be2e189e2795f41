//! How a relay is configured: a TOML text, variables of the environment, or values.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use serde::Deserialize;

/// What variables of the environment start with that stand for the configuration.
const PREFIX: &str = "SYNCLINE__";

/// What a relay needs to know.
///
/// As TOML, with the defaults:
///
/// ```
/// # let config = syncline_relay::RelayConfig::from_toml(r#"
/// [relay]
/// data = "syncline-relay"      # the data folder
/// listen = "127.0.0.1:4433"    # UDP; 0.0.0.0 and [::] stand for all addresses
/// dev = false                  # true: everybody may open any namespace
///
/// [limits]
/// connections_max = 20000      # further peers are refused
/// handshakes_max = 512         # at one time
/// namespaces_max = 1000        # files in the data folder; open ones need 5 file handles each
/// stall_seconds_max = 30       # a peer that reads nothing for so long is closed
/// drain_seconds_max = 10       # how long sessions may take to end when the relay stops
/// segmentation_offload = true  # false for network cards that fail with it
/// # "#)?;
/// # assert_eq!(config, syncline_relay::RelayConfig::default());
/// # Ok::<(), syncline_relay::ConfigError>(())
/// ```
///
/// A variable of the environment, `SYNCLINE__SECTION__KEY` such as `SYNCLINE__RELAY__LISTEN`, goes
/// before the text; see [`from_toml_and_env`](Self::from_toml_and_env).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelayConfig {
    /// The data folder; made if it is missing.
    pub data: PathBuf,
    /// Where to listen; port 0 picks a free one.
    pub listen: SocketAddr,
    /// Development mode: no authentication, and namespaces are opened at first contact.
    pub dev: bool,
    /// The bounds.
    pub limits: RelayLimits,
}

/// The bounds of a relay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelayLimits {
    /// Connections at one time; further peers are refused.
    pub connections_max: usize,
    /// Handshakes in flight at one time; further peers are refused.
    pub handshakes_max: usize,
    /// Namespaces in the data folder. An open one needs five file handles.
    pub namespaces_max: usize,
    /// How long a peer may read nothing while something waits for it.
    pub stall_seconds_max: u64,
    /// How long sessions may take to end when the relay stops.
    pub drain_seconds_max: u64,
    /// Whether the kernel may cut large sends into packets; some network cards fail with it.
    pub segmentation_offload: bool,
}

impl Default for RelayConfig {
    fn default() -> Self {
        Self {
            data: PathBuf::from("syncline-relay"),
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 4433)),
            dev: false,
            limits: RelayLimits::default(),
        }
    }
}

impl Default for RelayLimits {
    fn default() -> Self {
        Self {
            connections_max: 20_000,
            handshakes_max: 512,
            namespaces_max: 1_000,
            stall_seconds_max: 30,
            drain_seconds_max: 10,
            segmentation_offload: true,
        }
    }
}

impl RelayConfig {
    /// Reads a TOML text. What it does not mention has its default.
    pub fn from_toml(text: &str) -> Result<Self, ConfigError> {
        Self::from_toml_and_env(text, [])
    }

    /// Reads a TOML text and then the variables of the environment that start with `SYNCLINE__`,
    /// which go before it. Give it [`std::env::vars`]; other variables are left alone.
    pub fn from_toml_and_env(
        text: &str,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        let mut config = Self::default();
        let written: Written = toml::from_str(text).map_err(|error| ConfigError::Text(error.to_string()))?;
        written.apply(&mut config);
        for (name, value) in variables {
            if let Some(path) = name.strip_prefix(PREFIX) {
                variable(path, &value)
                    .map_err(|problem| ConfigError::Variable { name: name.clone(), problem })?
                    .apply(&mut config);
            }
        }
        Ok(config)
    }
}

/// Why a configuration cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The text is no TOML, or has a key or value that means nothing; the message shows the line.
    #[error("the relay's configuration cannot be read: {0}")]
    Text(String),
    /// A variable of the environment means nothing.
    #[error("the environment variable {name} cannot be used: {problem}")]
    Variable {
        /// Its name.
        name: String,
        /// What is wrong.
        problem: String,
    },
}

/// What a text says; everything may be left out.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default)]
    relay: WrittenRelay,
    #[serde(default)]
    limits: WrittenLimits,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenRelay {
    data: Option<PathBuf>,
    listen: Option<SocketAddr>,
    dev: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenLimits {
    connections_max: Option<usize>,
    handshakes_max: Option<usize>,
    namespaces_max: Option<usize>,
    stall_seconds_max: Option<u64>,
    drain_seconds_max: Option<u64>,
    segmentation_offload: Option<bool>,
}

impl Written {
    fn apply(self, config: &mut RelayConfig) {
        let Self { relay, limits } = self;
        set(&mut config.data, relay.data);
        set(&mut config.listen, relay.listen);
        set(&mut config.dev, relay.dev);
        let bounds = &mut config.limits;
        set(&mut bounds.connections_max, limits.connections_max);
        set(&mut bounds.handshakes_max, limits.handshakes_max);
        set(&mut bounds.namespaces_max, limits.namespaces_max);
        set(&mut bounds.stall_seconds_max, limits.stall_seconds_max);
        set(&mut bounds.drain_seconds_max, limits.drain_seconds_max);
        set(&mut bounds.segmentation_offload, limits.segmentation_offload);
    }
}

fn set<T>(place: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *place = value;
    }
}

/// Reads `SECTION__KEY` and its value as if they stood in a text.
fn variable(path: &str, value: &str) -> Result<Written, String> {
    let Some((section, key)) = path.split_once("__") else {
        return Err(format!("it should be {PREFIX}SECTION__KEY, as in {PREFIX}RELAY__LISTEN"));
    };
    let (section, key) = (section.to_lowercase(), key.to_lowercase());
    let read = |value: toml::Value| {
        let inner = toml::Table::from_iter([(key.clone(), value)]);
        let outer = toml::Table::from_iter([(section.clone(), toml::Value::Table(inner))]);
        outer.try_into::<Written>()
    };
    // A number or a truth value if the key wants one, text otherwise.
    let plain = match value.parse::<i64>() {
        Ok(number) => Some(toml::Value::Integer(number)),
        Err(_) => value.parse::<bool>().ok().map(toml::Value::Boolean),
    };
    let as_text = read(toml::Value::String(value.to_owned()));
    match (as_text, plain.map(read)) {
        (Ok(written), _) | (Err(_), Some(Ok(written))) => Ok(written),
        (Err(error), _) => Err(error.to_string().trim_end().to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn what_is_not_mentioned_has_its_default() {
        let config = RelayConfig::from_toml("[limits]\nnamespaces_max = 3\n").unwrap();
        assert_eq!(config.limits.namespaces_max, 3);
        let limits = RelayLimits { namespaces_max: 3, ..RelayLimits::default() };
        assert_eq!(config, RelayConfig { limits, ..RelayConfig::default() });
    }

    #[test]
    fn an_unknown_key_is_shown_with_its_line() {
        let error = RelayConfig::from_toml("[relay]\ndev = true\nlisen = \"[::]:1\"\n").unwrap_err().to_string();
        assert!(error.contains("line 3") && error.contains("lisen") && error.contains("listen"), "{error}");
        let error = RelayConfig::from_toml("[relay]\nlisten = \"nowhere\"\n").unwrap_err().to_string();
        assert!(error.contains("line 2"), "{error}");
    }

    #[test]
    fn the_environment_goes_before_the_text() {
        let variables = env(&[
            ("SYNCLINE__RELAY__LISTEN", "[::1]:9"),
            ("SYNCLINE__RELAY__DEV", "true"),
            ("SYNCLINE__RELAY__DATA", "12"),
            ("SYNCLINE__LIMITS__CONNECTIONS_MAX", "7"),
            ("PATH", "/bin"),
        ]);
        let text = "[relay]\nlisten = \"127.0.0.1:1\"\n";
        let config = RelayConfig::from_toml_and_env(text, variables).unwrap();
        assert_eq!((config.listen.port(), config.dev, config.limits.connections_max), (9, true, 7));
        assert_eq!(config.data, PathBuf::from("12"));
    }

    #[test]
    fn a_variable_that_means_nothing_is_named() {
        for (name, value, says) in [
            ("SYNCLINE__RELAY__LISEN", "[::1]:9", "lisen"),
            ("SYNCLINE__LISTEN", "[::1]:9", "SECTION__KEY"),
            ("SYNCLINE__RELAY__DEV", "perhaps", "bool"),
            ("SYNCLINE__LIMITS__CONNECTIONS_MAX", "-1", "connections_max"),
        ] {
            let error = RelayConfig::from_toml_and_env("", env(&[(name, value)])).unwrap_err().to_string();
            assert!(error.contains(name) && error.contains(says), "{error}");
        }
    }
}
