//! What the HTML report may consist of, whatever stands in the cluster: our own elements and attributes, well nested, with
//! links into the page and nowhere else.

use html5gum::emitters::default::DefaultEmitter;
use html5gum::{Token, Tokenizer};

/// Every element with the attributes that it may have besides [`EVERYWHERE`].
const ELEMENTS: &[(&str, &[&str])] = &[
    ("html", &["lang"]),
    ("head", &[]),
    ("meta", &["charset", "http-equiv", "content", "name"]),
    ("link", &["rel", "href"]),
    ("title", &[]),
    ("style", &[]),
    ("body", &[]),
    ("header", &[]),
    ("main", &[]),
    ("footer", &[]),
    ("nav", &[]),
    ("section", &[]),
    ("article", &[]),
    ("div", &[]),
    ("figure", &[]),
    ("figcaption", &[]),
    ("h1", &[]),
    ("h2", &[]),
    ("h3", &[]),
    ("h4", &[]),
    ("p", &[]),
    ("span", &[]),
    ("strong", &[]),
    ("em", &[]),
    ("code", &[]),
    ("pre", &["tabindex"]),
    ("ul", &[]),
    ("ol", &[]),
    ("li", &[]),
    ("dl", &[]),
    ("dt", &[]),
    ("dd", &[]),
    ("a", &["href"]),
    ("details", &["open"]),
    ("summary", &[]),
    ("table", &[]),
    ("caption", &[]),
    ("thead", &[]),
    ("tbody", &[]),
    ("tr", &[]),
    ("th", &["scope"]),
    ("td", &[]),
    ("svg", &["viewbox", "width", "height"]),
    ("g", &[]),
    ("desc", &[]),
    ("rect", &["x", "y", "width", "height", "rx"]),
    ("path", &["d"]),
    ("circle", &["cx", "cy", "r"]),
    ("text", &["x", "y", "text-anchor"]),
];
const EVERYWHERE: &[&str] = &["class", "id", "role", "aria-label", "aria-labelledby", "aria-hidden"];
/// Elements of HTML that have no end.
const VOID: &[&str] = &["meta", "link"];

/// `Err` says what else the page holds.
pub fn only_our_page(html: &str) -> Result<(), String> {
    let mut emitter = DefaultEmitter::default();
    emitter.naively_switch_states(true);
    let (mut open, mut ids, mut targets): (Vec<String>, Vec<String>, Vec<String>) = Default::default();
    for token in Tokenizer::new_with_emitter(html, emitter) {
        let Ok(token) = token;
        match token {
            Token::StartTag(tag) => {
                let name = text(&tag.name);
                let known = ELEMENTS.iter().find(|(element, _)| *element == name);
                let Some((_, allowed)) = known else { return Err(format!("HTML has the element {name}")) };
                for (attribute, value) in &tag.attributes {
                    let (attribute, value) = (text(attribute), text(value));
                    if !allowed.contains(&&*attribute) && !EVERYWHERE.contains(&&*attribute) {
                        return Err(format!("HTML has {attribute}={value:?} in {name}"));
                    }
                    match (name.as_str(), attribute.as_str()) {
                        ("link", "href") if value == "data:," => {}
                        (_, "href") => match value.strip_prefix('#') {
                            Some(target) => targets.push(target.to_string()),
                            None => return Err(format!("HTML links to {value:?}")),
                        },
                        (_, "id") => ids.push(value),
                        (_, "aria-labelledby") => targets.extend(value.split(' ').map(str::to_string)),
                        _ => {}
                    }
                }
                if !VOID.contains(&&*name) {
                    open.push(name);
                }
            }
            Token::EndTag(tag) => {
                let (name, last) = (text(&tag.name), open.pop());
                if last.as_ref() != Some(&name) {
                    return Err(format!("HTML ends {name} where {last:?} is open"));
                }
            }
            Token::String(words) if open.last().is_some_and(|tag| tag == "style") => {
                let css = text(&words);
                if ["url(", "@import", "expression", "\\"].iter().any(|word| css.contains(word)) {
                    return Err("the stylesheet loads something".into());
                }
            }
            Token::String(words) => {
                if let Some(line) = text(&words).lines().find(|line| !super::hostile::harmless(line)) {
                    return Err(format!("HTML shows {line:?}"));
                }
            }
            Token::Comment(comment) => return Err(format!("HTML has the comment {:?}", text(&comment))),
            Token::Doctype(_) => {}
            Token::Error(error) => return Err(format!("HTML is malformed: {error:?}")),
        }
    }
    let count = ids.len();
    ids.sort();
    ids.dedup();
    if ids.len() != count {
        return Err("two elements of HTML have one ID".into());
    }
    if let Some(target) = targets.iter().find(|target| ids.binary_search(target).is_err()) {
        return Err(format!("HTML names {target}, which is nowhere"));
    }
    if open.is_empty() { Ok(()) } else { Err(format!("HTML leaves {open:?} open")) }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("the page is UTF-8")
}
