#!/usr/bin/env python3
"""Makes the PTX of every kernel here. It needs neither a GPU nor CUDA, only NVRTC from its wheel:

    pip download --no-deps nvidia-cuda-nvrtc-cu12==12.0.140
    ./compile.py nvidia_cuda_nvrtc_cu12-12.0.140-py3-none-manylinux1_x86_64.whl

NVRTC is an old one on purpose: drivers refuse PTX of a newer version than they know. The first line of a PTX file names the
sources it was made from by a hash of their bytes (FNV-1a, 64 bits); a test compares them.
"""

import ctypes
import pathlib
import sys
import tempfile
import zipfile

HERE = pathlib.Path(__file__).parent
HEADER = HERE / "kernel.cuh"
OPTIONS = ["--gpu-architecture=compute_75", "--std=c++17"]


def load(wheel: pathlib.Path, folder: pathlib.Path) -> ctypes.CDLL:
    with zipfile.ZipFile(wheel) as files:
        for name in files.namelist():
            if ".so" in name:
                (folder / pathlib.PurePath(name).name).write_bytes(files.read(name))
    # The compiler looks for its built-in functions beside itself.
    for library in sorted(folder.glob("libnvrtc-builtins.so*")):
        ctypes.CDLL(str(library), mode=ctypes.RTLD_GLOBAL)
    return ctypes.CDLL(str(next(folder.glob("libnvrtc.so*"))))


def compile_ptx(nvrtc: ctypes.CDLL, source: pathlib.Path) -> str:
    program = ctypes.c_void_p()
    text = source.read_bytes()
    headers = (ctypes.c_char_p * 1)(HEADER.read_bytes())
    names = (ctypes.c_char_p * 1)(HEADER.name.encode())
    check(nvrtc.nvrtcCreateProgram(ctypes.byref(program), text, source.name.encode(), 1, headers, names))
    words = (ctypes.c_char_p * len(OPTIONS))(*[option.encode() for option in OPTIONS])
    outcome = nvrtc.nvrtcCompileProgram(program, len(OPTIONS), words)
    if outcome:
        size = ctypes.c_size_t()
        nvrtc.nvrtcGetProgramLogSize(program, ctypes.byref(size))
        log = ctypes.create_string_buffer(size.value)
        nvrtc.nvrtcGetProgramLog(program, log)
        sys.exit(log.value.decode())
    size = ctypes.c_size_t()
    check(nvrtc.nvrtcGetPTXSize(program, ctypes.byref(size)))
    ptx = ctypes.create_string_buffer(size.value)
    check(nvrtc.nvrtcGetPTX(program, ptx))
    return ptx.value.decode()


def fnv_1a(data: bytes) -> int:
    digest = 0xCBF29CE484222325
    for byte in data:
        digest = (digest ^ byte) * 0x100000001B3 % 2**64
    return digest


def check(outcome: int) -> None:
    if outcome:
        sys.exit(f"NVRTC failed with error {outcome}")


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    with tempfile.TemporaryDirectory() as folder:
        nvrtc = load(pathlib.Path(sys.argv[1]), pathlib.Path(folder))
        for source in sorted(HERE.glob("*.cu")):
            digest = fnv_1a(HEADER.read_bytes() + source.read_bytes())
            target = source.with_suffix(".ptx")
            target.write_text(f"// {digest:016x}\n{compile_ptx(nvrtc, source)}")
            print(f"{target.name}: {target.stat().st_size} bytes")


main()
