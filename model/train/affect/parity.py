"""The fixture that holds the crop rule in Python and in Go together: pictures of our own
rendering, their eyes, and the int8 tensors that this side makes of them."""

import json
import os

import cv2
import numpy as np

from . import align, head as heads

SCALE, ZERO = 0.007843137718737125, -1  # of the network's input: 2/255 in float32

# name, eye distance in pixels, centre of the eyes, head turn (yaw, pitch, roll)
CASES = (("down", 62., (170., 96.), (.15, .05, .0)), ("up", 23., (118., 120.), (-.2, .0, .05)),
         ("turned", 44., (150., 110.), (.1, -.1, .38)), ("edge", 52., (40., 44.), (.0, .1, -.15)))


def make(data, folder, log=print):
    cv2.setNumThreads(1)
    os.makedirs(folder, exist_ok=True)
    head = heads.Head(heads.default_path(data))
    rows = []
    for i, (name, eye, centre, turn) in enumerate(CASES):
        r = np.random.default_rng(40 + i)
        w, au, _ = heads.draw_expression(head, r)
        img, eyes, _ = heads.view(head, head.person(702_000 + i), w, {}, heads.rotation(*turn), eye, centre, (240, 320), heads.draw_lights(r), 60,
                                  background=heads.backdrop(r, 240, 320))
        eyes = np.round(eyes.astype(np.float64), 3)
        crop = align.crop(img, *eyes)
        tensor = align.tensor(crop, SCALE, ZERO)
        with open(os.path.join(folder, name + ".pgm"), "wb") as f:
            f.write(b"P5\n320 240\n255\n" + img.tobytes())
        with open(os.path.join(folder, name + ".i8"), "wb") as f:
            f.write(tensor.tobytes())
        rows.append({"picture": name + ".pgm", "right_eye": eyes[0].tolist(), "left_eye": eyes[1].tolist(),
                     "affine": [float(v) for v in align.similarity(*eyes)], "tensor": name + ".i8"})
    with open(os.path.join(folder, "parity.json"), "w") as f:
        json.dump({"width": align.SIZE, "height": align.SIZE, "channels": 1, "mean": 127.5, "std": 127.5, "scale": SCALE, "zero_point": ZERO,
                   "template": {"right_eye": align.RIGHT_EYE, "left_eye": align.LEFT_EYE}, "tolerance": 1, "cases": rows}, f, indent=1)
        f.write("\n")
    log(f"{folder}: {len(rows)} cases")
