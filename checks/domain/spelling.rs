//! What somebody meant who wrote a word that nobody knows.

/// The longest name that Kubernetes takes; of longer words the rest is not compared.
const MOST_LETTERS: usize = 253;

/// The word of a list that is nearest, if at most a third of the letters (and two) are wrong: further away it is another.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.trim().to_lowercase();
    let most = (word.chars().count() / 3).clamp(1, 2);
    let all = known.into_iter().map(|known| (distance(&word, known), known));
    all.filter(|(far, _)| *far <= most).min().map(|(_, known)| known)
}

/// How many letters to insert, drop or replace to get from one word to the other.
pub fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().take(MOST_LETTERS).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().take(MOST_LETTERS).enumerate() {
        let mut corner = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replaced = corner + usize::from(x != *y);
            corner = row[j + 1];
            row[j + 1] = replaced.min(corner + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "ab"), 2);
        assert_eq!(distance("a", "a"), 0);
    }

    #[test]
    fn the_nearest_is_near() {
        assert_eq!(nearest("nbg-1", ["fsn1", "nbg1"]), Some("nbg1"));
        assert_eq!(nearest("NBG1 ", ["fsn1", "nbg1"]), Some("nbg1"));
        assert_eq!(nearest("home", ["fsn1", "nbg1"]), None);
    }
}
