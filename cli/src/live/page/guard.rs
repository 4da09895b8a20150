//! Who may ask: those who know the token, at the page's own address, from the page itself. The token keeps out other users
//! of this machine; the host keeps out pages of the web whose name is made to lead here, and the origin all others.

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use anyhow::Context;
use rustix::rand::{GetRandomFlags, getrandom};

use super::request::Request;

/// Bytes of chance in a token.
const TOKEN_BYTES: usize = 16;

/// Lets requests through, or refuses them.
pub struct Guard {
    address: SocketAddr,
    token: String,
}

impl Guard {
    /// One for an address, with a token that nobody knows yet.
    ///
    /// # Errors
    /// If the system has no chance to give.
    pub fn new(address: SocketAddr) -> anyhow::Result<Self> {
        let mut chance = [0; TOKEN_BYTES];
        let mut n_filled = 0;
        while n_filled < TOKEN_BYTES {
            n_filled += getrandom(&mut chance[n_filled..], GetRandomFlags::empty())
                .context("making the page's token")?;
        }
        let token = chance.iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Self { address, token })
    }

    /// The token, which the page hands on in all that it asks for.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// The page's address, with the token.
    pub fn url(&self) -> String {
        let ip = match self.address.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
            named => named,
        };
        let address = SocketAddr::new(ip, self.address.port());
        format!("http://{address}/?token={}", self.token)
    }

    /// Looks whether a request is one of the page's.
    ///
    /// # Errors
    /// Why it is not, in a line.
    pub fn check(&self, request: &Request) -> Result<(), String> {
        let host = request.host.as_deref().unwrap_or_default();
        if !self.is_ours(host) {
            return Err(format!(
                "the host is `{host}`, wanted `{}`: open the page at the address that impasto has printed",
                self.address
            ));
        }
        let own = format!("http://{host}");
        if let Some(origin) = &request.origin
            && !origin.eq_ignore_ascii_case(&own)
        {
            return Err(format!(
                "the request comes from `{origin}`, wanted `{own}`: another page may not ask"
            ));
        }
        match request.parameter("token") {
            None => Err("the token is missing: open the page at the address that impasto has printed, with its `?token=`".to_owned()),
            Some(token) if !is_same(token, &self.token) => {
                Err("the token is not the one of this run: open the page at the address that impasto has printed".to_owned())
            }
            Some(_) => Ok(()),
        }
    }

    /// Whether a host is the page's address. Where it listens on all of the machine's, any that is a number is: a name
    /// could have been made to lead here.
    fn is_ours(&self, host: &str) -> bool {
        let own = self.address.ip();
        let (host, port) = match host.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, port.parse().ok()),
            _ => (host, Some(80)),
        };
        if port != Some(self.address.port()) {
            return false;
        }
        if host.eq_ignore_ascii_case("localhost") {
            return own.is_loopback() || own.is_unspecified();
        }
        let bare = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'));
        let ip: Option<IpAddr> = match bare {
            Some(ip) => ip.parse().ok().map(Ipv6Addr::into),
            None => host.parse().ok().map(Ipv4Addr::into),
        };
        ip.is_some_and(|ip| ip == own || own.is_unspecified())
    }
}

/// Whether two texts are the same, in a time that does not tell how far they are.
fn is_same(found: &str, wanted: &str) -> bool {
    let pairs = found.bytes().zip(wanted.bytes());
    let difference = pairs.fold(0, |difference, (a, b)| black_box(difference | (a ^ b)));
    found.len() == wanted.len() && difference == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard(address: &str) -> Guard {
        Guard::new(address.parse().unwrap()).unwrap()
    }

    fn refusal(guard: &Guard, host: &str, origin: Option<&str>, token: &str) -> String {
        let request = Request {
            host: Some(host.to_owned()),
            origin: origin.map(str::to_owned),
            query: format!("a=b&token={token}"),
            ..Request::default()
        };
        guard.check(&request).err().unwrap_or_default()
    }

    #[test]
    fn tokens_are_long_and_differ() {
        let [a, b] = [(); 2].map(|()| guard("127.0.0.1:7870"));
        assert_eq!(a.token().len(), 32);
        assert_ne!(a.token(), b.token());
        assert_eq!(
            a.url(),
            format!("http://127.0.0.1:7870/?token={}", a.token())
        );
        assert!(
            guard("0.0.0.0:80")
                .url()
                .starts_with("http://127.0.0.1:80/")
        );
    }

    #[test]
    fn only_the_token_of_this_run_opens() {
        let guard = guard("127.0.0.1:7870");
        let ask = |token: &str| refusal(&guard, "127.0.0.1:7870", None, token);
        let token = guard.token().to_owned();
        assert_eq!(ask(&token), "");
        for wrong in [
            "",
            "0",
            &token[1..],
            &format!("{token}0"),
            &token.replace(|_| true, "0"),
        ] {
            assert!(ask(wrong).contains("token"), "{wrong}");
        }
        let none = Request {
            host: Some("127.0.0.1:7870".to_owned()),
            ..Request::default()
        };
        assert!(guard.check(&none).unwrap_err().contains("missing"));
    }

    #[test]
    fn the_host_is_the_address_and_the_origin_is_the_host() {
        for (address, host, origin, is_let_through) in [
            ("127.0.0.1:7870", "127.0.0.1:7870", None, true),
            ("127.0.0.1:7870", "localhost:7870", None, true),
            (
                "127.0.0.1:7870",
                "LocalHost:7870",
                Some("http://localhost:7870"),
                true,
            ),
            (
                "127.0.0.1:7870",
                "127.0.0.1:7870",
                Some("http://localhost:7870"),
                false,
            ),
            (
                "127.0.0.1:7870",
                "127.0.0.1:7870",
                Some("https://127.0.0.1:7870"),
                false,
            ),
            ("127.0.0.1:7870", "127.0.0.1:7870", Some("null"), false),
            ("127.0.0.1:7870", "127.0.0.1", None, false),
            ("127.0.0.1:7870", "127.0.0.1:7871", None, false),
            ("127.0.0.1:7870", "evil.example:7870", None, false),
            ("127.0.0.1:7870", "127.0.0.1.evil.example:7870", None, false),
            ("127.0.0.1:7870", "", None, false),
            ("127.0.0.1:80", "127.0.0.1", None, true),
            ("[::1]:7870", "[::1]:7870", Some("http://[::1]:7870"), true),
            ("[::1]:80", "[::1]", None, true),
            ("192.168.1.5:7870", "localhost:7870", None, false),
            ("0.0.0.0:7870", "192.168.1.5:7870", None, true),
            ("0.0.0.0:7870", "evil.example:7870", None, false),
        ] {
            let guard = guard(address);
            let found = refusal(&guard, host, origin, guard.token());
            assert_eq!(found.is_empty(), is_let_through, "{host}: {found}");
        }
    }
}
