//! Requests to addresses that somebody else has chosen: only to public ones.
//!
//! Whoever may name a URL that this process asks could make it ask what only this process can reach: a
//! database on its own machine, the metadata of its cloud. A [`GuardedClient`] connects to addresses of the
//! public internet only. A name is resolved once for each connection, all its addresses are checked, and the
//! connection is made to what was checked, so that a name that changes in between gains nothing. Redirects
//! are not followed, proxies not used, and nothing but `https` is spoken.
//!
//! What an operator wants to reach nevertheless is [allowed](AllowedHosts) by name, for the whole process.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Client, Method, RequestBuilder, Response, Url, redirect, retry};
use worktruck_core::{Error, Result};

/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(5);
/// How long a request may take from its beginning to the end of its answer.
const WHOLE: Duration = Duration::from_secs(15);

/// Asks only public addresses, and hosts that are allowed.
///
/// # Examples
///
/// ```
/// use reqwest::Method;
/// use worktruck_agents::net::{AllowedHosts, GuardedClient};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> worktruck_core::Result<()> {
/// let client = GuardedClient::new(AllowedHosts::none())?;
/// assert!(client.request(Method::GET, "https://api.github.com/rate_limit").is_ok());
/// for private in ["https://127.0.0.1/", "https://[::ffff:10.0.0.1]/", "https://0x7f.1/", "http://api.github.com/"] {
///     assert!(client.request(Method::GET, private).is_err(), "{private}");
/// }
/// let client = GuardedClient::new("127.0.0.1:8080".parse()?)?;
/// assert!(client.request(Method::GET, "http://127.0.0.1:8080/").is_ok());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct GuardedClient {
    /// Resolves names to public addresses, or not at all.
    guarded: Client,
    /// For hosts that are allowed.
    free: Client,
    allowed: Arc<AllowedHosts>,
}

impl GuardedClient {
    /// A client for public addresses and for `allowed` hosts.
    ///
    /// # Errors
    ///
    /// `Unavailable` if this machine has no trusted certificates.
    pub fn new(allowed: AllowedHosts) -> Result<Self> {
        Ok(Self {
            guarded: client(|builder| builder.dns_resolver(PublicOnly).https_only(true))?,
            free: client(|builder| builder)?,
            allowed: Arc::new(allowed),
        })
    }

    /// A request, to be sent. A name is resolved and its addresses are checked when it is.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` if `url` is no URL that may be asked: not `https`, with credentials, or at an address
    /// that is not public. Its text is not repeated but for the host.
    pub fn request(&self, method: Method, url: &str) -> Result<RequestBuilder> {
        let url = Url::parse(url).map_err(|e| Error::invalid("the address is not a URL").with_source(e))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Error::invalid("the address must have no credentials"));
        }
        let host = url.host_str().ok_or_else(|| Error::invalid("the address has no host"))?;
        if !matches!(url.scheme(), "https" | "http") {
            return Err(Error::invalid(format!("{} is not asked: an address begins with https://", url.scheme())));
        }
        if self.allowed.has(host, url.port_or_known_default()) {
            return Ok(self.free.request(method, url));
        }
        if url.scheme() != "https" {
            return Err(Error::invalid(format!("{host} is asked over https only")));
        }
        // A host that is an address is not resolved. The parser has written it in its usual form.
        if let Ok(address) = host.trim_matches(['[', ']']).parse::<IpAddr>()
            && !is_public(address)
        {
            return Err(Error::invalid(Refused::new(host, address).to_string()));
        }
        Ok(self.guarded.request(method, url))
    }
}

fn client(set: impl FnOnce(reqwest::ClientBuilder) -> reqwest::ClientBuilder) -> Result<Client> {
    let builder = Client::builder()
        .no_proxy()
        .redirect(redirect::Policy::none())
        .retry(retry::never())
        .connect_timeout(CONNECT)
        .timeout(WHOLE)
        .user_agent(concat!("worktruck/", env!("CARGO_PKG_VERSION")));
    set(builder).build().map_err(|e| Error::unavailable("the HTTP client cannot be set up").with_source(e))
}

/// Hosts that are asked although they are not public, each at any port or at one.
///
/// The text of it is `HOST[:PORT]`, several separated by commas.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct AllowedHosts(Vec<(String, Option<u16>)>);

impl AllowedHosts {
    /// None.
    #[must_use]
    pub const fn none() -> Self {
        Self(Vec::new())
    }

    fn has(&self, host: &str, port: Option<u16>) -> bool {
        let host = host.trim_end_matches('.');
        let is_it =
            |(name, at): &(String, Option<u16>)| name.eq_ignore_ascii_case(host) && (at.is_none() || *at == port);
        self.0.iter().any(is_it)
    }
}

