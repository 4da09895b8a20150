//! Files that are no usable style end in an error that names them and says why: never in a panic, a hang or an abort.

#![forbid(unsafe_code)]

use std::path::Path;
use std::process::Command;
use std::sync::mpsc;
use std::time::Duration;
use std::{fs, thread};

use engines::{
    FrameFormat, Matrix, Model, PixelFormat, Quality, Range, Sidecar, ValueRange, styles,
};
use tests::card::{busy, noise};
use tests::network::{NCHW, Network, OPEN};
use tests::painting::{F32, paint};
use tests::picture::Picture;

/// Opens a file as a style and paints a frame with it.
fn try_out(path: &Path) -> engines::Result<()> {
    let format = FrameFormat::new(PixelFormat::Rgb, 64, 64, Matrix::Bt709, Range::Full)?;
    let mut engine = engines::open(&Model::read(path)?, &format, &F32)?;
    let source = Picture::of(format, 0, busy);
    let mut target = Picture::blank(format, 0);
    engine.submit(&source.frame())?;
    engine.receive(&source.frame(), &mut target.frame_mut())?;
    Ok(())
}

/// Asks that the file be refused with its name and each of `words`.
fn assert_refused(path: &Path, words: &[&str]) {
    if let Err(complaint) = refusal(path, words) {
        panic!("{complaint}");
    }
}

/// What is wrong with the way in which a file is refused.
fn refusal(path: &Path, words: &[&str]) -> Result<(), String> {
    let name = path
        .file_name()
        .and_then(|name| name.to_str())
        .expect("a UTF-8 file name");
    let error = match try_out(path) {
        Ok(()) => return Err(format!("{name} is taken for a style")),
        Err(error) => error.to_string(),
    };
    if let Some(word) = words
        .iter()
        .chain([&name])
        .find(|word| !error.contains(**word))
    {
        return Err(format!("{name}: no `{word}` in: {error}"));
    }
    if error.len() > 1000 || error.contains(".cpp") {
        return Err(format!("{name}: no words for a person: {error}"));
    }
    Ok(())
}

fn bundled() -> Vec<u8> {
    let model = styles::find(styles::DEFAULT, Quality::Balanced).expect("a bundled style");
    model.bytes.to_vec()
}

#[test]
fn files_of_another_kind_are_refused() {
    let folder = tempfile::tempdir().expect("a folder for tests");
    let at = |name: &str| folder.path().join(name);
    let of = |name: &str, bytes: &[u8]| {
        fs::write(at(name), bytes).expect("a writable folder");
        at(name)
    };
    let picture = fs::read(tests::data::of_crate("golden/bunny.png")).expect("a golden picture");
    fs::create_dir(at("folder.onnx")).expect("a writable folder");
    assert_refused(&at("missing.onnx"), &["No such file"]);
    assert_refused(&at("folder.onnx"), &["folder"]);
    assert_refused(&of("empty.onnx", b""), &["empty"]);
    assert_refused(
        &of("text.onnx", b"Dear reader,\nthis is no network.\n"),
        &["ONNX"],
    );
    assert_refused(&of("picture.onnx", &picture), &["ONNX"]);
    assert_refused(&of("zeros.onnx", &[0; 4096]), &["ONNX"]);
    fs::File::create(at("sparse.onnx"))
        .and_then(|file| file.set_len(300 << 20))
        .expect("a file system with holes");
    assert_refused(&at("sparse.onnx"), &["300 MiB", "256 MiB"]);
}

#[test]
fn a_pipe_is_refused_without_waiting_for_its_writer() {
    let folder = tempfile::tempdir().expect("a folder for tests");
    let path = folder.path().join("pipe.onnx");
    let made = Command::new("mkfifo").arg(&path).status();
    if !made.is_ok_and(|status| status.success()) {
        return tests::data::skip("mkfifo makes no pipe here");
    }
    let (sender, refused) = mpsc::channel();
    thread::spawn(move || sender.send(refusal(&path, &[])));
    let refused = refused.recv_timeout(Duration::from_secs(120));
    assert_eq!(refused.expect("an answer, not a wait"), Ok(()));
}

