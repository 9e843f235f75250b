//! Somewhere that the gate posts to: a real HTTPS server that keeps what comes and answers that all is fine.

use super::PATIENCE;
use super::certs::Authority;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::{Arc, mpsc};
use tempfile::TempDir;

/// A receiver. Its port is its own from the beginning; it answers once it [listens](Hook::listen).
pub(crate) struct Hook {
    pub(crate) port: u16,
    /// Who signed its certificate.
    pub(crate) ca: PathBuf,
    authority: Authority,
    heard: (mpsc::Sender<Post>, mpsc::Receiver<Post>),
    _folder: TempDir,
}

/// What was posted.
#[derive(Debug, Clone)]
pub(crate) struct Post {
    /// Names in lower case.
    headers: Vec<(String, String)>,
    /// As it came.
    pub(crate) body: String,
}

impl Post {
    #[track_caller]
    pub(crate) fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str()).unwrap_or_else(|| panic!("no {name} in {self:#?}"))
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

impl Hook {
    /// One that is away: nothing listens on its port.
    pub(crate) fn away() -> Hook {
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::new(folder.path());
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        Hook { port, ca: authority.ca.clone(), authority, heard: mpsc::channel(), _folder: folder }
    }

    /// One that listens.
    pub(crate) fn new() -> Hook {
        let hook = Hook::away();
        hook.listen();
        hook
    }

    /// From here on it is there.
    pub(crate) fn listen(&self) {
        let (certificate, key) = self.authority.server("hook");
        let chain: Vec<_> = CertificateDer::pem_file_iter(certificate).unwrap().map(Result::unwrap).collect();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let config = config.with_no_client_auth().with_single_cert(chain, PrivateKeyDer::from_pem_file(key).unwrap());
        let config = Arc::new(config.unwrap());
        let listener = TcpListener::bind(("127.0.0.1", self.port)).unwrap();
        let say = self.heard.0.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
                if let Some(post) = take(StreamOwned::new(connection, stream))
                    && say.send(post).is_err()
                {
                    return;
                }
            }
        });
    }

    /// A table of the configuration.
    pub(crate) fn table(&self, name: &str, more: &str) -> String {
        format!(
            "\n[[notify.webhook]]\nname = {name:?}\nurl = \"https://localhost:{}/hooks/tidegate\"\nca = {:?}\nsecret_file = \"hook-secret\"\n{more}\n",
            self.port, self.ca
        )
    }

    /// The next that is posted.
    #[track_caller]
    pub(crate) fn next(&self) -> Post {
        self.heard.1.recv_timeout(PATIENCE).expect("nothing was posted")
    }

    /// Whether nothing more has been posted.
    pub(crate) fn is_quiet(&self) -> bool {
        self.heard.1.try_recv().is_err()
    }
}

fn take(stream: impl Read + Write) -> Option<Post> {
    let mut reader = BufReader::new(stream);
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        match line.trim_end() {
            "" => break,
            line => headers.extend(line.split_once(": ").map(|(name, value)| (name.to_lowercase(), value.to_owned()))),
        }
    }
    let length = headers.iter().find(|(name, _)| name == "content-length")?.1.parse().ok()?;
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let mut stream = reader.into_inner();
    stream.write_all(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n").ok()?;
    stream.flush().ok()?;
    Some(Post { headers, body: String::from_utf8(body).ok()? })
}
