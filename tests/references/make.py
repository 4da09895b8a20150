"""Writes the reference pictures: bunny.png through third-party networks, run by ONNX Runtime in f32.

usage: make.py FOLDER, with the networks in FOLDER/models. Needs onnxruntime, numpy and pillow.
"""

import pathlib
import sys

import numpy
import onnxruntime
from PIL import Image

# File, is BGR, value of white at input and output. What the files say of themselves, or their makers.
NETWORKS = [
    ("johnson_candy_nc16", True, 255.0),
    ("gnsmrky_mosaic_nc16", False, 255.0),
    ("gnsmrky_mosaic_nc8_256x256", False, 255.0),
    ("lengstrom_wave", False, 255.0),
    ("reconet_sd1_mosaic", False, 255.0),
    ("multistyle26", False, 1.0),
]
STYLE_WEIGHTS = numpy.eye(26, dtype=numpy.float32)[3]


def main():
    here = pathlib.Path(__file__).parent
    photo = numpy.asarray(Image.open(here / "bunny.png").convert("RGB"))
    for name, is_bgr, white in NETWORKS:
        path = pathlib.Path(sys.argv[1]) / "models" / f"{name}.onnx"
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        picture = photo
        is_fixed = name.endswith("256x256")
        if is_fixed:
            picture = picture.repeat(2, axis=0).repeat(2, axis=1)
        if is_bgr:
            picture = picture[:, :, ::-1]
        first, *others = session.get_inputs()
        values = picture.astype(numpy.float32) * (white / 255)
        feed = {first.name: numpy.ascontiguousarray(values.transpose(2, 0, 1)[None])}
        feed |= {other.name: STYLE_WEIGHTS for other in others}
        painted = session.run(None, feed)[0][0].transpose(1, 2, 0) * (255 / white)
        painted = painted.clip(0, 255).round().astype(numpy.uint8)
        if is_bgr:
            painted = painted[:, :, ::-1]
        if is_fixed:
            # The middle: the whole would be larger than a file here may be.
            painted = painted[64:192, 64:192]
        Image.fromarray(painted).save(here / f"{name}.png", optimize=True)


main()
