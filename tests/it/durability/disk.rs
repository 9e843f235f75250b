//! A small disk that only a gate under test sees, to be filled and emptied.

use crate::support::command;
use crate::support::eventually;
use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// Octets of the disk: what a store needs, and a little more.
const SIZE: &str = "12m";

/// A disk in memory, mounted in a namespace of its own, which a process holds open.
pub(super) struct Disk {
    folder: TempDir,
    holder: Child,
}

impl Disk {
    pub(super) fn new() -> Disk {
        let folder = tempfile::Builder::new().prefix("tidegate-disk-").tempdir().unwrap();
        let script = "mount -t tmpfs -o size=$1 tmpfs \"$2\" && touch \"$2/mounted\" && exec sleep 100000";
        let mut command = Command::new("unshare");
        command.args(["-m", "--propagation", "private", "sh", "-c", script, "sh", SIZE]).arg(folder.path());
        let holder = command.stdin(Stdio::null()).spawn().unwrap();
        let disk = Disk { folder, holder };
        eventually("a disk", || disk.seen("mounted").exists().then_some(()));
        disk
    }

    /// Where a store is, for those who see the disk.
    pub(super) fn store(&self) -> PathBuf {
        self.folder.path().join("store")
    }

    pub(super) fn holder(&self) -> u32 {
        self.holder.id()
    }

    /// A file on the disk, from where the test stands.
    pub(super) fn seen(&self, name: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        PathBuf::from(format!("/proc/{}/root{}", self.holder.id(), path.display()))
    }

    /// Writes until nothing more fits.
    pub(super) fn fill(&self) {
        let mut file = fs::File::options().create(true).append(true).open(self.seen("filler")).unwrap();
        while file.write_all(&[1; 4096]).is_ok() {}
        while file.write_all(&[1]).is_ok() {}
    }

    pub(super) fn free(&self) {
        fs::remove_file(self.seen("filler")).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

/// Whether this machine lets the tests mount a disk: as root, it does.
pub(super) fn can_mount() -> bool {
    let ran = command::run(Command::new("unshare").args(["-m", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]));
    if ran.code != 0 {
        eprintln!("not tried: {}", ran.stderr);
    }
    ran.code == 0
}
