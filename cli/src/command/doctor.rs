//! `impasto doctor`: says what is there, what is missing, and how to get it.

use std::fs;

use anyhow::bail;
use clap::Args;
use serde::Serialize;

use crate::{live, packages, report, trial};

/// Says whether everything needed is installed, and how to get what is missing.
///
/// Looks at GStreamer and its plugins, the OpenVINO runtime, the processor, NVIDIA's software and GPUs, and the styles, each of which paints one
/// small picture. Exit code 1 if something is missing without which nothing can be painted.
#[derive(Args)]
pub struct Doctor {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Elements by what they are needed for, and whether `impasto video` with default options needs them.
const TASKS: &[(&str, &[&str], bool)] = &[
    (
        "every video",
        &[
            "styletransfer",
            "filesrc",
            "parsebin",
            "videoconvert",
            "filesink",
        ],
        true,
    ),
    (
        "reading .mp4",
        &["qtdemux", "h264parse", "avdec_h264"],
        true,
    ),
    (
        "reading .mkv and .webm",
        &["matroskademux", "vp8dec", "vp9dec"],
        false,
    ),
    ("reading .avi and .ts", &["avidemux", "tsdemux"], false),
    (
        "interlaced, turned and odd-sized clips",
        &["deinterlace", "videoflip", "videocrop"],
        false,
    ),
    (
        "writing .mp4 and .mov",
        &["x264enc", "mp4mux", "qtmux"],
        true,
    ),
    (
        "writing .webm and .mkv",
        &["vp9enc", "vp9parse", "webmmux", "matroskamux"],
        false,
    ),
    (
        "other codecs",
        &["x265enc", "h265parse", "vp8enc", "av1enc", "av1parse"],
        false,
    ),
    (
        "sound and subtitles",
        &[
            "audioconvert",
            "audioresample",
            "avenc_aac",
            "opusenc",
            "aacparse",
            "capssetter",
        ],
        false,
    ),
];

#[derive(Serialize)]
struct Health {
    version: &'static str,
    gstreamer: String,
    elements: Vec<Element>,
    openvino: OpenVino,
    nvidia: Nvidia,
    cores: usize,
    free_memory_mib: Option<u64>,
    /// The priority that `impasto live` gets.
    live_priority: String,
    styles: Vec<Style>,
    /// The plugin's file, if GStreamer's own tools find it.
    plugin: Option<String>,
    is_well: bool,
}

#[derive(Serialize)]
struct Element {
    task: &'static str,
    element: &'static str,
    package: &'static str,
    is_needed: bool,
    is_there: bool,
}

#[derive(Serialize)]
#[serde(untagged)]
enum OpenVino {
    Found {
        library: String,
        version: String,
        processor: String,
        half: Option<&'static str>,
        own_half: Option<&'static str>,
    },
    Missing {
        error: String,
    },
}

/// What there is of NVIDIA's. Nothing of it is needed to paint.
#[derive(Serialize)]
struct Nvidia {
    /// Name and version of TensorRT, and its library; or why there is none.
    tensorrt: Result<String, String>,
    /// GPUs with compute capability and memory; or why there are none.
    gpus: Result<Vec<String>, String>,
    /// Frames that elements hand each other on a GPU stay there; or why not.
    frames: Result<(), String>,
    /// What `engine=auto` takes, and why.
    auto: String,
}

#[derive(Serialize)]
struct Style {
    name: String,
    quality: &'static str,
    engine: Option<String>,
    error: Option<String>,
}

impl Doctor {
    /// Looks at everything.
    ///
    /// # Errors
    /// If something needed is missing.
    pub fn run(self) -> anyhow::Result<()> {
        super::start_gstreamer()?;
        let health = Health::look();
        if self.json {
            report::json(&health)?;
        } else {
            health.tell()?;
        }
        if !health.is_well {
            bail!(
                "something needed is missing; `./setup deps` in Impasto's source folder installs all of it"
            );
        }
        Ok(())
    }
}

impl Health {
    fn look() -> Self {
        let elements: Vec<_> = TASKS
            .iter()
            .flat_map(|&(task, elements, is_needed)| {
                elements.iter().map(move |&element| Element {
                    task,
                    element,
                    package: packages::package_of(element),
                    is_needed,
                    is_there: packages::has(element),
                })
            })
            .collect();
        let openvino = match engines::probe() {
            Ok(runtime) => OpenVino::Found {
                library: runtime.library.display().to_string(),
                version: runtime.version,
                processor: runtime.processor,
                half: runtime.half,
                own_half: runtime.own_half,
            },
            Err(error) => OpenVino::Missing {
                error: error.to_string(),
            },
        };
        let styles = styles(matches!(openvino, OpenVino::Found { .. }));
        let paints = styles
            .iter()
            .any(|style| style.name == engines::styles::DEFAULT && style.error.is_none());
        let plugin = gst::Registry::get()
            .lookup("libgstimpasto.so")
            .and_then(|plugin| plugin.filename());
        Self {
            version: env!("CARGO_PKG_VERSION"),
            gstreamer: gst::version_string().to_string(),
            is_well: paints
                && elements
                    .iter()
                    .all(|element| element.is_there || !element.is_needed),
            elements,
            openvino,
            nvidia: Nvidia::look(),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            free_memory_mib: free_memory_mib(
                &fs::read_to_string("/proc/meminfo").unwrap_or_default(),
            ),
            live_priority: live_priority(),
            styles,
            plugin: plugin.map(|path| path.display().to_string()),
        }
    }

