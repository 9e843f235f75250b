//! The README's five minutes, and the day of `docs/a-day.md`, run as they stand there.

use crate::support::page::{Page, blocks, read};

#[test]
fn five_minutes() {
    let readme = read("README.md");
    let section = readme.split("\n## ").find(|text| text.starts_with("Five minutes")).expect("the section");
    let blocks = blocks(section);
    let (first, rest) = blocks.split_first().unwrap();
    assert!(rest.len() > 10, "{rest:?}");
    Page::start(first).run(rest);
}

#[test]
fn a_day() {
    let blocks = blocks(&read("docs/a-day.md"));
    let (first, rest) = blocks.split_first().unwrap();
    assert!(rest.len() > 30, "{rest:?}");
    Page::start(first).run(rest);
}
