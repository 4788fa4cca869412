//! Where a verdict can be sent to: addresses and connections.

use nix::sys::socket::{AddressFamily, SockFlag, SockType, VsockAddr, connect, socket};
use std::fmt;
use std::io;
use std::net::{TcpStream, ToSocketAddrs as _};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

/// How long a connection may take to come about.
const PATIENCE: Duration = Duration::from_secs(10);

/// Somebody who listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// `tcp:HOST:PORT`; an IPv6 address stands in brackets.
    Tcp(String),
    /// `unix:PATH`
    Unix(PathBuf),
    /// `vsock:CID:PORT`; the host of a virtual machine has the CID 2.
    Vsock(u32, u32),
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || format!("'{text}' is none of tcp:HOST:PORT, unix:PATH, vsock:CID:PORT");
        let (family, rest) = text.split_once(':').ok_or_else(wrong)?;
        let numbers = || rest.split_once(':').and_then(|(a, b)| Some((a.parse().ok()?, b.parse().ok()?)));
        match family {
            "tcp" => {
                let (host, port) = rest.rsplit_once(':').ok_or_else(wrong)?;
                let valid = !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0);
                valid.then(|| Self::Tcp(rest.to_owned())).ok_or_else(wrong)
            }
            "unix" if !rest.is_empty() => Ok(Self::Unix(rest.into())),
            "vsock" => numbers().map(|(cid, port)| Self::Vsock(cid, port)).ok_or_else(wrong),
            _ => Err(wrong()),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(place) => write!(f, "tcp:{place}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Vsock(cid, port) => write!(f, "vsock:{cid}:{port}"),
        }
    }
}

impl Address {
    /// Connects.
    ///
    /// # Errors
    /// What the operating system says; nobody answers within 10 s.
    pub fn connect(&self) -> io::Result<OwnedFd> {
        match self {
            Self::Tcp(place) => {
                let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
                for address in place.to_socket_addrs()? {
                    match TcpStream::connect_timeout(&address, PATIENCE) {
                        Ok(stream) => {
                            stream.set_nodelay(true)?;
                            return Ok(stream.into());
                        }
                        Err(error) => last = error,
                    }
                }
                Err(last)
            }
            Self::Unix(path) => UnixStream::connect(path).map(Into::into),
            Self::Vsock(cid, port) => {
                let stream = socket(AddressFamily::Vsock, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
                connect(stream.as_raw_fd(), &VsockAddr::new(*cid, *port))?;
                Ok(stream)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_they_are_shown() {
        for text in
            ["tcp:10.0.2.2:7000", "tcp:[::1]:1", "tcp:host.example:65535", "unix:/run/x", "vsock:2:7000"]
        {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), text);
        }
        for wrong in [
            "",
            "tcp",
            "tcp:1",
            "tcp::1",
            "tcp:host:0",
            "tcp:host:x",
            "unix:",
            "vsock:2",
            "vsock:a:1",
            "udp:a:1",
        ] {
            assert!(wrong.parse::<Address>().unwrap_err().contains("tcp:HOST:PORT"), "{wrong}");
        }
    }

    #[test]
    fn somebody_who_listens_is_reached() {
        use std::io::{Read as _, Write as _};
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address: Address = format!("tcp:{}", listener.local_addr().unwrap()).parse().unwrap();
        let stream = address.connect().unwrap();
        std::fs::File::from(stream).write_all(b"stuck").unwrap();
        let mut got = String::new();
        listener.accept().unwrap().0.read_to_string(&mut got).unwrap();
        assert_eq!(got, "stuck");
    }
}