    fn tell(&self) -> anyhow::Result<()> {
        report::line(format!("impasto {}, {}", self.version, self.gstreamer))?;
        let memory = self
            .free_memory_mib
            .map_or(String::new(), |mib| format!(", {mib} MiB of memory free"));
        report::line(format!("{} cores{memory}", self.cores))?;
        report::line(format!("priority of impasto live: {}", self.live_priority))?;
        report::line(match &self.openvino {
            OpenVino::Found {
                library,
                version,
                processor,
                half,
                own_half,
            } => {
                let half = match (half, own_half) {
                    (Some(half), Some(own)) => &format!("{half}, built-in styles also {own}"),
                    (Some(half), None) => *half,
                    (None, Some(own)) => &format!("{own}, for built-in styles only"),
                    (None, None) => "not on this processor",
                };
                format!(
                    "OpenVINO {version} in {library}\n    on {processor}, half precision: {half}"
                )
            }
            OpenVino::Missing { error } => format!("OpenVINO is missing: {error}"),
        })?;
        self.nvidia.tell()?;
        for &(task, ..) in TASKS {
            let missing: Vec<_> = self
                .elements
                .iter()
                .filter(|element| element.task == task && !element.is_there)
                .map(|element| format!("{} (install {})", element.element, element.package))
                .collect();
            let state = if missing.is_empty() {
                "ok".to_owned()
            } else {
                format!("missing {}", missing.join(", "))
            };
            report::line(format!("{task}: {state}"))?;
        }
        for style in &self.styles {
            let state = style
                .engine
                .as_deref()
                .or(style.error.as_deref())
                .unwrap_or("not tried");
            let name = format!("{} {}", style.name, style.quality);
            report::line(format!("style {}: {state}", name.trim()))?;
        }
        report::line(match &self.plugin {
            Some(path) => format!("plugin for gst-launch-1.0: {path}"),
            None => "plugin for gst-launch-1.0: not installed; `./setup install` in Impasto's source folder does".to_owned(),
        })
    }
}

/// The priority that `impasto live` gets, tried by a thread that ends at once.
fn live_priority() -> String {
    let tried = std::thread::spawn(|| live::lift_priority().to_string());
    tried.join().unwrap_or_else(|_| "unknown".to_owned())
}

impl Nvidia {
    #[cfg(any(feature = "tensorrt", feature = "tensorrt-enterprise"))]
    fn look() -> Self {
        use engines::tensorrt;

        let describe = |device: tensorrt::Device| {
            format!(
                "{}, compute capability {}, {} MiB",
                device.name,
                device.gpu,
                device.n_bytes >> 20
            )
        };
        Self::of(
            tensorrt::probe()
                .map(|runtime| format!("{runtime} in {}", runtime.library.display()))
                .map_err(|error| error.to_string()),
            tensorrt::devices()
                .map(|devices| devices.into_iter().map(describe).collect())
                .map_err(|error| error.to_string()),
            gstcuda::load().map_err(|missing| missing.to_string()),
        )
    }

    #[cfg(not(any(feature = "tensorrt", feature = "tensorrt-enterprise")))]
    fn look() -> Self {
        let error = engines::Error::TensorRtNotBuilt.to_string();
        Self::of(Err(error.clone()), Err(error.clone()), Err(error))
    }

