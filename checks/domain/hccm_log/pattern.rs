//! The patterns: which lines are known, what they mean, and what in them is a name.

use std::borrow::Cow;

use super::Word;
use crate::facts::Text;

/// What the kubelet writes in place of a log that is there no more.
pub(super) const GONE: &str = "unable to retrieve container logs for ";

const TOKEN_MISSING: &str = r#"environment variable "HCLOUD_TOKEN" is required"#;
const TOKEN_LENGTH: &str = "unrecognized token format, expected 64 characters, got ";
const TOKEN_CHARACTERS: &str = "authorization token contains invalid characters";
const NOT_ATTACHED: &str = "This node is not attached to Network ";
const METADATA: &str = "serverIsAttachedToNetwork";
const INVALID_VALUE: &str = "invalid value for \"";
const PLACEMENT: &str =
    r#""HCLOUD_LOAD_BALANCERS_LOCATION"/"HCLOUD_LOAD_BALANCERS_NETWORK_ZONE", only one of them can be set"#;
const ROBOT_ROUTES: &str = "using Routes with Robot is not supported";
const ROBOT_CREDENTIALS: &str = r#"both "ROBOT_USER" and "ROBOT_PASSWORD" must be provided"#;
const PANIC: &str = "Observed a panic";
const NIL: &str = "invalid memory address or nil pointer dereference";
const LOCK: &str = "error retrieving resource lock";
const LEASE: &str = "leaderelection lost";
const SERVER: &str = "no matching server found for node";
const NODE_IP: &str = "provided node ip for node ";
const MATCHES_IP: &str = " is not valid: failed to get node address from cloud provider that matches ip: ";
// The second article is in the source.
const PROVIDER_ID: &str = "Provider ID does not have one of the the expected prefixes";
const NO_SERVER_ID: &str = "providerID is missing a serverID: ";
const BAD_SERVER_ID: &str = "unable to parse server id: ";
const CIDR: &str = "invalid CIDR address";
const ROUTES: &str = "--configure-cloud-routes is set, but cloud provider does not support routes";
const LOAD_BALANCERS: &str =
    "Failed to start service controller: the cloud provider does not support external load balancers";
const API_SERVER: &str = "Failed to wait for apiserver being healthy";
const CONTROLLERS: &str = "error running controllers";
const FATAL: &str = "Cloud provider could not be initialized: ";
const NEW_CLOUD: &str = "hcloud/newCloud: ";
const PARSE_BOOL: &str = "strconv.ParseBool";

/// A line with one of these in it is known.
const PHRASES: &[&str] = &[
    TOKEN_MISSING,
    TOKEN_LENGTH,
    TOKEN_CHARACTERS,
    NOT_ATTACHED,
    METADATA,
    PLACEMENT,
    ROBOT_ROUTES,
    ROBOT_CREDENTIALS,
    PANIC,
    NIL,
    LOCK,
    LEASE,
    SERVER,
    MATCHES_IP,
    NODE_IP,
    PROVIDER_ID,
    NO_SERVER_ID,
    BAD_SERVER_ID,
    CIDR,
    ROUTES,
    LOAD_BALANCERS,
    API_SERVER,
    CONTROLLERS,
    FATAL,
    NEW_CLOUD,
    PARSE_BOOL,
    INVALID_VALUE,
    GONE,
];

/// Parts of sentences that a node or server could be called like.
const MORE_WORDS: &[&str] = &["Network ", " not found", "is forbidden: User ", " resource ", HETZNER];

const HETZNER: &str = "api.hetzner.cloud";
const NO_WAY: &[&str] =
    &["no such host", "i/o timeout", "server misbehaving", ": connect: ", "TLS handshake timeout", "x509: "];

/// The line is of a known pattern.
pub(super) fn is_known(text: &str) -> bool {
    let text = &*unquoted(text);
    PHRASES.iter().any(|phrase| text.contains(phrase)) || classify(text).is_some()
}

/// What a line means; `None` for one that is kept and means nothing by itself, and for any other.
pub fn classify(text: &str) -> Option<Word> {
    let text = &*unquoted(text);
    let has = |phrase: &str| text.contains(phrase);
    let after = |phrase: &str| text.split_once(phrase).map(|(_, rest)| rest);
    if has(TOKEN_MISSING) {
        return Some(Word::TokenMissing);
    }
    if let Some(rest) = after(TOKEN_LENGTH) {
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        return Some(Word::TokenForm { got: rest[..end].parse().ok() });
    }
    if has(TOKEN_CHARACTERS) {
        return Some(Word::TokenForm { got: None });
    }
    let codes = [
        ("unauthorized", Word::TokenRejected),
        ("token_readonly", Word::TokenReadOnly),
        ("rate_limit_exceeded", Word::RateLimited),
        ("forbidden", Word::Forbidden),
    ];
    if let Some((_, word)) = codes.into_iter().find(|(code, _)| has_code(text, code)) {
        return Some(word);
    }
    if has(METADATA) {
        return Some(Word::Metadata);
    }
    if let Some((_, name, _)) = network(text) {
        let name = Text::new(name);
        let there = has(NOT_ATTACHED);
        return Some(if there { Word::NotAttached { name } } else { Word::NetworkNotFound { name } });
    }
    if has(PLACEMENT) {
        return Some(Word::PlacementBoth);
    }
    if let Some(variable) = variable(text) {
        return Some(Word::Config { variable: variable.into() });
    }
    if has(PANIC) || has(NIL) {
        return Some(Word::Panic);
    }
    if let Some(word) = rbac(text) {
        return Some(word);
    }
    if has(LOCK) || has(LEASE) {
        return Some(Word::Lease);
    }
    if let Some(word) = of_node(text) {
        return Some(word);
    }
    if has(ROUTES) || (has(CIDR) && has("create routes provider")) {
        return Some(Word::RoutesOff);
    }
    if has(LOAD_BALANCERS) {
        return Some(Word::LoadBalancersOff);
    }
    if has(HETZNER) && NO_WAY.iter().any(|why| has(why)) {
        return Some(Word::Egress);
    }
    if has(API_SERVER) {
        return Some(Word::KubernetesApi);
    }
    (has(FATAL) || has(NEW_CLOUD)).then_some(Word::Fatal)
}

