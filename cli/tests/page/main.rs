//! The page of `impasto live`: who may ask, what can be asked, and the page itself in a real browser.

#![forbid(unsafe_code)]

mod browser;
mod run;

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::Command;
use std::time::{Duration, Instant};

use browser::Browser;
use run::Run;
use serde_json::json;

/// Within this, a change is to be there.
const AT_ONCE: Duration = Duration::from_millis(500);

#[test]
fn only_the_page_itself_may_ask() {
    let run = Run::start();
    let (host, token) = (run.host.clone(), run.token.clone());
    let port = host.rsplit_once(':').unwrap().1;
    let paths = [
        "GET /",
        "GET /page.js",
        "GET /state",
        "GET /events",
        "GET /preview",
        "GET /snapshot",
        "POST /set",
        "GET /nowhere",
    ];
    for path in paths {
        for (query, headers, words) in [
            ("", format!("Host: {host}"), "token is missing"),
            ("?token=", format!("Host: {host}"), "not the one"),
            (
                &format!("?token={}0", &token[1..]),
                format!("Host: {host}"),
                "not the one",
            ),
            (
                &format!("?token={token}"),
                format!("Host: evil.example:{port}"),
                "the host is",
            ),
            (
                &format!("?token={token}"),
                format!("Host: {host}\r\nOrigin: http://evil.example"),
                "comes from",
            ),
        ] {
            let answer = run.send(&format!("{path}{query} HTTP/1.1\r\n{headers}"), "");
            let text = answer.text();
            assert_eq!(answer.status, 403, "{path}{query} {headers}: {text}");
            assert!(text.contains(words) && text.lines().count() == 1, "{text}");
        }
    }
    let page = run.get("/");
    assert_eq!(page.status, 200);
    assert!(
        page.head
            .contains("Content-Security-Policy: default-src 'none'")
    );
    assert!(page.text().contains(&token) && !page.text().contains("{token}"));
}

