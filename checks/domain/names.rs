//! Names in a sentence.

/// The first names, and how many more.
pub fn some<T: AsRef<str>>(names: &[T]) -> String {
    match names {
        [] => "none".into(),
        [a] => a.as_ref().into(),
        [a, b] => format!("{} and {}", a.as_ref(), b.as_ref()),
        [a, b, c] => format!("{}, {} and {}", a.as_ref(), b.as_ref(), c.as_ref()),
        [a, b, rest @ ..] => format!("{}, {} and {} more", a.as_ref(), b.as_ref(), rest.len()),
    }
}
