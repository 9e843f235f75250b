//! "Did you mean": the nearest of some known words.

/// The known word that `written` is most likely a misspelling of.
pub fn nearest<'w>(written: &str, known: impl IntoIterator<Item = &'w str>) -> Option<&'w str> {
    let allowed = (written.chars().count().max(3) / 3).min(3);
    let near = |word: &&str| distance(written, word) <= allowed || plural(written, word);
    known.into_iter().filter(near).min_by_key(|word| distance(written, word))
}

fn plural(a: &str, b: &str) -> bool {
    a.strip_suffix('s') == Some(b) || b.strip_suffix('s') == Some(a)
}

/// How many letters must be inserted, deleted, replaced or swapped with their neighbour.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    // Rows of the table of Wagner and Fischer: two back (for swaps), one back, and the current one.
    let mut before = Vec::new();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let at = |row: &[usize], column: usize| row.get(column).copied().unwrap_or(usize::MAX - 1);
            let mut cost = at(&above, j) + usize::from(x != y);
            cost = cost.min(at(&above, j + 1) + 1).min(at(&row, j) + 1);
            let swapped = i > 0 && j > 0 && a.get(i - 1) == Some(y) && b.get(j - 1) == Some(x);
            if swapped {
                cost = cost.min(at(&before, j - 1) + 1);
            }
            row.push(cost);
        }
        before = std::mem::replace(&mut above, row);
    }
    above.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn misspellings_are_recognised_and_strangers_are_not() {
        let known = ["resource", "role", "standing", "listen", "max_duration"];
        let cases = [
            ("resources", Some("resource")),
            ("resuorce", Some("resource")),
            ("rol", Some("role")),
            ("roles", Some("role")),
            ("max_durations", Some("max_duration")),
            ("maxduration", Some("max_duration")),
            ("listne", Some("listen")),
            ("webhook", None),
            ("x", None),
            ("", None),
        ];
        for (written, expected) in cases {
            assert_eq!(nearest(written, known), expected, "{written}");
        }
    }
}
