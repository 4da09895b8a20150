//! Where scenes come from. Those in folders are read when their turn comes, so that one at a time is in memory.

use std::path::PathBuf;
use std::rc::Rc;

use anyhow::ensure;

use super::folder;
use super::scene::Scene;
use super::synthetic;

/// A scene that can be had.
pub enum Source {
    /// A folder with frames and ground truth.
    Folder(PathBuf),
    /// A scene made by code.
    Made(Rc<Scene>),
}

impl Source {
    /// What the paths stand for: scenes, folders of scenes, and, for synthetic scenes, pictures. Without a picture,
    /// synthetic scenes are made of procedural ones.
    ///
    /// # Errors
    /// If one of them is neither, or synthetic scenes cannot be made.
    pub fn find(paths: &[PathBuf], synthetic: bool) -> anyhow::Result<Vec<Self>> {
        let mut sources = Vec::new();
        let mut photos = Vec::new();
        for path in paths {
            ensure!(path.exists(), "{} does not exist", path.display());
            if path.is_dir() {
                sources.extend(folder::find(path)?.into_iter().map(Self::Folder));
            } else {
                ensure!(
                    synthetic,
                    "{} is no folder, wanted one with frames and their motion; to make scenes of a picture, \
                     add --synthetic",
                    path.display()
                );
                photos.push(folder::rgb(path)?);
            }
        }
        if synthetic {
            let scenes = synthetic::scenes(&photos)?;
            sources.extend(scenes.into_iter().map(|scene| Self::Made(Rc::new(scene))));
        }
        Ok(sources)
    }

    /// Reads it.
    ///
    /// # Errors
    /// If a file is missing or broken.
    pub fn read(&self) -> anyhow::Result<Rc<Scene>> {
        match self {
            Self::Folder(folder) => Ok(Rc::new(folder::read(folder)?)),
            Self::Made(scene) => Ok(Rc::clone(scene)),
        }
    }
}
