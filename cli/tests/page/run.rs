//! `impasto live --page` as it is started by a user, and a client that speaks HTTP to it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// How long something may take on a slow machine beside other tests.
const PATIENCE: Duration = Duration::from_secs(240);

/// A run, which is stopped when it is no longer needed.
pub struct Run {
    child: Child,
    /// The page's address, with the token.
    pub url: String,
    /// `127.0.0.1:PORT`.
    pub host: String,
    pub token: String,
    _folder: tempfile::TempDir,
}

/// What was answered.
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

/// Small and slow enough for any machine, beside other tests.
pub const LIVE: [&str; 11] = [
    "live",
    "--from",
    "test",
    "--size",
    "320x180",
    "--fps",
    "15",
    "--quality",
    "fast",
    "--page",
    "127.0.0.1:0",
];

impl Run {
    pub fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_impasto"))
            .args(LIVE)
            .arg("--to")
            .arg(folder.path().join("a.mkv"))
            .stderr(Stdio::piped())
            .spawn()
            .expect("impasto runs");
        let said = child.stderr.take().unwrap();
        Self::of(child, said, folder)
    }

    /// One in a terminal, and where its keys go in.
    pub fn start_in_terminal() -> (Self, ChildStdin) {
        let folder = tempfile::tempdir().unwrap();
        let command = format!(
            "'{}' {} --to '{}'",
            env!("CARGO_BIN_EXE_impasto"),
            LIVE.join(" "),
            folder.path().join("a.mkv").display()
        );
        let mut child = Command::new("script")
            .args(["-q", "-e", "-c", &command, "/dev/null"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("script runs");
        let (keys, said) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        (Self::of(child, said, folder), keys)
    }

    /// One that says something, its address among it.
    fn of(child: Child, said: impl Read + Send + 'static, folder: tempfile::TempDir) -> Self {
        let mut lines = BufReader::new(said).lines();
        let mut before = String::new();
        let url = lines.by_ref().map_while(Result::ok).find_map(|line| {
            before += &line;
            line.strip_prefix("the page: ")
                .map(|url| url.trim().to_owned())
        });
        // What nobody reads would stop it.
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                eprintln!("{line}");
            }
        });
        let url = url.unwrap_or_else(|| panic!("no address of a page: {before}"));
        let (host, token) = url
            .strip_prefix("http://")
            .and_then(|rest| rest.split_once("/?token="))
            .expect("an address with a token");
        let run = Self {
            host: host.to_owned(),
            token: token.to_owned(),
            child,
            _folder: folder,
            url: url.clone(),
        };
        run.wait_for("frames", |state| {
            state["meters"]["fps"].as_f64().is_some_and(|fps| fps > 5.0)
        });
        run
    }

    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.host).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// Sends lines of a head and a body as they are.
    pub fn send(&self, head: &str, body: &str) -> Answer {
        let mut stream = self.connect();
        // An answer may come before everything is sent.
        let _ = write!(
            stream,
            "{head}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        let end = bytes.windows(4).position(|end| end == b"\r\n\r\n");
        let end = end.expect("a head and a body") + 4;
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
        Answer {
            status: head[9..12].parse().unwrap(),
            head,
            body: bytes[end..].to_vec(),
        }
    }

    pub fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, "")
    }

    /// Asks as the page does; `path` may have a query.
    pub fn ask(&self, method: &str, path: &str, body: &str) -> Answer {
        let mark = if path.contains('?') { '&' } else { '?' };
        let (host, token) = (&self.host, &self.token);
        let head = format!(
            "{method} {path}{mark}token={token} HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{host}"
        );
        self.send(&head, body)
    }

    pub fn state(&self) -> Value {
        self.get("/state").json()
    }

    /// Waits until the state is as wanted, and returns how long that took.
    pub fn wait_for(&self, what: &str, is_there: impl Fn(&Value) -> bool) -> Duration {
        let start = Instant::now();
        loop {
            let state = self.state();
            if is_there(&state) {
                return start.elapsed();
            }
            assert!(start.elapsed() < PATIENCE, "no {what}: {state}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        // One that has ended by itself is as well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Answer {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> Value {
        assert_eq!(self.status, 200, "{}", self.text());
        serde_json::from_slice(&self.body).unwrap()
    }
}
