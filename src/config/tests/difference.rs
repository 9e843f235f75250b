//! What a change of the configuration opens and closes: `difference.txt`, a block a change.

use super::{VALID, folder, parse};
use crate::config::Config;
use crate::engine::policy::difference::Direction;
use std::path::Path;

const DIRECTIONS: [(Direction, &str); 3] =
    [(Direction::Opens, "opens"), (Direction::Changes, "changes"), (Direction::Closes, "closes")];

fn difference(old: &Config, new: &Config, folder: &Path) -> Vec<String> {
    let found = old.difference(new);
    let lines = DIRECTIONS.iter().flat_map(|(direction, word)| found.lines(*direction).map(move |text| (*word, text)));
    let folder = folder.display().to_string();
    lines.map(|(word, text)| format!("{word} {}", text.replace(&folder, "FOLDER"))).collect()
}

/// The valid configuration with lines (`-`) replaced by those (`+`) that follow each.
fn changed(block: &str) -> String {
    let mut text = VALID.to_owned();
    let mut removed: Option<(&str, String)> = None;
    for line in block.lines().chain(["- "]) {
        if let Some(next) = line.strip_prefix("- ") {
            if let Some((old, new)) = removed.take() {
                assert_eq!(VALID.lines().filter(|known| *known == old).count(), 1, "{old} is not one line of it");
                text = text.replacen(&format!("{old}\n"), &new, 1);
            }
            removed = Some((next, String::new()));
        } else if let (Some(added), Some((_, new))) = (line.strip_prefix("+ "), &mut removed) {
            new.push_str(added);
            new.push('\n');
        }
    }
    text
}

#[test]
fn what_a_change_opens_and_closes() {
    let folder = folder();
    let valid = parse(VALID, folder.path()).expect("valid");
    let mut seen = 0;
    for block in include_str!("difference.txt").split("\n\n").filter(|block| block.contains("\n+ ")) {
        let new = parse(&changed(block), folder.path()).unwrap_or_else(|errors| panic!("{block}\n{errors}"));
        let mut expected: Vec<&str> = block.lines().filter(|line| !line.starts_with(['-', '+', '#'])).collect();
        let mut found = difference(&valid, &new, folder.path());
        expected.sort_unstable();
        found.sort_unstable();
        assert_eq!(found, expected, "\n{block}\n");
        // What only closes opens on the way back, and the other way round.
        let back = difference(&new, &valid, folder.path());
        let only = |lines: &[String], word: &str| !lines.is_empty() && lines.iter().all(|line| line.starts_with(word));
        assert!(!only(&found, "closes") || only(&back, "opens"), "{block}\n{back:#?}");
        assert!(!only(&found, "opens") || !back.iter().any(|line| line.starts_with("opens")), "{block}\n{back:#?}");
        assert_eq!(found.is_empty(), back.is_empty());
        seen += 1;
    }
    assert!(seen > 25, "only {seen} changes were seen");
    assert!(valid.difference(&valid).is_empty() && valid.needs_restart(&valid).is_empty());
}
