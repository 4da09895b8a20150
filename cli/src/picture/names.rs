//! Which picture file becomes which.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use super::format_of;

/// A file to paint and the file to write.
#[derive(Debug, PartialEq)]
pub struct Job {
    /// Picture to paint.
    pub input: PathBuf,
    /// File to write.
    pub output: PathBuf,
}

/// Pairs inputs, which may be folders of pictures, with outputs. `output` is a file for one picture, else a
/// folder, which is made if missing.
///
/// # Errors
/// If the names do not fit together, or a folder cannot be read or made.
pub fn plan(inputs: &[PathBuf], output: &Path) -> anyhow::Result<Vec<Job>> {
    let (mut files, mut has_folder) = (Vec::new(), false);
    for input in inputs {
        if input.is_dir() {
            has_folder = true;
            files.extend(pictures_in(input)?);
        } else {
            files.push(input.clone());
        }
    }
    let names_folder = output.is_dir() || output.to_string_lossy().ends_with('/');
    if files.len() == 1 && !has_folder && !names_folder {
        if format_of(output).is_none() {
            bail!(
                "{} names no picture format, wanted .png, .jpg, .jpeg or .webp; for a folder, end it with a slash",
                output.display()
            );
        }
        let input = files.remove(0);
        return Ok(vec![Job {
            input,
            output: output.to_owned(),
        }]);
    }
    if output.is_file() {
        bail!(
            "{} is a file, wanted a folder for several pictures",
            output.display()
        );
    }
    let jobs = into_folder(files, output)?;
    fs::create_dir_all(output)
        .with_context(|| format!("making the folder {}", output.display()))?;
    Ok(jobs)
}

fn pictures_in(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let reading = || format!("reading the folder {}", folder.display());
    let mut pictures = Vec::new();
    for entry in fs::read_dir(folder).with_context(reading)? {
        let path = entry.with_context(reading)?.path();
        if format_of(&path).is_some() && path.is_file() {
            pictures.push(path);
        }
    }
    if pictures.is_empty() {
        bail!(
            "no .png, .jpg, .jpeg or .webp picture in the folder {}",
            folder.display()
        );
    }
    pictures.sort();
    Ok(pictures)
}

fn into_folder(files: Vec<PathBuf>, folder: &Path) -> anyhow::Result<Vec<Job>> {
    let mut sources: HashMap<PathBuf, PathBuf> = HashMap::new();
    let mut jobs = Vec::new();
    for input in files {
        let name = input
            .file_name()
            .with_context(|| format!("{} names no file", input.display()))?;
        let output = folder.join(name);
        if let Some(other) = sources.insert(output.clone(), input.clone()) {
            bail!(
                "{} and {} would both become {}; paint them into different folders",
                other.display(),
                input.display(),
                output.display()
            );
        }
        jobs.push(Job { input, output });
    }
    Ok(jobs)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(names: &[&str]) -> Vec<PathBuf> {
        names.iter().map(PathBuf::from).collect()
    }

    #[test]
    fn one_picture_becomes_the_file_that_is_named() {
        let jobs = plan(&paths(&["a.png"]), Path::new("b.webp")).unwrap();
        assert_eq!(
            jobs,
            [Job {
                input: "a.png".into(),
                output: "b.webp".into()
            }]
        );
        let error = plan(&paths(&["a.png"]), Path::new("b.gif"))
            .unwrap_err()
            .to_string();
        assert!(error.contains(".png, .jpg, .jpeg or .webp"), "{error}");
    }

    #[test]
    fn several_pictures_go_into_a_folder() {
        let folder = tempfile::tempdir().unwrap();
        let new = folder.path().join("new/deep");
        let jobs = plan(&paths(&["x/a.png", "y/b.jpg"]), &new).unwrap();
        assert_eq!(jobs[1].output, new.join("b.jpg"));
        assert!(new.is_dir());
        let error = plan(&paths(&["x/a.png", "y/a.png"]), &new)
            .unwrap_err()
            .to_string();
        assert!(error.contains("x/a.png and y/a.png"), "{error}");
    }

    #[test]
    fn folders_give_their_pictures_in_order() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b.JPG", "a.png", "notes.txt"] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        let out = folder.path().join("out");
        let jobs = plan(&[folder.path().to_owned()], &out).unwrap();
        assert_eq!(jobs.len(), 2);
        assert_eq!(jobs[0].output, out.join("a.png"));
        assert!(plan(&[out], Path::new("x/")).is_err());
    }
}
