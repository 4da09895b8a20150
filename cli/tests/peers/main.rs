//! `impasto live` among the programs it talks to: viewers of its streams and servers that it sends to come, go, die and
//! come back.

#![forbid(unsafe_code)]

mod rtmp;
mod rtsp;
mod run;