#[test]
fn changes_are_made_at_once_or_refused_in_words() {
    let run = Run::start();
    let start = Instant::now();
    run.ask("POST", "/set", r#"{"style": "udnie", "strength": 0.5}"#)
        .json();
    run.wait_for("udnie", |state| {
        state["style"] == "udnie" && state["strength"] == 0.5
    });
    assert!(start.elapsed() < AT_ONCE, "{:?}", start.elapsed());
    run.ask("POST", "/set", r#"{"quality": "balanced"}"#).json();
    run.wait_for("larger network", |state| {
        state["meters"]["quality"] == "balanced"
    });
    let all = r#"{"style": "great-wave:0.75+udnie:0.25", "persistence": 0.25, "keep_colors": true, "quality": "auto"}"#;
    let state = run.ask("POST", "/set", all).json();
    assert_eq!(state["parts"][0], json!(["great-wave", 0.75]));
    for (method, path, body, status, words) in [
        (
            "POST",
            "/set",
            r#"{"style": "no-such"}"#,
            400,
            "no style `no-such`",
        ),
        (
            "POST",
            "/set",
            r#"{"style": "/etc/passwd.onnx"}"#,
            400,
            "no style",
        ),
        ("POST", "/set", r#"{"strength": 7}"#, 400, "strength is 7"),
        (
            "POST",
            "/set",
            r#"{"strength": "much"}"#,
            400,
            "not understood",
        ),
        (
            "POST",
            "/set",
            r#"{"persistence": -1}"#,
            400,
            "from 0 to 0.95",
        ),
        (
            "POST",
            "/set",
            r#"{"quality": "superb"}"#,
            400,
            "wanted fast",
        ),
        (
            "POST",
            "/set",
            r#"{"colour": 1}"#,
            400,
            "unknown field `colour`",
        ),
        ("POST", "/set", r#"{"strength": "#, 400, "not understood"),
        ("POST", "/set", "", 400, "not understood"),
        ("POST", "/set", &"x".repeat(5000), 413, "at most 4096"),
        ("POST", "/set", &"x".repeat(5_000_000), 413, "at most 4096"),
        ("GET", "/set", "", 405, "takes POST"),
        ("DELETE", "/state", "", 405, "takes GET"),
        ("GET", "/thumbnail?idx=99", "", 400, "idx is `99`"),
        ("GET", "/thumbnail?idx=x", "", 400, "from 0 to"),
        ("GET", "/thumbnail?idx=0", "", 404, "not painted yet"),
        ("GET", "/../Cargo.toml", "", 404, "nothing at"),
    ] {
        let answer = run.ask(method, path, body);
        let text = answer.text();
        assert_eq!(answer.status, status, "{method} {path}: {text}");
        assert!(text.contains(words), "{text}");
    }
    let after = run.state();
    for name in ["style", "strength", "persistence", "keep_colors", "quality"] {
        assert_eq!(after[name], state[name]);
    }
}

#[test]
fn keys_in_the_terminal_show() {
    let (run, mut keys) = Run::start_in_terminal();
    assert_eq!(run.state()["style"], "starry-night");
    for (key, name, wanted) in [
        ("n", "style", json!("the-scream")),
        ("k", "keep_colors", json!(true)),
        (" ", "strength", json!(0.0)),
    ] {
        let start = Instant::now();
        keys.write_all(key.as_bytes()).unwrap();
        run.wait_for(name, |state| state[name] == wanted);
        assert!(start.elapsed() < AT_ONCE, "{:?}", start.elapsed());
    }
    // And the other way round: the key goes on from what the page has made.
    run.ask("POST", "/set", r#"{"style": "great-wave", "on": true}"#)
        .json();
    keys.write_all(b"p").unwrap();
    run.wait_for("the style before", |state| {
        state["style"] == "composition-vii"
    });
}

#[test]
fn addresses_are_taken_or_refused_aloud() {
    let folder = tempfile::tempdir().unwrap();
    let said = |address: &str| {
        let output = Command::new(env!("CARGO_BIN_EXE_impasto"))
            .args(&run::LIVE[..run::LIVE.len() - 1])
            .args([address, "--stop-after", "1", "--to"])
            .arg(folder.path().join(address).with_extension("mkv"))
            .output()
            .unwrap();
        (
            output.status.code(),
            String::from_utf8(output.stderr).unwrap(),
        )
    };
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let (code, text) = said(&taken.local_addr().unwrap().to_string());
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("--page 127.0.0.1:0") && !text.contains("panicked"));
    let (code, text) = said("0.0.0.0:0");
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("warning: the page listens on 0.0.0.0"));
    let (_, text) = said("[::1]:0");
    assert!(!text.contains("warning: the page listens"), "{text}");
}

#[test]
fn who_hangs_holds_nobody_up() {
    let run = Run::start();
    // Some never ask, some stop in the middle, and some look at the preview and take nothing of it.
    let beginnings = [
        String::new(),
        "POST /set HTTP/1.1\r\nHo".to_owned(),
        format!(
            "GET /preview?token={} HTTP/1.1\r\nHost: {}\r\n\r\n",
            run.token, run.host
        ),
    ];
    let hanging: Vec<_> = (0..24)
        .map(|idx| {
            let mut stream = run.connect();
            stream.write_all(beginnings[idx % 3].as_bytes()).unwrap();
            stream
        })
        .collect();
    let before = run.state()["meters"]["frames_left_out"].as_u64().unwrap();
    for style in ["udnie", "shipwreck", "udnie"] {
        let start = Instant::now();
        run.ask("POST", "/set", &format!("{{\"style\": \"{style}\"}}"))
            .json();
        assert!(start.elapsed() < AT_ONCE, "{:?}", start.elapsed());
        std::thread::sleep(Duration::from_millis(700));
    }
    let state = run.state();
    let after = state["meters"]["frames_left_out"].as_u64().unwrap();
    // 15 frames came each second; a machine that is busy with other tests may miss a few.
    assert!(after < before + 10, "{before} {state}");
    // There is an end to the room, and there is room again when they have gone.
    let more: Vec<_> = (0..40).map(|_| run.connect()).collect();
    assert_eq!(run.get("/state").status, 503);
    drop((hanging, more));
    let start = Instant::now();
    while run.get("/state").status != 200 {
        assert!(start.elapsed() < Duration::from_secs(120));
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn pictures_are_painted_for_the_page() {
    let run = Run::start();
    let styles = run.get("/styles").json();
    let styles = styles.as_array().unwrap();
    assert!(styles.len() >= 8, "{styles:?}");
    run.ask("POST", "/thumbnails", "").json();
    let is_done = |state: &serde_json::Value| {
        let versions = state["thumbnails"]["versions"].as_array().unwrap();
        versions.len() == styles.len() && versions.iter().all(|version| *version == 1)
    };
    let took = run.wait_for("thumbnails", is_done);
    eprintln!("{} thumbnails took {took:?}", styles.len());
    let thumbnails: BTreeSet<Vec<u8>> = (0..styles.len())
        .map(|idx| run.get(&format!("/thumbnail?idx={idx}")).body)
        .collect();
    assert_eq!(thumbnails.len(), styles.len(), "each style is another");
    for jpeg in &thumbnails {
        let picture = image::load_from_memory(jpeg).unwrap();
        assert_eq!((picture.width(), picture.height()), (320, 180));
    }

    let snapshot = run.get("/snapshot");
    assert!(
        snapshot
            .head
            .contains("attachment; filename=\"impasto.png\"")
    );
    let picture = image::load_from_memory(&snapshot.body).unwrap();
    assert_eq!((picture.width(), picture.height()), (320, 180));

    let mut stream = run.connect();
    let (host, token) = (&run.host, &run.token);
    write!(
        stream,
        "GET /preview?token={token} HTTP/1.1\r\nHost: {host}\r\n\r\n"
    )
    .unwrap();
    let mut bytes = Vec::new();
    let mut piece = [0; 4096];
    while parts(&bytes).len() < 5 {
        let n = stream.read(&mut piece).unwrap();
        assert!(n > 0, "it goes on");
        bytes.extend(&piece[..n]);
    }
    let parts = parts(&bytes);
    for jpeg in &parts {
        let picture = image::load_from_memory(jpeg).unwrap();
        assert_eq!((picture.width(), picture.height()), (320, 180));
    }
    assert_ne!(parts[0], parts[4], "the test picture moves");
}

/// The whole pictures of a preview.
fn parts(bytes: &[u8]) -> Vec<&[u8]> {
    let find = |from: usize, text: &[u8]| {
        let found = bytes[from..]
            .windows(text.len())
            .position(|found| found == text);
        found.map(|at| from + at)
    };
    let (mut parts, mut at) = (Vec::new(), 0);
    while let Some(head) = find(at, b"Content-Type: image/jpeg")
        && let Some(start) = find(head, b"\r\n\r\n")
        && let Some(end) = find(start, b"\r\n--frame\r\n")
    {
        parts.push(&bytes[start + 4..end]);
        at = end;
    }
    parts
}

#[test]
fn the_page_works_in_a_browser_by_mouse_and_by_keys() {
    let Some(mut browser) = Browser::start() else {
        eprintln!("SKIPPED: no Chromium is found; `./setup test` installs it");
        return;
    };
    let run = Run::start();
    browser.open(&run.url);
    browser.wait_for("document.querySelectorAll('#styles button').length >= 8");
    browser.wait_for("document.querySelector('#preview').naturalWidth === 320");
    browser.wait_for("document.querySelector('#fps').textContent > 0");
    browser.wait_for(
        "[...document.querySelectorAll('#styles img')].every((image) => image.naturalWidth === 320)",
    );

    let start = Instant::now();
    browser.click("[data-style='the-scream']");
    run.wait_for("the scream", |state| state["style"] == "the-scream");
    let took = start.elapsed();
    eprintln!("a click changed the style within {took:?}");
    assert!(took < AT_ONCE, "{took:?}");
    browser.wait_for(
        "document.querySelector('[data-style=\"the-scream\"]').getAttribute('aria-pressed') === 'true'",
    );

    // What is changed elsewhere shows.
    run.ask(
        "POST",
        "/set",
        r#"{"strength": 0.35, "style": "udnie:0.75+shipwreck:0.25"}"#,
    )
    .json();
    browser.wait_for("document.querySelector('#strength').value === '0.35'");
    browser.wait_for("document.querySelector('#second').value === 'shipwreck'");
    browser.wait_for("document.querySelector('#share').value === '0.25'");

    // All that can be worked is reached by Tab alone, has a name, and answers to keys.
    let n = browser.evaluate(
        "(window.all = [...document.querySelectorAll('button, input, select, a[href]')].filter((found) => !found.disabled)).length",
    );
    let n = n.as_u64().unwrap();
    assert!(n >= 8 + 9, "{n} things to work");
    let mut reached = BTreeSet::new();
    for _ in 0..n + 2 {
        browser.press("Tab");
        reached.extend(
            browser
                .evaluate("all.indexOf(document.activeElement)")
                .as_u64(),
        );
    }
    assert_eq!(reached, (0..n).collect());
    let nameless = browser.evaluate(
        "all.filter((found) => !found.textContent.trim() && !found.labels?.length).map((found) => found.id)",
    );
    assert_eq!(nameless, json!([]));
    browser.evaluate("document.querySelector('#on').focus()");
    browser.press("Enter");
    run.wait_for("photo", |state| state["strength"] == 0.0);
    browser.wait_for("document.querySelector('#on').getAttribute('aria-checked') === 'false'");
    browser.press("Enter");
    run.wait_for("painting", |state| state["strength"] == 0.35);

    let downloads = tempfile::tempdir().unwrap();
    browser.call(
        "Browser.setDownloadBehavior",
        json!({"behavior": "allow", "downloadPath": downloads.path()}),
    );
    browser.click("#snapshot");
    let snapshot = downloads.path().join("impasto.png");
    let start = Instant::now();
    while image::open(&snapshot).map_or(0, |picture| picture.width()) != 320 {
        assert!(
            start.elapsed() < Duration::from_secs(120),
            "no snapshot comes"
        );
        std::thread::sleep(Duration::from_millis(50));
    }

    // What is refused is said.
    browser.evaluate("change({ strength: 7 })");
    browser.wait_for("document.querySelector('#message').textContent.includes('from 0 to 1')");
    browser.evaluate("change({ strength: 1, style: 'the-scream' })");
    browser.wait_for("document.querySelector('#message').textContent === ''");

    for (width, height) in [(1280, 800), (390, 844)] {
        let png = browser.screenshot(width, height);
        let name = format!("{}/page-{width}x{height}.png", env!("CARGO_TARGET_TMPDIR"));
        std::fs::write(&name, &png).unwrap();
        eprintln!("screenshot: {name}");
        let picture = image::load_from_memory(&png).unwrap();
        assert_eq!((picture.width(), picture.height()), (width, height));
        let overhang = browser.evaluate("document.documentElement.scrollWidth > innerWidth");
        assert_eq!(overhang, false, "nothing lies beside the window");
    }
    // The refusal above is the only thing that a browser may complain about.
    browser
        .complaints
        .retain(|complaint| !complaint.contains("/set") || !complaint.contains("400"));
    assert_eq!(browser.complaints, Vec::<String>::new());
}
