#!/usr/bin/env python3
"""Time of a training step of impasto-train beside PyTorch's, at equal network, batch, crop, losses and precision (f32).

    pip install torch safetensors pillow numpy
    cargo build --release -p trainer
    benches/training_beside_pytorch.py --size best

Both train one style with live statistics, on pictures of noise and with random weights in the loss network: what is
computed does not matter here, only how much. The steps of both run in turn, three times; medians are printed.
"""

import argparse
import pathlib
import statistics
import subprocess
import tempfile
import time

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors.torch import save_file
from torch import nn

BATCH, CROP, MARGIN, PAD = 2, 192, 40, 16
PLANS = {  # block, widths on the way down, dilations in the trunk: trainer/src/net/plan.rs
    "fast": (2, [8, 16], [1, 2, 1, 2]),
    "balanced": (2, [16, 32], [1, 2, 1, 2]),
    "best": (2, [32, 64], [1, 2, 1, 2, 1]),
}
VGG = [(3, 64), (64, 64), (64, 128), (128, 128), (128, 256), (256, 256), (256, 256), (256, 512), (512, 512), (512, 512)]
VGG_NAMES = ["1_1", "1_2", "2_1", "2_2", "3_1", "3_2", "3_3", "4_1", "4_2", "4_3"]


class Unit(nn.Module):
    def __init__(self, n_in, n_out, stride=1, dilation=1, norm=True, relu=True):
        super().__init__()
        self.conv = nn.Conv2d(n_in, n_out, 3, stride, dilation, dilation, bias=not norm)
        self.norm = nn.InstanceNorm2d(n_out, affine=True) if norm else nn.Identity()
        self.relu = relu

    def forward(self, x):
        x = self.norm(self.conv(x))
        return F.relu(x) if self.relu else x


class Network(nn.Module):
    def __init__(self, block, widths, dilations):
        super().__init__()
        self.block = block
        ins = [3 * block * block] + widths[:-1]
        self.down = nn.Sequential(*(Unit(i, o, 1 if k == 0 else 2) for k, (i, o) in enumerate(zip(ins, widths))))
        n = widths[-1]
        self.trunk = nn.ModuleList(nn.Sequential(Unit(n, n, 1, d), Unit(n, n, relu=False)) for d in dilations)
        ups = widths[::-1]
        self.up = nn.ModuleList(Unit(i, o) for i, o in zip(ups, ups[1:]))
        self.head = Unit(widths[0], 3 * block * block, norm=False, relu=False)

    def forward(self, x):
        x = self.down(F.pixel_unshuffle(F.pad(x, (PAD,) * 4, mode="reflect") - 0.5, self.block))
        for block in self.trunk:
            x = x + block(x)
        for unit in self.up:
            x = unit(F.interpolate(x, scale_factor=2))
        return (F.pixel_shuffle(self.head(x), self.block) + 0.5)[:, :, PAD:-PAD, PAD:-PAD]


def features(vgg, x, n):
    found = {}
    for idx, (weight, bias) in enumerate(vgg[:n]):
        if idx in (2, 4, 7):
            x = F.max_pool2d(x, 2)
        x = F.relu(F.conv2d(x, weight, bias, padding=1))
        if idx in (1, 3, 6, 9):
            found[idx] = x
    return found


def gram(x):
    b, c, h, w = x.shape
    x = x.reshape(b, c, -1)
    return x @ x.transpose(1, 2) / (c * h * w)