impl FromStr for AllowedHosts {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let hosts = text.split(',').map(str::trim).filter(|host| !host.is_empty());
        let one = |host: &str| {
            let wrong = || Error::invalid(format!("{host:?} is no host to be allowed: write HOST or HOST:PORT"));
            // Of an address of version 6 without brackets no part is a port.
            let bare = host.parse::<Ipv6Addr>().map(|address| format!("http://[{address}]"));
            let url = Url::parse(&bare.unwrap_or_else(|_| format!("http://{host}"))).map_err(|_| wrong())?;
            let is_host =
                url.path() == "/" && url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
            let name = url.host_str().filter(|_| is_host).ok_or_else(wrong)?;
            // The parser leaves out what it takes for granted.
            let port = if url.port().is_none() && host.ends_with(":80") { Some(80) } else { url.port() };
            Ok((name.to_owned(), port))
        };
        hosts.map(one).collect::<Result<_>>().map(Self)
    }
}

/// Resolves names whose addresses are all public.
#[derive(Debug)]
struct PublicOnly;

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let host = name.as_str();
            // The port is that of the URL, whatever is said here.
            let found: Vec<SocketAddr> = tokio::net::lookup_host((host, 0)).await?.collect();
            // One that is private among public ones is somebody's attempt: none is asked.
            if let Some(private) = found.iter().map(SocketAddr::ip).find(|address| !is_public(*address)) {
                return Err(Refused::new(host, private).into());
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

/// Why a host is not asked.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Refused {
    host: String,
    address: IpAddr,
}

impl Refused {
    fn new(host: &str, address: IpAddr) -> Self {
        Self { host: host.to_owned(), address }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is not asked: its address {} is not public, and the host is not allowed", self.host, self.address)
    }
}

impl std::error::Error for Refused {}

/// What became of a request that got no answer, in a sentence that names the host at most.
#[must_use]
pub fn explain(error: &reqwest::Error) -> String {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(refused) = error.downcast_ref::<Refused>() {
            return refused.to_string();
        }
        cause = error.source();
    }
    let host = error.url().and_then(Url::host_str).unwrap_or("it");
    if error.is_timeout() {
        format!("{host} did not answer in time")
    } else if error.is_connect() {
        format!("{host} cannot be reached")
    } else if error.is_builder() {
        "the request cannot be made".to_owned()
    } else {
        format!("{host} did not answer as it should")
    }
}

/// The body of an answer, cut after `most` bytes.
///
/// # Errors
///
/// Those of the connection.
pub async fn body(mut response: Response, most: usize) -> reqwest::Result<Vec<u8>> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        body.extend_from_slice(&chunk);
        if body.len() >= most {
            body.truncate(most);
            break;
        }
    }
    Ok(body)
}

/// Whether an address belongs to the public internet: not to this machine, a network of one's own, a
/// range that is set aside, or one of these written as an address of version 6.
///
/// # Examples
///
/// ```
/// use worktruck_agents::net::is_public;
///
/// assert!(is_public("140.82.121.6".parse()?));
/// assert!(!is_public("169.254.169.254".parse()?));
/// assert!(!is_public("::ffff:127.0.0.1".parse()?));
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
#[must_use]
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

/// The registry of special addresses of IPv4 (RFC 6890 and what came after it), as first address and length.
const SPECIAL_V4: [(Ipv4Addr, u32); 16] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    // What providers of clouds answer at with what only the machine should know.
    (Ipv4Addr::new(168, 63, 129, 16), 32),
    (Ipv4Addr::new(224, 0, 0, 0), 4),
    (Ipv4Addr::new(240, 0, 0, 0), 4),
];

fn is_public_v4(address: Ipv4Addr) -> bool {
    !SPECIAL_V4.iter().any(|(first, length)| (address.to_bits() ^ first.to_bits()).leading_zeros() >= *length)
}

/// Those of IPv6 that lie among the addresses that are given out, 2000::/3.
const SPECIAL_V6: [(Ipv6Addr, u32); 4] = [
    // Protocols, tunnels and benchmarks, which may hold an address of version 4.
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
];

fn is_public_v6(address: Ipv6Addr) -> bool {
    let is_in = |first: Ipv6Addr, length: u32| (address.to_bits() ^ first.to_bits()).leading_zeros() >= length;
    // Networks without version 4 reach it so.
    if is_in(Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 96) {
        let [.., a, b, c, d] = address.octets();
        return is_public_v4(Ipv4Addr::new(a, b, c, d));
    }
    is_in(Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3)
        && !SPECIAL_V6.iter().any(|(first, length)| is_in(*first, *length))
}

#[cfg(test)]
mod tests;
