"""The stabilizer's optical flow beside OpenCV's DIS: error against ground truth, and time, of the same pictures.

    python -m venv venv && venv/bin/pip install opencv-python-headless numpy
    cargo build --release
    venv/bin/python benches/flow_beside_dis.py --impasto target/release/impasto SCENE...

A SCENE is a folder with frames and ground truth as `impasto evaluate --help` describes. `impasto evaluate --flow` and
DIS take turns, one thread each; times are medians. DIS gets the luma that the largest level of our pyramid holds,
rounded to 8 bits, and once more half of that. Its flow is scaled to the frame bilinearly, as ours is. DIS builds its
pyramids within its time: `ms` of ours is the search and the pyramids of both pictures, `search` the search alone.
EPE is the mean end-point error in pixels of the frame, over pixels with known motion ("all") and over those that the
next frame shows, too ("vis"). Means over the pairs of a scene.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np

# engines/src/stabilizer/luma.rs: smallest side of the largest level, and the weights of BT.709.
MIN_SIDE_PX = 320
LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32)

# As flow_error.rs: runs per round whose median counts.
N_RUNS = 15
PRESETS = {
    "DIS fast": cv2.DISOPTICAL_FLOW_PRESET_FAST,
    "DIS medium": cv2.DISOPTICAL_FLOW_PRESET_MEDIUM,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scenes", nargs="+", type=Path, metavar="SCENE")
    parser.add_argument("--impasto", default="impasto", help="the program to run")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    print(f"OpenCV {cv2.__version__}, {arguments.rounds} rounds of {N_RUNS} runs, one thread each")
    names = ["ours", *(name + size for size in ("", " half") for name in PRESETS)]
    print(f"{'':<18}{'input':>10}{'ours':>28}" + "".join(f"{name:>22}" for name in names[1:]))
    print(
        f"{'scene':<18}{'':>10}{'all':>7}{'vis':>7}{'ms':>7}{'search':>7}"
        + f"{'all':>8}{'vis':>7}{'ms':>7}" * (len(names) - 1)
    )
    rows = [row(scene, arguments) for scene in arguments.scenes]
    rows.append(("mean", "", np.mean([values for _, _, values in rows], axis=0)))
    for name, size, values in rows:
        ours, dis = values[:4], values[4:]
        print(
            f"{name:<18}{size:>10}"
            + "{:7.2f}{:7.2f}{:7.2f}{:7.2f}".format(*ours)
            + "".join("{:8.2f}{:7.2f}{:7.2f}".format(*dis[at : at + 3]) for at in range(0, len(dis), 3))
        )


def row(folder, arguments):
    """Name, size of the input, and [all, vis, ms, search] of ours, then [all, vis, ms] of every DIS."""
    ours, theirs = [], []
    for _ in range(arguments.rounds):
        found = evaluate(folder, arguments.impasto)
        ours.append(
            [found["epe"], found["epe_visible"], found["flow_ms"] + found["pyramids_ms"], found["flow_ms"]]
        )
        per_pair = [dis(*truth(folder, pair["from"], pair["to"])) for pair in found["pairs"]]
        theirs.append(np.mean([values for _, values in per_pair], axis=0))
        height, width = per_pair[0][0]
    values = [statistics.median(column) for column in zip(*ours)]
    values += [statistics.median(column) for column in zip(*theirs)]
    return folder.resolve().name, f"{width}x{height}", values


def evaluate(folder, impasto):
    """What `impasto evaluate --flow` found; the paint does not matter and is kept small."""
    command = [impasto, "evaluate", folder, "--flow", "--json", "--processing-size=64"]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=False)
    if done.returncode != 0:
        sys.exit(f"impasto evaluate failed on {folder}")
    return json.loads(done.stdout)["styles"][0]["scenes"][0]["flow"]


def truth(folder, from_idx, to_idx):
    """Both frames, the true flow, and the masks of pixels that count: [known, visible]."""
    frames = sorted(folder.glob("frame_*.png"))
    older, newer = frames[from_idx], frames[to_idx]
    data = (folder / "gt" / older.with_suffix(".flo").name).read_bytes()
    width, height = np.frombuffer(data, "<i4", 2, 4)
    flow = np.frombuffer(data, "<f4", offset=12).reshape(height, width, 2)
    with np.errstate(invalid="ignore"):
        known = (np.abs(flow) <= 1e9).all(axis=2) & ~mask(folder, "invalid", older, flow)
    return read(older), read(newer), flow, [known, known & ~mask(folder, "occlusions", older, flow)]


def read(path):
    return cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)


def mask(folder, kind, frame, flow):
    path = folder / "gt" / kind / frame.name
    if not path.exists():
        return np.zeros(flow.shape[:2], bool)
    return cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) >= 128


def luma(frame, step):
    """Mean luma of squares of `step` pixels, 8 bits."""
    height, width = (side // step * step for side in frame.shape[:2])
    plane = frame[:height, :width].astype(np.float32) @ LUMA
    plane = plane.reshape(height // step, step, width // step, step).mean(axis=(1, 3))
    return np.rint(plane).astype(np.uint8)


def dis(older, newer, flow, masks):
    """Size of the input, and [all, vis, ms] of every preset at that size, then at half of it."""
    step = 1
    while min(older.shape[:2]) // (2 * step) >= MIN_SIDE_PX:
        step *= 2
    values = []
    for cell_px in (step, 2 * step):
        from_luma, to_luma = luma(older, cell_px), luma(newer, cell_px)
        for preset in PRESETS.values():
            search = cv2.DISOpticalFlow_create(preset)
            search.calc(from_luma, to_luma, None)
            times = []
            for _ in range(N_RUNS):
                start = time.perf_counter()
                found = search.calc(from_luma, to_luma, None)
                times.append(time.perf_counter() - start)
            error = np.linalg.norm(upsampled(found, cell_px, flow.shape) - flow, axis=2)
            values += [float(error[mask].mean()) for mask in masks]
            values.append(statistics.median(times) * 1e3)
    return luma(older, step).shape, values


def upsampled(found, step, shape):
    """Flow in pixels of the frame at every pixel of the frame."""
    if step == 1:
        return found
    place = lambda n: ((np.arange(n, dtype=np.float32) + 0.5) / step - 0.5)
    x, y = np.meshgrid(place(shape[1]), place(shape[0]))
    return cv2.remap(found, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE) * step


if __name__ == "__main__":
    main()
