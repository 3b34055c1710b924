//! The proxy, as client-go and Go's `net/http` choose it: the kubeconfig's own one always; the environment's one unless
//! `NO_PROXY` names the API server, or it is this machine.

use std::net::IpAddr;

use http::Uri;
use ipnet::IpNet;

use super::{SetupError, Surroundings};

/// The proxy for that server.
///
/// # Errors
/// When it is no address that can be used.
pub(super) fn of(
    of_cluster: Option<&str>,
    server: &Uri,
    surroundings: &Surroundings,
) -> Result<Option<Uri>, SetupError> {
    if let Some(proxy) = of_cluster.filter(|proxy| !proxy.is_empty()) {
        return parse(proxy, "the kubeconfig's proxy-url").map(Some);
    }
    let Some(proxy) = surroundings.var(&["HTTPS_PROXY", "https_proxy"]) else { return Ok(None) };
    if server.scheme_str() != Some("https") {
        return Ok(None);
    }
    let host = server.host().unwrap_or_default().trim_matches(['[', ']']);
    let port = server.port_u16().unwrap_or(443);
    if is_this_machine(host)
        || surroundings.var(&["NO_PROXY", "no_proxy"]).is_some_and(|list| is_excepted(list, host, port))
    {
        return Ok(None);
    }
    parse(proxy, "HTTPS_PROXY").map(Some)
}

fn parse(proxy: &str, named_by: &str) -> Result<Uri, SetupError> {
    let full = if proxy.contains("://") { proxy.to_owned() } else { format!("http://{proxy}") };
    // Names are resolved by the proxy either way.
    let full = full.replacen("socks5h://", "socks5://", 1);
    match full.parse::<Uri>() {
        Ok(uri) if matches!(uri.scheme_str(), Some("http" | "https" | "socks5")) && uri.host().is_some() => {
            Ok(uri)
        }
        // The address itself may hold a password.
        _ => Err(SetupError::new(format!("{named_by} is no http://, https:// or socks5:// address"))),
    }
}

fn is_this_machine(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
}

/// Whether `NO_PROXY` names the host: `*`, an address, a CIDR, or a domain, which stands for everything below it too; each
/// but the CIDR with an optional port. What cannot be understood names nothing.
fn is_excepted(list: &str, host: &str, port: u16) -> bool {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    let address: Option<IpAddr> = host.parse().ok();
    list.split(',').map(str::trim).filter(|entry| !entry.is_empty()).any(|entry| {
        if entry == "*" {
            return true;
        }
        if let Ok(range) = entry.parse::<IpNet>() {
            return address.is_some_and(|address| range.contains(&address));
        }
        let (name, only) = split_port(entry);
        if only.is_some_and(|only| only != port) {
            return false;
        }
        if let Ok(named) = name.parse::<IpAddr>() {
            return address == Some(named);
        }
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        let name = name.strip_prefix('*').unwrap_or(&name);
        match name.strip_prefix('.') {
            Some(domain) => !domain.is_empty() && host.ends_with(name),
            None => !name.is_empty() && (host == name || host.ends_with(&format!(".{name}"))),
        }
    })
}

/// `host:port`, `[v6]:port`, or no port at all.
fn split_port(entry: &str) -> (&str, Option<u16>) {
    if entry.parse::<IpAddr>().is_ok() {
        return (entry, None);
    }
    match entry.rsplit_once(':') {
        Some((name, port)) if port.parse::<u16>().is_ok() => {
            (name.trim_matches(['[', ']']), port.parse().ok())
        }
        _ => (entry.trim_matches(['[', ']']), None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxy(server: &str, vars: &[(&str, &str)]) -> Option<String> {
        let vars = vars.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        let found = of(None, &server.parse().unwrap(), &Surroundings::new(vars)).unwrap();
        found.map(|uri| uri.to_string())
    }

    #[test]
    fn the_servers_address_is_compared_and_not_the_proxys() {
        let through = |server: &str, exceptions: &str| {
            proxy(server, &[("HTTPS_PROXY", "http://127.0.0.1:3128"), ("NO_PROXY", exceptions)]).is_some()
        };
        assert!(!through("https://10.9.9.9:6443", "10.9.9.9"));
        assert!(through("https://10.9.9.9:6443", "127.0.0.1"), "that is the proxy itself");
        assert!(!through("https://10.9.9.9:6443", "a.test, 10.0.0.0/8"));
        assert!(through("https://10.9.9.9:6443", "10.1.0.0/16"));
        assert!(!through("https://10.9.9.9:6443", "*"));
        assert!(!through("https://10.9.9.9:6443", "10.9.9.9:6443"));
        assert!(through("https://10.9.9.9:6443", "10.9.9.9:443"));
        assert!(!through("https://api.k3s.test", "k3s.test"));
        assert!(!through("https://api.k3s.test", ".k3s.test"));
        assert!(!through("https://api.K3S.test", "*.k3s.test"));
        assert!(through("https://k3s.test", ".k3s.test"), "a leading dot is for what is below");
        assert!(through("https://notk3s.test", "k3s.test"));
        assert!(!through("https://[fd00::1]:6443", "fd00::/8"));
        assert!(!through("https://[fd00::1]:6443", "[fd00::1]:6443"));
        assert!(through("https://10.9.9.9:6443", ",, %%,"), "what is not understood names nothing");
        assert!(!through("https://127.0.0.1:6443", ""), "this machine is never reached through a proxy");
    }

    #[test]
    fn the_kubeconfigs_own_proxy_is_always_used() {
        let surroundings = Surroundings::new([("NO_PROXY".to_owned(), "*".to_owned())]);
        let server: Uri = "https://10.9.9.9:6443".parse().unwrap();
        let found = of(Some("socks5h://127.0.0.1:1080"), &server, &surroundings).unwrap();
        assert_eq!(found.unwrap().to_string(), "socks5://127.0.0.1:1080/");
    }

    #[test]
    fn a_proxy_without_a_scheme_is_an_http_one_and_another_scheme_is_an_error() {
        assert_eq!(
            proxy("https://10.9.9.9", &[("https_proxy", "127.0.0.1:3128")]).as_deref(),
            Some("http://127.0.0.1:3128/")
        );
        assert!(
            parse("ftp://user:secret@127.0.0.1", "HTTPS_PROXY")
                .is_err_and(|e| !e.to_string().contains("secret"))
        );
    }
}
