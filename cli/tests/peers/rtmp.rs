//! A streaming server that takes RTMP: nginx, with a configuration of its own.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use crate::run::{BACK, PATIENCE, Program, free_port};

/// Starts a server at a port.
fn nginx(folder: &Path, port: u16) -> Program {
    let file = folder.join("nginx.conf");
    let folder = folder.display();
    let modules = "/usr/lib/nginx/modules";
    let text = format!(
        "load_module {modules}/ngx_rtmp_module.so;
         daemon off;
         master_process off;
         pid {folder}/nginx.pid;
         error_log stderr info;
         events {{}}
         rtmp {{ server {{ listen 127.0.0.1:{port}; application live {{ live on; }} }} }}"
    );
    std::fs::write(&file, text).unwrap();
    // It is where only an administrator's shell looks.
    let program = ["/usr/sbin/nginx", "/usr/bin/nginx"]
        .into_iter()
        .find(|path| Path::new(path).exists())
        .expect("nginx is installed; `./setup test` does that");
    // What it says before it has read that goes there as well.
    let mut command = Command::new(program);
    Program::start(command.arg("-c").arg(&file).args(["-e", "stderr"]))
}

/// Waits until somebody who looks on sees frames.
fn wait_for_frames(address: &str) {
    let deadline = Instant::now() + PATIENCE;
    let mut viewer = Command::new("ffmpeg");
    // Pictures that it can start with are two seconds apart, and for so long it sees no pictures at all.
    viewer.args(["-v", "error", "-analyzeduration", "4000000", "-i", address]);
    viewer.args(["-map", "0:v", "-frames:v", "5", "-f", "null", "-"]);
    while !viewer.status().unwrap().success() {
        assert!(Instant::now() < deadline, "no frames at {address}");
    }
}

#[test]
fn a_server_that_is_killed_gets_its_stream_again() {
    let folder = tempfile::tempdir().unwrap();
    let port = free_port();
    let address = format!("rtmp://127.0.0.1:{port}/live/painting");
    let first = nginx(folder.path(), port);
    let live = Program::live(&["--from", "test", "--to", &address]);
    wait_for_frames(&address);
    first.signal("KILL");
    // It comes back at the worst time: the longest wait has just begun.
    live.heard("next attempt in 3.0 s");
    let second = nginx(folder.path(), port);
    let start = Instant::now();
    let took = second.heard("publish: ").0 - start;
    eprintln!("the stream came again after {took:.1?}");
    assert!(took < BACK, "{took:.1?}");
    wait_for_frames(&address);
}