#[test]
fn a_file_cut_short_is_refused_wherever_it_is_cut() {
    let folder = tempfile::tempdir().expect("a folder for tests");
    let path = folder.path().join("cut.onnx");
    let whole = bundled();
    for share in [1, 5, 20, 40, 50, 60, 80, 95, 99] {
        fs::write(&path, &whole[..whole.len() * share / 100]).expect("a writable folder");
        assert_refused(&path, &["cut short"]);
    }
    fs::write(&path, &whole[..whole.len() - 1]).expect("a writable folder");
    assert_refused(&path, &["cut short"]);
}

struct Case {
    name: &'static str,
    network: Network,
    words: &'static [&'static str],
}

#[test]
fn networks_of_another_kind_are_refused() {
    let plain = || Network::new(&NCHW).op("Identity");
    let cases = [
        Case {
            name: "rank",
            network: Network::new(&[3, OPEN, OPEN]).op("Identity"),
            words: &["no input is a picture", "[3, ?, ?]"],
        },
        Case {
            name: "channels",
            network: Network::new(&[1, 4, 64, 64]).op("Identity"),
            words: &["no input is a picture", "[1, 4, 64, 64]"],
        },
        Case {
            name: "one-channel-out",
            network: Network::new(&NCHW)
                .channel(1)
                .painted(&[OPEN, 1, OPEN, OPEN]),
            words: &["wanted a picture of 3 channels"],
        },
        Case {
            name: "liar",
            network: Network::new(&NCHW).channel(1),
            words: &["shape", "wanted a picture of 3 channels"],
        },
        Case {
            name: "no-picture",
            network: plain().painted(&[1000]),
            words: &["no output is a picture", "[1000]"],
        },
        Case {
            name: "two-inputs",
            network: Network::new(&NCHW).second_input("weights", &[3, 1, 1]),
            words: &["second input `weights`", "[3, 1, 1]", "[inputs]"],
        },
        Case {
            name: "int8",
            network: Network::of_int8(&NCHW).op("Identity"),
            words: &["float32"],
        },
        Case {
            name: "four-at-once",
            network: Network::new(&[4, 3, OPEN, OPEN]).op("Identity"),
            words: &["4 pictures at once", "wanted 1"],
        },
        Case {
            name: "huge",
            network: Network::new(&[1, 3, 100_000, 100_000]).op("Identity"),
            words: &["100000x100000", "8192"],
        },
        Case {
            name: "tiny",
            network: Network::new(&[1, 3, 2, 2]).op("Identity"),
            words: &["2x2"],
        },
        Case {
            name: "half-fixed",
            network: Network::new(&[1, 3, OPEN, 64]).op("Identity"),
            words: &["one side"],
        },
        Case {
            name: "operator",
            network: Network::new(&NCHW).op("Impasto"),
            words: &["Impasto"],
        },
        Case {
            name: "no-operators",
            network: Network::new(&NCHW),
            words: &["no operators"],
        },
        Case {
            name: "one-pixel",
            network: Network::new(&NCHW).mean(),
            words: &["1x1"],
        },
        Case {
            name: "growing",
            network: Network::new(&NCHW).widen(3000),
            words: &["wanted about as many"],
        },
        Case {
            name: "vast-inside",
            network: Network::new(&NCHW).widen(1_000_000).widen(-1_000_000),
            words: &[],
        },
        Case {
            name: "elsewhere",
            network: Network::new(&NCHW).external_weights(),
            words: &["another file"],
        },
        Case {
            name: "pad",
            network: plain().metadata("impasto.pad", "many"),
            words: &["impasto.pad", "many"],
        },
        Case {
            name: "align",
            network: plain().metadata("impasto.align", "0"),
            words: &["impasto.align"],
        },
        Case {
            name: "wrong-weights",
            network: Network::new(&NCHW).broken_filter(),
            words: &[],
        },
    ];
    let folder = tempfile::tempdir().expect("a folder for tests");
    let complaints = cases.into_iter().filter_map(|case| {
        let path = folder.path().join(format!("{}.onnx", case.name));
        case.network.write(&path);
        refusal(&path, case.words).err()
    });
    let complaints: Vec<_> = complaints.collect();
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn sidecars_that_do_not_fit_are_refused() {
    let folder = tempfile::tempdir().expect("a folder for tests");
    let path = folder.path().join("style.onnx");
    Network::new(&NCHW)
        .second_input("weights", &[3, 1, 1])
        .write(&path);
    for (text, words) in [
        (
            "[inputs]\nweights = [1.0, 2.0]\n",
            &["`weights`", "3", "2"][..],
        ),
        ("[inputs]\nweigths = [1.0, 2.0, 3.0]\n", &["`weigths`"]),
        ("chanels = \"bgr\"\n", &["style.toml", "chanels"]),
        ("channels = \"rgba\"\n", &["style.toml", "rgba"]),
        ("pad = -1\n", &["style.toml"]),
        ("this is no TOML\n", &["style.toml"]),
    ] {
        fs::write(path.with_extension("toml"), text).expect("a writable folder");
        let error = Model::read(&path).expect_err(text).to_string();
        for word in words {
            assert!(error.contains(word), "{text}: no `{word}` in: {error}");
        }
    }
    fs::write(
        path.with_extension("toml"),
        "range = \"0..1\"\n[inputs]\nweights = [1.0, 1.0, 1.0]\n",
    )
    .expect("a writable folder");
    try_out(&path).expect("a sidecar that fits");
}

#[test]
fn zero_sized_axes_count_as_open() {
    // What some exporters write for an axis of any size.
    let bytes = Network::new(&[0, 3, 0, 0]).op("Identity").bytes();
    let sidecar = Sidecar {
        range: Some(ValueRange::Unit),
        ..Sidecar::default()
    };
    let model = Model::parse("zero".to_owned(), bytes.into(), &sidecar).expect("a network");
    let format = FrameFormat::new(PixelFormat::Rgb, 48, 32, Matrix::Bt709, Range::Full)
        .expect("a good size");
    let source = Picture::of(format, 0, busy);
    let mut engine = engines::open(&model, &format, &F32).expect("a network that works");
    assert_eq!(paint(&mut *engine, &source).samples(), source.samples());
}

#[test]
fn a_chain_of_many_operators_works_or_is_refused() {
    let folder = tempfile::tempdir().expect("a folder for tests");
    let path = folder.path().join("chain.onnx");
    let network = (0..300).fold(Network::new(&NCHW), |network, _| network.op("Tanh"));
    network.write(&path);
    if let Err(error) = try_out(&path) {
        assert!(error.to_string().contains("chain.onnx"), "{error}");
    }
}

#[test]
fn flipped_bits_never_end_in_a_panic_or_an_abort() {
    let folder = tempfile::tempdir().expect("a folder for tests");
    let path = folder.path().join("flipped.onnx");
    let whole = bundled();
    let (mut n_taken, mut n_refused) = (0, 0);
    for seed in 0..200 {
        let random = (0..4).fold(0, |sum, byte| sum << 8 | usize::from(noise(seed, byte)));
        // Every other flip hits the head, where the operators are: the rest is nearly all weights.
        let region = if seed % 2 == 0 {
            4096.min(whole.len())
        } else {
            whole.len()
        };
        let mut flipped = whole.clone();
        flipped[random / 8 % region] ^= 1 << (random % 8);
        fs::write(&path, &flipped).expect("a writable folder");
        match try_out(&path) {
            Ok(()) => n_taken += 1,
            Err(error) => {
                assert!(
                    error.to_string().contains("flipped.onnx"),
                    "seed {seed}: {error}"
                );
                n_refused += 1;
            }
        }
    }
    assert!(
        n_taken > 20 && n_refused > 20,
        "{n_taken} taken, {n_refused} refused: flips that test little"
    );
}
