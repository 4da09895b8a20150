//! Whether anybody watches: PipeWire tells of our camera whether a client takes its frames, and a server of ours knows its
//! viewers.

use std::io::BufReader;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use serde_json::{Deserializer, Value};

use super::line::Line;
use super::outlet::{Outlet, node_name};
use super::rtsp::Server;
use super::sink::Sink;
use crate::report::warn;

/// Prints everything that PipeWire knows, and then every change, as lists in JSON. It comes with PipeWire.
const MONITOR: &str = "pw-dump";

/// All who may watch.
pub struct Watchers {
    /// Whether there are sinks of which it cannot be told.
    is_unknown: bool,
    camera: Option<Watch>,
    servers: Vec<Server>,
}

impl Watchers {
    /// Those of sinks and servers.
    pub fn of(sinks: &[Line<Outlet>], servers: Vec<Server>) -> Self {
        let is_camera = |line: &Line<Outlet>| line.builder.sink == Sink::PipeWire;
        let mut is_unknown = !sinks.iter().all(is_camera);
        let mut camera = None;
        if !is_unknown && !sinks.is_empty() {
            match Watch::start(node_name()) {
                Ok(watch) => camera = Some(watch),
                Err(error) => {
                    is_unknown = true;
                    warn(format!(
                        "whether anybody watches cannot be told, and every frame is painted: {MONITOR}: {error}"
                    ));
                }
            }
        }
        Self {
            is_unknown,
            camera,
            servers,
        }
    }

    /// Whether there are any, as far as can be told.
    pub fn are_there(&self) -> bool {
        self.is_unknown
            || self.camera.as_ref().is_some_and(Watch::is_watched)
            || self.servers.iter().any(Server::is_watched)
    }
}

/// Watches whether a node is watched.
struct Watch {
    monitor: Child,
    is_watched: Arc<AtomicBool>,
}

impl Watch {
    /// Watches the node of that name.
    ///
    /// # Errors
    /// If PipeWire's monitor cannot be started.
    fn start(node: String) -> std::io::Result<Self> {
        let mut monitor = Command::new(MONITOR)
            .arg("--monitor")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        // Until something else is known: nothing may be missed.
        let is_watched = Arc::new(AtomicBool::new(true));
        if let Some(output) = monitor.stdout.take() {
            let is_watched = is_watched.clone();
            thread::spawn(move || follow(output, &node, &is_watched));
        }
        Ok(Self {
            monitor,
            is_watched,
        })
    }

    /// Whether a client takes the frames.
    fn is_watched(&self) -> bool {
        self.is_watched.load(Ordering::Relaxed)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // If it has ended by itself, nothing is left to be done.
        let _ = self.monitor.kill();
        let _ = self.monitor.wait();
    }
}

/// Follows what the monitor prints until it ends; then nothing is known.
fn follow(output: ChildStdout, node: &str, is_watched: &AtomicBool) {
    let mut own = None;
    for changes in Deserializer::from_reader(BufReader::new(output)).into_iter::<Vec<Value>>() {
        let Ok(changes) = changes else {
            break;
        };
        for object in &changes {
            if let Some(state) = state(object, node, &mut own) {
                is_watched.store(state, Ordering::Relaxed);
            }
        }
    }
    is_watched.store(true, Ordering::Relaxed);
}

/// Whether our node runs, if `object` is that. `own` is its number, once it is known: changes do not repeat the name.
fn state(object: &Value, node: &str, own: &mut Option<u64>) -> Option<bool> {
    let (id, info) = (object["id"].as_u64()?, &object["info"]);
    if info["props"]["node.name"] == node {
        *own = Some(id);
    }
    if *own != Some(id) {
        return None;
    }
    if info.is_null() {
        // It is gone; another will come.
        *own = None;
        return Some(true);
    }
    Some(info["state"].as_str()? == "running")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_state_of_our_node_alone_counts() {
        let mut own = None;
        let mut told = |object: Value| state(&object, "impasto", &mut own);
        assert_eq!(
            told(json!({"id": 7, "info": {"state": "running", "props": {"node.name": "other"}}})),
            None
        );
        let props = json!({"node.name": "impasto"});
        assert_eq!(
            told(json!({"id": 9, "info": {"state": "suspended", "props": props}})),
            Some(false)
        );
        assert_eq!(
            told(json!({"id": 7, "info": {"state": "idle", "props": {}}})),
            None
        );
        assert_eq!(
            told(json!({"id": 9, "info": {"state": "running", "props": {}}})),
            Some(true)
        );
        assert_eq!(told(json!({"id": 9, "info": null})), Some(true));
        assert_eq!(
            told(json!({"id": 9, "info": {"state": "idle", "props": {}}})),
            None
        );
        assert_eq!(told(json!({"type": "metadata"})), None);
    }
}