def pytorch_step(size, stability):
    """A function that takes a step, as train/sample.rs does."""
    torch.manual_seed(0)
    net = Network(*PLANS[size]).to(memory_format=torch.channels_last)
    vgg = [(torch.randn(o, i, 3, 3).mul(0.05).to(memory_format=torch.channels_last), torch.zeros(o)) for i, o in VGG]
    optimiser = torch.optim.Adam(net.parameters(), 1e-3, betas=(0.9, 0.99))
    with torch.no_grad():
        wanted = [gram(f) for f in features(vgg, torch.rand(1, 3, 400, 400), 10).values()]
    lay = torch.channels_last

    def step():
        seen = torch.rand(BATCH, 3, CROP + 2 * MARGIN, CROP + 2 * MARGIN).contiguous(memory_format=lay)
        painted = net(seen)[:, :, MARGIN:-MARGIN, MARGIN:-MARGIN]
        photo = seen[:, :, MARGIN:-MARGIN, MARGIN:-MARGIN]
        crop = (slice(None), slice(None), slice(3, CROP - 5), slice(2, CROP - 6))
        found = features(vgg, painted[crop].contiguous(memory_format=lay), 10)
        with torch.no_grad():
            content = features(vgg, photo[crop].contiguous(memory_format=lay), 7)[6]
        loss = F.mse_loss(found[6], content) / (content**2).mean()
        loss = loss + sum(((gram(f) - g) ** 2).sum() / (g**2).sum() for f, g in zip(found.values(), wanted)) / BATCH
        loss = loss + ((painted[:, :, 1:] - painted[:, :, :-1]) ** 2).mean()
        if stability:
            loss = loss + stability * F.mse_loss(net(photo.contiguous(memory_format=lay)), painted)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()

    return step


def impasto_seconds(command, folder, size, stability, n_steps):
    """Median of the time of a step, over lines of 20 steps."""
    (folder / "gallery.toml").write_text(
        f"[sizes.{size}]\nbatch = {BATCH}\ncrop = {CROP}\nn_live = {n_steps}\nn_frozen = 0\n"
        f"stability = [{stability:.1f}, {stability:.1f}]\n"
        # The identity, which comes to every list, spares the loss network: it is to be rare.
        + "".join(f'[[style]]\nname = "noise-{idx}"\npainting = "painting.png"\ntitle = ""\nartist = ""\nyear = ""\n'
                  'licence = ""\nshort_side = 400\nstyle = 1.0\n' for idx in range(31)))
    with tempfile.TemporaryDirectory(dir=folder) as out:
        subprocess.run([command, "base", folder / "gallery.toml", "--size", size, "--photos", folder / "photos", "--paintings",
                        folder, "--vgg", folder / "vgg.safetensors", "-o", out], check=True, stderr=subprocess.DEVNULL)
        lines = (pathlib.Path(out) / "losses.csv").read_text().split()[1:]
    seconds = [float(line.split(",")[-1]) for line in lines]
    return statistics.median((b - a) / 20 for a, b in zip(seconds, seconds[1:]))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=PLANS, default="balanced")
    parser.add_argument("--impasto-train", default="target/release/impasto-train")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--stability", type=float, default=10.0, help="0 leaves the second look out")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        (folder / "photos").mkdir()
        noise = np.random.default_rng(0)
        for idx in range(8):
            Image.fromarray(noise.integers(0, 255, (400, 400, 3), np.uint8)).save(folder / f"photos/{idx}.png")
        Image.fromarray(noise.integers(0, 255, (400, 400, 3), np.uint8)).save(folder / "painting.png")
        weights = {}
        for layer, (n_in, n_out) in zip(VGG_NAMES, VGG):
            weights[f"conv{layer}.weight"] = torch.randn(n_out, n_in, 3, 3) * 0.05
            weights[f"conv{layer}.bias"] = torch.zeros(n_out)
        save_file(weights, folder / "vgg.safetensors")
        step = pytorch_step(args.size, args.stability)
        step()
        theirs, ours = [], []
        for _ in range(3):
            for _ in range(6):
                start = time.monotonic()
                step()
                theirs.append(time.monotonic() - start)
            ours.append(impasto_seconds(args.impasto_train, folder, args.size, args.stability, 60))
    theirs, ours = statistics.median(theirs), statistics.median(ours)
    print(f"{args.size}, batch {BATCH}, crop {CROP}, f32, {args.threads} threads: PyTorch {torch.__version__} {theirs:.2f} s, "
          f"impasto-train {ours:.2f} s a step: {ours / theirs:.2f}")


if __name__ == "__main__":
    main()
