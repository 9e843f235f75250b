//! The README's five minutes, run as they stand there: every command, and what it says it shows.

use crate::support::command;
use crate::support::{PATIENCE, eventually};
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// The fenced blocks of a section: language and text.
fn blocks(markdown: &str, section: &str) -> Vec<(String, String)> {
    let text = markdown.split("\n## ").find(|text| text.starts_with(section)).expect("the section");
    let fenced = text.split("\n```").skip(1).step_by(2);
    fenced.filter_map(|block| block.split_once('\n')).map(|(language, text)| (language.into(), text.into())).collect()
}

struct Demo(Child);

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts the demo on ports of its own; returns it with its TLS port.
fn demo(folder: &Path) -> (Demo, String) {
    let out = folder.join("out");
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
    command.args(["demo", "--ldaps", "127.0.0.1:0", "--ldap", "127.0.0.1:0", "--directory"]).arg(folder.join("demo"));
    let demo = Demo(command.stdout(fs::File::create(&out).unwrap()).stdin(Stdio::null()).spawn().unwrap());
    let port = eventually(&format!("the demo, within {PATIENCE:?}"), || {
        let said = fs::read_to_string(&out).unwrap_or_default();
        let (_, address) = said.contains("Ctrl-C").then(|| said.split_once("ldaps://127.0.0.1:"))??;
        Some(address.chars().take_while(char::is_ascii_digit).collect())
    });
    (demo, port)
}

#[test]
fn five_minutes() {
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let blocks = blocks(&readme, "Five minutes");
    let (first, rest) = blocks.split_first().unwrap();
    assert!(first.1.contains("-- demo --directory run/demo"), "{first:?}");
    assert!(rest.len() > 10, "{rest:?}");

    let folder = tempfile::tempdir().unwrap();
    let (_demo, port) = demo(folder.path());
    let program = Path::new(env!("CARGO_BIN_EXE_tidegate")).parent().unwrap();
    // One shell for all of it, as whoever reads it has; only where things are is another matter here.
    let mut script = "exec 2>&1\n".to_owned();
    for (_, text) in rest.iter().filter(|(language, _)| language == "sh") {
        script.push_str(text);
        script.push_str("\necho '=== end of block'\n");
    }
    let demo_folder = folder.path().join("demo");
    let script = script
        .replace("$PWD/target/release", &program.to_string_lossy())
        .replace("$PWD/run/demo", &demo_folder.to_string_lossy())
        .replace("run/demo/", &format!("{}/", demo_folder.display()))
        .replace("127.0.0.1:1636", &format!("127.0.0.1:{port}"));
    let ran = command::run(Command::new("bash").args(["-c", &script]));
    let mut shown = ran.stdout.split("=== end of block");
    let mut output = "";
    for (language, text) in rest {
        match language.as_str() {
            "sh" => output = shown.next().unwrap_or_default(),
            _ => {
                let mut left = output;
                for line in text.lines() {
                    // In this order.
                    let (_, after) =
                        left.split_once(line).unwrap_or_else(|| panic!("no {line:?} in {output}\n{ran:#?}"));
                    left = after;
                }
            }
        }
    }
}
