//! Client networks that need no key.

use std::net::{IpAddr, SocketAddr};

use axum::{extract::ConnectInfo, http::Extensions};
use ipnet::IpNet;

use crate::error::{Error, ErrorKind, Result};

/// Networks in CIDR notation.
#[derive(Debug, Clone, Default)]
pub(super) struct Networks(Vec<IpNet>);

impl Networks {
    pub(super) fn parse(list: impl IntoIterator<Item: AsRef<str>>) -> Result<Self> {
        let networks: Vec<IpNet> =
            list.into_iter().map(|text| network(text.as_ref())).collect::<Result<_>>()?;
        if networks.is_empty() {
            return Err(invalid("the list of trusted networks is empty"));
        }
        Ok(Self(networks))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn contain(&self, peer: IpAddr) -> bool {
        // A socket for IPv6 reports an IPv4 client as `::ffff:10.0.0.1`.
        let peer = peer.to_canonical();
        self.0.iter().any(|network| network.contains(&peer))
    }
}

/// Returns the address of the connection, if the server reports it. Headers are not considered, because a client
/// can send any.
pub(super) fn peer(extensions: &Extensions) -> Option<IpAddr> {
    extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| peer.ip())
}

/// Parses a network or a single address.
fn network(text: &str) -> Result<IpNet> {
    let network = match text.parse::<IpAddr>() {
        Ok(address) => IpNet::from(address),
        Err(_) => text.parse::<IpNet>().map_err(|_| {
            invalid(format!(
                "the trusted network {text:?} is not valid: use CIDR notation, such as 10.0.0.0/8"
            ))
        })?,
    };
    if network.prefix_len() == 0 {
        return Err(invalid(format!("the trusted network {text:?} contains every address")));
    }
    Ok(network)
}

fn invalid(what: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidInput, what.into())
}
