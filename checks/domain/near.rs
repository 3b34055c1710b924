//! The name that somebody probably meant.

use super::spelling::distance;

/// The most that a misspelt name differs from the one that was meant.
const MOST: usize = 2;

/// The one of `names` that is nearest to `wrong`: one within the other, else the fewest letters apart; `None` when all are
/// too far. Of equals the first.
pub fn nearest<'a>(wrong: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wrong = wrong.to_lowercase();
    let within = |name: &str| {
        let (short, long) = if name.len() < wrong.len() { (name, &*wrong) } else { (&*wrong, name) };
        let (short_words, long_words) = (words(short), words(long));
        short.len() > MOST && long_words.windows(short_words.len()).any(|window| window == short_words)
    };
    let far = |name: &&str| if within(name) { 1 } else { distance(&wrong, name) };
    let fits = |name: &&str| far(name) <= MOST && name.len() > MOST;
    names.into_iter().filter(fits).min_by_key(far)
}

fn words(name: &str) -> Vec<&str> {
    name.split(['-', '_', '.']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_near_and_another_word_is_not() {
        let names = ["coredns", "local-storage", "servicelb", "traefik"];
        for (wrong, meant) in [
            ("trafik", "traefik"),
            ("local-storge", "local-storage"),
            ("traefik-crd", "traefik"),
            ("ServiceLB", "servicelb"),
        ] {
            assert_eq!(nearest(wrong, names), Some(meant), "{wrong}");
        }
        for other in ["my-app", "kube-proxy", "", "lb", "dns"] {
            assert_eq!(nearest(other, names), None, "{other}");
        }
    }
}