    fn of(
        tensorrt: Result<String, String>,
        gpus: Result<Vec<String>, String>,
        frames: Result<(), String>,
    ) -> Self {
        let gpu = gpus.as_ref().ok().and_then(|gpus| gpus.first());
        let why = match (&tensorrt, gpu) {
            (Ok(_), Some(_)) => {
                "painting on a GPU has not been shown yet; `engine=tensorrt` asks for it"
            }
            (Err(_), Some(_)) => "there is a GPU, but not what it needs",
            (_, None) => "there is no GPU that it could take",
        };
        Self {
            auto: format!("engine=auto takes the processor: {why}"),
            tensorrt,
            gpus,
            frames,
        }
    }

    fn tell(&self) -> anyhow::Result<()> {
        match &self.tensorrt {
            Ok(found) => report::line(found)?,
            Err(error) => report::line(format!("TensorRT: {error}"))?,
        }
        match &self.gpus {
            Ok(gpus) if gpus.is_empty() => report::line("NVIDIA GPU: none")?,
            Ok(gpus) => gpus
                .iter()
                .try_for_each(|gpu| report::line(format!("NVIDIA GPU: {gpu}")))?,
            // Said once is enough.
            Err(error) if Some(error) == self.tensorrt.as_ref().err() => {}
            Err(error) => report::line(format!("NVIDIA GPU: {error}"))?,
        }
        if self.gpus.as_ref().is_ok_and(|gpus| !gpus.is_empty()) {
            report::line(match &self.frames {
                Ok(()) => "frames on a GPU (memory:CUDAMemory): stay there with engine=tensorrt"
                    .to_owned(),
                Err(missing) => format!("frames on a GPU (memory:CUDAMemory): {missing}"),
            })?;
        }
        report::line(&self.auto)
    }
}

/// Every size of every style, tried out if there is something to run it.
fn styles(can_run: bool) -> Vec<Style> {
    let listed = match engines::styles::list() {
        Ok(listed) => listed,
        Err(error) => {
            let error = Some(error.to_string());
            return vec![Style {
                name: "(all)".to_owned(),
                quality: "",
                engine: None,
                error,
            }];
        }
    };
    let sizes = listed.into_iter().flat_map(|style| {
        let qualities = if style.qualities.is_empty() {
            vec![None]
        } else {
            style.qualities.into_iter().map(Some).collect()
        };
        qualities
            .into_iter()
            .map(move |quality| (style.name.clone(), quality))
    });
    sizes
        .map(|(name, quality)| {
            let found = engines::styles::find(&name, quality.unwrap_or_default())
                .map_err(anyhow::Error::from);
            let tried = match found {
                Ok(_) if !can_run => Err(anyhow::anyhow!("not tried without OpenVINO")),
                found => found.and_then(|model| trial::try_out(&model)),
            };
            let (engine, error) = match tried {
                Ok(engine) => (Some(engine), None),
                Err(error) => (None, Some(report::chain(&error))),
            };
            Style {
                name,
                quality: quality.map_or("", engines::Quality::name),
                engine,
                error,
            }
        })
        .collect()
}

fn free_memory_mib(meminfo: &str) -> Option<u64> {
    let line = meminfo
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? / 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn free_memory_is_read() {
        let meminfo = "MemTotal:       100 kB\nMemAvailable:    2048000 kB\n";
        assert_eq!(free_memory_mib(meminfo), Some(2000));
        assert_eq!(free_memory_mib(""), None);
    }

    #[test]
    fn why_the_processor_is_taken_is_said() {
        let gpus = || Ok(vec!["a GPU".to_owned()]);
        let missing = || "not there".to_owned();
        let tensorrt = || Ok("TensorRT".to_owned());
        for (found, words) in [
            (Nvidia::of(tensorrt(), gpus(), Ok(())), "has not been shown"),
            (
                Nvidia::of(Err(missing()), gpus(), Ok(())),
                "not what it needs",
            ),
            (Nvidia::of(tensorrt(), Err(missing()), Ok(())), "no GPU"),
            (Nvidia::of(tensorrt(), Ok(Vec::new()), Ok(())), "no GPU"),
        ] {
            assert!(found.auto.contains("the processor"), "{}", found.auto);
            assert!(found.auto.contains(words), "{}", found.auto);
        }
    }

    #[test]
    fn every_element_has_a_package() {
        for &(_, elements, _) in TASKS {
            for element in elements
                .iter()
                .filter(|element| **element != "styletransfer")
            {
                assert_ne!(
                    packages::package_of(element),
                    "a GStreamer plugin package",
                    "{element}"
                );
            }
        }
    }
}