/// klog quotes the values of `key="value"`, and so escapes the quotes in them.
fn unquoted(text: &str) -> Cow<'_, str> {
    if text.contains("\\\"") { text.replace("\\\"", "\"").into() } else { text.into() }
}

/// `<message> (<code>)` or `<message> (<code>, <correlation ID or action>)`.
fn has_code(text: &str, code: &str) -> bool {
    text.match_indices('(').any(|(at, _)| {
        text[at + 1..].strip_prefix(code).is_some_and(|rest| rest.starts_with(')') || rest.starts_with(", "))
    })
}

/// The name of a network that is not found or not attached, with what stands around it.
fn network(text: &str) -> Option<(&str, &str, &str)> {
    if let Some(at) = text.find(NOT_ATTACHED) {
        let start = at + NOT_ATTACHED.len();
        let name = text[start..].trim_end().trim_end_matches('"');
        return Some((&text[..start], name, &text[start + name.len()..]));
    }
    const BEFORE: &str = "Network ";
    let start = text.find(BEFORE)? + BEFORE.len();
    let length = text[start..].find(" not found")?;
    let name = &text[start..start + length];
    (!name.is_empty() && !name.contains(": ")).then(|| (&text[..start], name, &text[start + length..]))
}

/// The variable that a sentence blames.
fn variable(text: &str) -> Option<&str> {
    let is_name = |name: &&str| {
        !name.is_empty()
            && name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
            && name.contains('_')
    };
    let until = |phrase: &str, end: char| {
        let (_, rest) = text.split_once(phrase)?;
        rest.split(end).next().filter(is_name)
    };
    until(INVALID_VALUE, '"')
        .or_else(|| until("failed to parse ", ':'))
        .or_else(|| until("failed to read ", ':'))
        .or_else(|| text.contains(ROBOT_ROUTES).then_some("HCLOUD_NETWORK_ROUTES_ENABLED"))
        .or_else(|| text.contains(ROBOT_CREDENTIALS).then_some("ROBOT_USER"))
}

/// `leases… is forbidden: User "system:serviceaccount:…" cannot get resource "leases" in API group …`.
fn rbac(text: &str) -> Option<Word> {
    let (_, rest) = text.split_once("is forbidden: User \"system:serviceaccount:")?;
    let (_, rest) = rest.split_once("\" cannot ")?;
    let (verb, rest) = rest.split_once(" resource \"")?;
    let (resource, _) = rest.split_once('"')?;
    let is_word = |text: &str| !text.is_empty() && !text.contains(' ');
    (is_word(verb) && is_word(resource)).then(|| Word::Rbac { verb: verb.into(), resource: resource.into() })
}

/// What is said of one node.
fn of_node(text: &str) -> Option<Word> {
    let after = |phrase: &str| text.split_once(phrase).map(|(_, rest)| rest);
    if let Some(rest) = after(SERVER) {
        let node = rest.trim_start().trim_start_matches(['\'', '"']);
        let end = node
            .find(|c: char| c.is_whitespace() || matches!(c, '\'' | '"' | ':' | ','))
            .unwrap_or(node.len());
        return Some(Word::ServerNotFound { node: node[..end].into() });
    }
    if let Some(rest) = after(NODE_IP)
        && let Some((node, ip)) = rest.split_once(MATCHES_IP)
    {
        return Some(Word::NodeIp { node: node.trim_matches('"').into(), ip: value(ip).into() });
    }
    let id = match after(PROVIDER_ID) {
        Some(rest) => rest.split_once("): ").map_or("", |(_, id)| id),
        None => after(NO_SERVER_ID).or_else(|| after(BAD_SERVER_ID))?,
    };
    Some(Word::ProviderId { id: value(id).into() })
}

/// The value that a sentence ends with, or goes on after with a comma.
fn value(text: &str) -> &str {
    let end = text.find(|c: char| c.is_whitespace() || c == '"').unwrap_or(text.len());
    text[..end].trim_end_matches(',')
}

/// A part of a line.
#[derive(Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    /// Words of the controller's own, by which the line is known.
    Words(&'a str),
    /// The name or the ID of a network.
    Network(&'a str),
    /// What may hold names and addresses.
    Rest(&'a str),
}

/// A known line in pieces, for who replaces the names in it: one that is also a word of the sentence must not take the
/// sentence apart.
pub fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut all = Vec::new();
    match network(text) {
        Some((before, name, after)) => {
            split(before, &mut all);
            all.push(Piece::Network(name));
            split(after, &mut all);
        }
        None => split(text, &mut all),
    }
    all
}

fn split<'a>(mut text: &'a str, all: &mut Vec<Piece<'a>>) {
    let phrases = || PHRASES.iter().chain(MORE_WORDS);
    // Of those that begin at the same place the longest.
    while let Some((at, length)) = phrases()
        .filter_map(|phrase| Some((text.find(phrase)?, phrase.len())))
        .min_by_key(|(at, length)| (*at, std::cmp::Reverse(*length)))
    {
        if at > 0 {
            all.push(Piece::Rest(&text[..at]));
        }
        all.push(Piece::Words(&text[at..at + length]));
        text = &text[at + length..];
    }
    if !text.is_empty() {
        all.push(Piece::Rest(text));
    }
}
