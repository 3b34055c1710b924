//! What cert-manager's texts mean, and what it takes.
//!
//! Source: cert-manager `2d0d7f7f7`, `pkg/issuer/acme/http/http.go` and `dns/dns.go` (self checks),
//! `pkg/controller/acmechallenges/readiness.go`; the other words are those of Let's Encrypt.

/// A cause in some words, and what to do about it; by the first text that stands in the message.
struct Meaning {
    /// All of them stand in the message, in lower case.
    words: &'static [&'static str],
    short: &'static str,
    advice: &'static str,
}

const RATE_LIMIT: &str = "wait: Let's Encrypt says until when, and each attempt counts; to go on testing use an issuer with its \
                          staging server, and do not delete and make Certificates anew";
const HAS_NO_RECORD: &str = "the host has no DNS record";
const DOES_NOT_ANSWER: &str = "the host does not answer on port 80";
const NO_RECORD: &str = "make an A record for the host that leads to the address of the Gateway or Ingress; a record that is \
                         new takes until its old negative answer expires";
const NO_ANSWER: &str = "the host must answer on port 80 from outside and from the pods: compare its DNS record with the load \
                         balancer's address, give the Gateway a listener on port 80, and where the load balancer uses the \
                         proxy protocol set load-balancer.hetzner.cloud/hostname, so that pods go through it too";
const NOT_SEEN: &str = "see whether the TXT record stands in the zone that the world asks (`dig +trace TXT _acme-challenge.HOST`), \
                        and whether the solver writes into that zone and cleans up after itself";
const WRONG_PLACE: &str = "something else answers for the host: look whether its DNS record leads to this cluster, and whether \
                           the solver's HTTPRoute (label acme.cert-manager.io/http01-solver) or Ingress is admitted";

const MEANINGS: &[Meaning] = &[
    Meaning { words: &["ratelimited"], short: "a rate limit of the issuer is reached", advice: RATE_LIMIT },
    Meaning {
        words: &["too many certificates"],
        short: "a rate limit of the issuer is reached",
        advice: RATE_LIMIT,
    },
    // Let's Encrypt's words about a DNS-01 challenge come before those about addresses.
    Meaning { words: &["looking up txt"], short: "the DNS record is not seen", advice: NOT_SEEN },
    Meaning { words: &["no txt record found"], short: "the DNS record is not seen", advice: NOT_SEEN },
    Meaning { words: &["incorrect txt record"], short: "another DNS record is seen", advice: NOT_SEEN },
    Meaning { words: &["self check", "no such host"], short: HAS_NO_RECORD, advice: NO_RECORD },
    Meaning { words: &["nxdomain"], short: HAS_NO_RECORD, advice: NO_RECORD },
    Meaning { words: &["no valid ip addresses"], short: HAS_NO_RECORD, advice: NO_RECORD },
    Meaning { words: &["no valid a records"], short: HAS_NO_RECORD, advice: NO_RECORD },
    Meaning {
        words: &["self check", "server misbehaving"],
        short: "the cluster's DNS does not answer",
        advice: "look at CoreDNS and the nodes' upstream resolvers: `kubectl -n kube-system logs deployment/coredns`",
    },
    Meaning {
        words: &["wrong status code"],
        short: "something else answers for the host",
        advice: WRONG_PLACE,
    },
    Meaning {
        words: &["did not get expected response"],
        short: "something else answers for the host",
        advice: WRONG_PLACE,
    },
    Meaning {
        words: &["invalid response from"],
        short: "something else answers for the host",
        advice: WRONG_PLACE,
    },
    Meaning { words: &["self check"], short: DOES_NOT_ANSWER, advice: NO_ANSWER },
    Meaning { words: &["timeout during connect"], short: DOES_NOT_ANSWER, advice: NO_ANSWER },
    // Of the host alone: an issuer that does not answer refuses connections as well.
    Meaning { words: &["acme-challenge/", "connection refused"], short: DOES_NOT_ANSWER, advice: NO_ANSWER },
    Meaning { words: &["not yet propagated"], short: "the DNS record is not seen yet", advice: NOT_SEEN },
    Meaning {
        words: &["authoritative nameservers"],
        short: "the host's name servers are not found",
        advice: "from a pod, `dig NS` of the domain must work: open port 53 outward, or give cert-manager \
                 --dns01-recursive-nameservers",
    },
    Meaning {
        words: &["gateway api is not enabled"],
        short: "its Gateway API support is off",
        advice: "set config.enableGatewayAPI: true in cert-manager's chart values (before 1.15 the flag \
                 --enable-gateway-api), with the Gateway API's CRDs installed before it starts",
    },
    Meaning {
        words: &["caa record"],
        short: "a CAA record forbids the issuer",
        advice: "add the issuer to the domain's CAA records, for Let's Encrypt `0 issue \"letsencrypt.org\"`",
    },
    Meaning {
        words: &["invalidcontact"],
        short: "its account's email address is refused",
        advice: "write an email address that exists into spec.acme.email of the issuer: Let's Encrypt refuses those of example.com",
    },
    Meaning {
        words: &["secret", "not found"],
        short: "a Secret it needs is missing",
        advice: "make the Secret that the issuer names, in its own namespace; for a ClusterIssuer in that of cert-manager",
    },
];

/// The cause in some words, and what to do about it.
pub fn meaning(message: &str) -> Option<(&'static str, &'static str)> {
    let message = message.to_lowercase();
    let found = MEANINGS.iter().find(|meaning| meaning.words.iter().all(|word| message.contains(word)))?;
    Some((found.short, found.advice))
}

/// A headline that ends with such a meaning: nobody got as far as the solver.
pub fn is_unreached(says: &str) -> bool {
    says.ends_with(HAS_NO_RECORD) || says.ends_with(DOES_NOT_ANSWER)
}

#[cfg(test)]
mod tests {
    use super::meaning;

    #[test]
    fn texts_are_told_apart() {
        let of = |message: &str| meaning(message).map(|(short, _)| short);
        let check = "Waiting for HTTP-01 challenge propagation: failed to perform self check GET request 'http://a/': Get";
        assert_eq!(
            of(&format!("{check} dial tcp: lookup a: no such host")),
            Some("the host has no DNS record")
        );
        assert_eq!(of(&format!("{check} i/o timeout")), Some("the host does not answer on port 80"));
        assert_eq!(
            of("Waiting for HTTP-01 challenge propagation: wrong status code '404', expected '200'"),
            Some("something else answers for the host")
        );
        assert_eq!(
            of("429 urn:ietf:params:acme:error:rateLimited: too many"),
            Some("a rate limit of the issuer is reached")
        );
        assert_eq!(
            of(
                "400 urn:ietf:params:acme:error:dns: DNS problem: NXDOMAIN looking up TXT for _acme-challenge.a"
            ),
            Some("the DNS record is not seen")
        );
        assert_eq!(
            of("urn:ietf:params:acme:error:caa: CAA record for example.com prevents issuance"),
            Some("a CAA record forbids the issuer")
        );
        // Numbers, lookups of CAA and other machines' refusals mean nothing of the kind.
        for other in [
            "whatever",
            "acme: order https://acme-v02.api.letsencrypt.org/acme/order/1429/2 is pending",
            "DNS problem: SERVFAIL looking up CAA for example.com - the domain's nameservers may be malfunctioning",
            "Failed to initialize Vault client: Put \"https://vault:8200/v1/a\": dial tcp 127.0.0.9:8200: connect: connection refused",
        ] {
            assert_eq!(of(other), None, "{other}");
        }
    }
}
