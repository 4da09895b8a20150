//! GPUs: those at hand, and the kinds that engines are built for.

#![expect(
    unsafe_code,
    reason = "whether there is a driver is asked of its loader, and what there is of the driver"
)]

use std::fmt;
use std::str::FromStr;

use cudarc::driver::result::device;
use cudarc::driver::{DriverError, result, sys};

use crate::error::{Error, Result};

/// A kind of GPU by its compute capability, such as 8.9 of an RTX 4090.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Gpu {
    pub(super) major: i32,
    pub(super) minor: i32,
}

/// A GPU of this machine.
#[derive(Clone, Debug)]
pub struct Device {
    /// Its name, such as `NVIDIA GeForce RTX 4090`.
    pub name: String,
    /// Its kind.
    pub gpu: Gpu,
    /// Its memory in bytes.
    pub n_bytes: usize,
}

impl Gpu {
    /// Every kind that TensorRT-RTX builds engines for.
    pub const ALL: [Self; 6] = [
        Self::new(7, 5),
        Self::new(8, 0),
        Self::new(8, 6),
        Self::new(8, 9),
        Self::new(12, 0),
        Self::new(12, 1),
    ];

    const fn new(major: i32, minor: i32) -> Self {
        Self { major, minor }
    }
}

/// The GPUs of this machine, in the order of the setting `device`.
///
/// # Errors
/// [`Error::Gpu`] if there is no driver, or it does not answer.
pub fn devices() -> Result<Vec<Device>> {
    // SAFETY: this only tries to load the driver's library. Asked first, because everything else panics without it.
    if !unsafe { sys::is_culib_present() } {
        return Err(Error::Gpu {
            reason: "there is no NVIDIA driver (libcuda.so.1 is not found); install it from your distribution, \
                     or use engine=cpu"
                .to_owned(),
        });
    }
    let refuse = |error: DriverError| Error::Gpu {
        reason: format!("the NVIDIA driver says: {error}; `nvidia-smi` may tell more"),
    };
    result::init().map_err(refuse)?;
    let n_devices = device::get_count().map_err(refuse)?;
    (0..n_devices).map(|idx| ask(idx).map_err(refuse)).collect()
}

/// Asks what a GPU is. No context is made for it, which takes time and memory of every GPU.
fn ask(idx: i32) -> std::result::Result<Device, DriverError> {
    let device = device::get(idx)?;
    let number = |which: sys::CUdevice_attribute| {
        // SAFETY: the driver gave the device.
        unsafe { device::get_attribute(device, which) }
    };
    Ok(Device {
        name: device::get_name(device)?,
        gpu: Gpu::new(
            number(sys::CUdevice_attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)?,
            number(sys::CUdevice_attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR)?,
        ),
        // SAFETY: as above.
        n_bytes: unsafe { device::total_mem(device)? },
    })
}

impl fmt::Display for Gpu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

impl FromStr for Gpu {
    type Err = Error;

    fn from_str(word: &str) -> Result<Self> {
        Self::ALL
            .into_iter()
            .find(|gpu| gpu.to_string() == word)
            .ok_or_else(|| Error::Setting {
                name: "gpu",
                found: word.to_owned(),
                wanted: "a compute capability: 7.5, 8.0, 8.6, 8.9, 12.0 or 12.1",
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_read_back_and_the_error_names_it() {
        for gpu in Gpu::ALL {
            assert_eq!(gpu.to_string().parse::<Gpu>().unwrap(), gpu);
            let error = "9".parse::<Gpu>().unwrap_err().to_string();
            assert!(error.contains(&gpu.to_string()), "{error}");
        }
    }

    #[test]
    fn without_a_driver_the_error_says_so() {
        match devices() {
            Ok(devices) => assert!(devices.iter().all(|device| device.n_bytes > 0)),
            Err(error) => assert!(error.to_string().contains("driver"), "{error}"),
        }
    }
}
