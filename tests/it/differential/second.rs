//! A slapd that tells what it understood: its back end (slapd-sock) hands each operation over in text, and its
//! log names what never reaches a back end.

use crate::support::ber::{children, cut, value};
use crate::support::ldap::{bind_request, extended_request, message};
use crate::support::{PATIENCE, eventually};
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Child;
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;
use tempfile::TempDir;

/// The id of the message that is sent behind each that is looked at.
const MARKER: i32 = 0x7fff_fff0;
/// What it asks for: an extension that nobody has.
pub(super) const MARKER_OID: &str = "2.25.4711.4711.4711";

/// The configuration: attributes whose values are octets and nothing else, everything open to everybody.
const CONFIGURATION: &str = "include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
modulepath /usr/lib/ldap
moduleload back_sock
attributetype ( 2.25.7.1 NAME 'blob' EQUALITY octetStringMatch ORDERING octetStringOrderingMatch SUBSTR octetStringSubstringsMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.40 )
attributetype ( 2.25.7.2 NAME 'other' SUP blob )
attributetype ( 2.25.7.3 NAME 'third' SUP blob )
allow bind_anon_cred bind_anon_dn update_anon
sizelimit unlimited
timelimit unlimited
threads 2
database sock
suffix \"\"
lastmod off
access to * by * manage
";

/// What a slapd made of some octets.
#[derive(Default)]
pub(super) struct Understood {
    /// What its back end was asked, as slapd-sock(5) has it.
    pub(super) asked: Vec<Vec<u8>>,
    /// What it logged, the marker's part included.
    pub(super) log: String,
    /// Id, tag and result code of what it answered.
    pub(super) answers: Vec<(i32, u8, i32)>,
    /// Whether the connection is still there.
    pub(super) open: bool,
}

impl std::fmt::Debug for Understood {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.asked.iter().try_for_each(|text| writeln!(f, "asked {}", text.escape_ascii()))?;
        writeln!(f, "answers {:?}, open {}\n{}", self.answers, self.open, self.log)
    }
}

/// The slapd, its back end, and a connection to it.
pub(super) struct Second {
    child: Child,
    folder: TempDir,
    asked: Receiver<Vec<u8>>,
    port: u16,
    connection: Option<TcpStream>,
    buffer: Vec<u8>,
}

impl Second {
    pub(super) fn start() -> Second {
        let folder = tempfile::Builder::new().prefix("tidegate-second-").tempdir().unwrap();
        let asked = listen(&folder.path().join("backend"));
        let configuration = folder.path().join("slapd.conf");
        let text = format!("{CONFIGURATION}socketpath {}/backend\n", folder.path().display());
        fs::write(&configuration, text).unwrap();
        let (child, port) = crate::support::slapd::launch_plain(folder.path(), &configuration, "stats,trace");
        Second { child, folder, asked, port, connection: None, buffer: Vec::new() }
    }

    /// As somebody: not everything is answered to nobody.
    fn connect(&mut self) {
        let mut connection = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        connection.set_nodelay(true).unwrap();
        self.buffer.clear();
        connection.write_all(&message(1, &bind_request("cn=somebody", b"secret"), &[])).unwrap();
        assert_eq!(receive(&mut connection, &mut self.buffer), Some((1, 0x61, 0)));
        self.asked.try_iter().for_each(drop);
        self.connection = Some(connection);
    }

    /// What it makes of one message. `answer`: the id of the response that this message, as we read it, has.
    pub(super) fn read(&mut self, frame: &[u8], answer: Option<i32>) -> Understood {
        let mut understood = Understood::default();
        if self.connection.is_none() {
            self.connect();
        }
        self.forget();
        let connection = self.connection.as_mut().unwrap();
        let sent = [frame, &message(MARKER, &extended_request(MARKER_OID, None), &[])].concat();
        let _ = connection.write_all(&sent);
        let mut marked = false;
        understood.open = loop {
            let answered = |id: i32| {
                understood.answers.iter().any(|(found, tag, _)| [id, 0].contains(found) && ![0x64, 0x73].contains(tag))
            };
            if marked && answer.is_none_or(answered) {
                break true;
            }
            // After the marker only what a thread of slapd's has not got round to can be missing.
            connection.set_read_timeout(Some(if marked { Duration::from_secs(3) } else { PATIENCE })).unwrap();
            let Some(answer) = receive(connection, &mut self.buffer) else { break false };
            match answer {
                (MARKER, ..) => marked = true,
                other => understood.answers.push(other),
            }
        };
        self.take_log(&mut understood, marked);
        understood.asked = self.asked.try_iter().filter(|text| !text.starts_with(b"UNBIND\n")).collect();
        // A bind makes it somebody else. With this back end slapd answers some extended requests twice.
        let spoilt = |text: &Vec<u8>| text.starts_with(b"EXTENDED") || text.starts_with(b"BIND");
        if !understood.open || understood.asked.iter().any(spoilt) || understood.log.contains(" BIND ") {
            self.connection = None;
        }
        understood
    }

    /// Everything logged until the marker (or the end of the connection) is.
    fn take_log(&self, understood: &mut Understood, marked: bool) {
        let path = self.folder.path().join("log");
        let end = if marked { MARKER_OID } else { " closed" };
        let log = eventually("slapd logs what it did", || {
            let log = fs::read(&path).unwrap();
            let text = String::from_utf8_lossy(&log).into_owned();
            (text.contains(end)).then_some(text)
        });
        understood.log = log;
    }

    /// Forgets what was logged. Not while anything is going on.
    fn forget(&self) {
        fs::File::options().write(true).open(self.folder.path().join("log")).unwrap().set_len(0).unwrap();
    }
}

impl Drop for Second {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The back end: takes what it is asked, and says that all went well.
fn listen(path: &Path) -> Receiver<Vec<u8>> {
    let listener = UnixListener::bind(path).unwrap();
    let (send, receive) = mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let (mut text, mut chunk) = (Vec::new(), [0; 16 * 1024]);
            while !text.ends_with(b"\n\n") {
                match stream.read(&mut chunk) {
                    Ok(0) | Err(_) => break,
                    Ok(read) => text.extend_from_slice(&chunk[..read]),
                }
            }
            if send.send(text).is_err() {
                return;
            }
            let _ = stream.write_all(b"RESULT\ncode: 0\n");
        }
    });
    receive
}

/// Id, tag and result code of the next message; `None` at the end of the connection, or when none comes.
fn receive(connection: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<(i32, u8, i32)> {
    let mut chunk = [0; 4096];
    loop {
        if let Some((0x30, content, rest)) = cut(buffer) {
            let parts = children(content);
            let (id, (tag, body)) = (value(parts[0].1), parts[1]);
            let code = children(body).first().map_or(-1, |(_, code)| value(code));
            let left = rest.len();
            buffer.drain(..buffer.len() - left);
            return Some((id, tag, code));
        }
        match connection.read(&mut chunk) {
            Ok(0) | Err(_) => return None,
            Ok(read) => buffer.extend_from_slice(&chunk[..read]),
        }
    }
}
