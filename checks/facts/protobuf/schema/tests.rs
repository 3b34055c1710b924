use std::collections::HashMap;

use super::*;
use crate::facts::{NEEDS, Origin};

/// What Kubernetes' own types say: a field's name in JSON, what it holds, and when JSON leaves it out.
type Fields = HashMap<(&'static str, u32), [&'static str; 3]>;

fn fields() -> Fields {
    let all = include_str!("../../../../tests/simulator/protobuf/fields.txt").lines();
    let field = |line: &'static str| {
        let words: Vec<&str> = line.split(' ').collect();
        ((words[0], words[1].parse().unwrap()), [words[2], words[3], words[4]])
    };
    all.filter(|line| !line.starts_with('#')).map(field).collect()
}

/// Says where the shape of that message is otherwise, and of those within it.
fn compare(shape: &Shape, message: &'static str, fields: &Fields, wrong: &mut Vec<String>) {
    for Field { number, name, holds, is_list, keeps_zero } in shape.fields {
        let Some([their_name, what, left_out]) = fields.get(&(message, *number)) else {
            wrong.push(format!("{message} has no field {number} ({name})"));
            continue;
        };
        let list = what.strip_prefix("repeated:");
        let what = list.unwrap_or(what);
        // Zero counts only of what JSON can leave out by itself.
        let can_be_zero = list.is_none() && matches!(holds, Holds::Text | Holds::Number | Holds::Bool);
        let fits = match holds {
            Holds::Text => what == "string",
            Holds::Number => what == "int",
            Holds::Bool => what == "bool",
            Holds::Time => matches!(what, "Time" | "MicroTime"),
            Holds::Wrapped => *their_name == "<inline>" || what == "Quantity",
            Holds::Map => what == "map:string",
            Holds::Message(inner) => {
                compare(inner, what, fields, wrong);
                what.contains('/')
            }
        };
        let fits = fits
            && (their_name == name || *their_name == "<inline>")
            && list.is_some() == *is_list
            && (!can_be_zero || *keeps_zero == (*left_out != "empty"));
        if !fits {
            wrong.push(format!(
                "{message} {number}: {their_name} {what} {left_out}, and here {name} {holds:?}"
            ));
        }
    }
    let lacks_it = |name: &&&str| !fields.iter().any(|((of, _), [its, ..])| *of == message && its == *name);
    let has = shape.lacks.iter().filter(|name| !lacks_it(name));
    wrong.extend(has.map(|name| format!("{message} does have {name}")));
}

#[test]
fn every_field_stands_where_kubernetes_has_it() {
    let (fields, mut wrong) = (fields(), Vec::new());
    let mut read = 0;
    for need in NEEDS {
        let Origin::Kubernetes(resource) = need.from else { continue };
        let Some(shape) = of(&resource) else {
            assert!(resource.custom || resource.only.is_some(), "{} is not read as protobuf", need.key);
            continue;
        };
        let package = match resource.group.split('.').next().unwrap() {
            "" => "core",
            group => group,
        };
        let lists = format!("{package}/{}.", resource.versions[0]);
        // The kind is what the list of that plural has as its items.
        let item = fields.iter().find_map(|((of, number), [_, what, _])| {
            let kind = of.strip_prefix(&lists)?.strip_suffix("List")?.to_lowercase();
            let plural = [format!("{kind}s"), format!("{kind}es")];
            (*number == 2 && plural.iter().any(|p| p == resource.plural)).then_some(*what)
        });
        let message = item.and_then(|item| item.strip_prefix("repeated:")).expect(need.key);
        compare(shape, message, &fields, &mut wrong);
        read += 1;
    }
    compare(&STATUS, "meta/v1.Status", &fields, &mut wrong);
    assert_eq!((wrong, read), (Vec::<String>::new(), 19));
}
