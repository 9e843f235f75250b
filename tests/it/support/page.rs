//! Pages of the documentation, run as they stand there: every command, in one shell, as whoever reads
//! them has; and after each what it says it shows. Knows Markdown's fences and the demo, and nothing else.

use super::command::{self, Ran};
use super::{PATIENCE, eventually};
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// A fenced block: what stands behind the fence, and the lines in it.
#[derive(Debug)]
pub(crate) struct Block {
    kind: String,
    text: String,
}

/// The end of what a block showed.
const END: &str = "=== end of block";

/// What is said there is seen at once, a line at a time.
const AS_A_TERMINAL: &str = "eval \"$(stdbuf -oL env | sed -n 's/^\\(LD_PRELOAD\\|_STDBUF_O\\)=/export &/p')\"";

/// A demo in a folder of its own that looks like the repository's to whoever pastes from a page.
pub(crate) struct Page {
    demo: Child,
    folder: TempDir,
    /// An address as the page has it, and as it is here.
    addresses: Vec<(&'static str, String)>,
}

impl Drop for Page {
    fn drop(&mut self) {
        let _ = self.demo.kill();
        let _ = self.demo.wait();
    }
}

/// A page of this repository.
pub(crate) fn read(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

/// The fenced blocks of a page, or of a part of one.
pub(crate) fn blocks(markdown: &str) -> Vec<Block> {
    let fenced = markdown.split("\n```").skip(1).step_by(2);
    let block = |text: &str| text.split_once('\n').map(|(kind, text)| Block { kind: kind.into(), text: text.into() });
    fenced.filter_map(block).collect()
}

impl Page {
    /// Starts the demo as `first` says, on ports of its own.
    pub(crate) fn start(first: &Block) -> Page {
        let arguments = first.text.trim().strip_prefix("cargo run --release -- ").expect("the page starts the demo");
        let folder = tempfile::tempdir().unwrap();
        let program = Path::new(env!("CARGO_BIN_EXE_tidegate"));
        fs::create_dir(folder.path().join("target")).unwrap();
        std::os::unix::fs::symlink(program.parent().unwrap(), folder.path().join("target/release")).unwrap();
        let out = folder.path().join("out");
        let mut command = Command::new(program);
        command.args(arguments.split(' ')).current_dir(folder.path());
        for door in ["--ldaps", "--ldap", "--https"] {
            command.args([door, "127.0.0.1:0"]);
        }
        let demo = command.stdout(fs::File::create(&out).unwrap()).stdin(Stdio::null()).spawn().unwrap();
        let mut page = Page { demo, folder, addresses: Vec::new() };
        let said = eventually(&format!("the demo, within {PATIENCE:?}"), || {
            fs::read_to_string(&out).ok().filter(|said| said.contains("Ctrl-C"))
        });
        for (usual, door) in
            [("127.0.0.1:1636", "ldaps://"), ("127.0.0.1:1389", "ldap://"), ("127.0.0.1:8443", "https://")]
        {
            let (_, address) = said.split_once(door).unwrap();
            let address = address.chars().take_while(|c| c.is_ascii_digit() || ".:".contains(*c)).collect();
            page.addresses.push((usual, address));
        }
        page
    }

    /// What the page has, with the addresses of here.
    fn here(&self, text: &str) -> String {
        self.addresses.iter().fold(text.to_owned(), |text, (usual, address)| text.replace(usual, address))
    }

    /// Runs every command, and looks for every line of what they should have shown, in this order.
    pub(crate) fn run(&self, blocks: &[Block]) {
        let script = self.script(blocks);
        let mut shell = Command::new("timeout");
        let ran = command::run(shell.args(["300", "bash", "-c", &script]).current_dir(self.folder.path()));
        let mut shown = ran.stdout.split(END);
        let mut output = "";
        for Block { kind, text } in blocks {
            match kind.as_str() {
                "sh" => output = shown.next().unwrap_or_default(),
                "sh in another terminal" => {}
                "text" => self.holds(output, text, &ran),
                "text in the other terminal" => self.holds(shown.next().unwrap_or_default(), text, &ran),
                other => panic!("what is {other:?}?"),
            }
        }
    }

    fn script(&self, blocks: &[Block]) -> String {
        let mut script = "exec 2>&1\n".to_owned();
        for Block { kind, text } in blocks {
            script += &match kind.as_str() {
                "sh" => format!("{text}\necho '{END}'\n"),
                // Until it has said something: whoever goes on in the first terminal has seen that. Nobody types.
                "sh in another terminal" => format!(
                    "mkfifo keyboard\n(\n{AS_A_TERMINAL}\n{text}\n) > other 2>&1 <> keyboard &\nother=$!\n\
                     until [ -s other ]; do sleep 0.05; done\n"
                ),
                // Somebody presses the Enter key.
                "text in the other terminal" => {
                    format!("echo 1<> keyboard; wait $other\ncat other\nrm other keyboard\necho '{END}'\n")
                }
                _ => continue,
            };
        }
        self.here(&script)
    }

    fn holds(&self, output: &str, expected: &str, ran: &Ran) {
        let mut left = output;
        for line in expected.lines() {
            let line = self.here(line);
            let (_, after) =
                left.split_once(&line).unwrap_or_else(|| panic!("no {line:?} in {output}\n{}", ran.stdout));
            left = after;
        }
    }
}
