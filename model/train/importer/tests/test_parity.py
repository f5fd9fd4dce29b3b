"""The importer aligns faces as the unit does: against the fixture of affect/parity.py, which the unit's own
test reads too, and in colour against one that the unit's test reads (model/affect/parity_test.go).
Run as a program it writes the colour fixture."""

import json
import os

import numpy as np

from importer import faces

HERE = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "..", "testdata", "parity"))


def fixture():
    with open(os.path.join(HERE, "parity.json")) as f:
        return json.load(f)


def picture(name):
    with open(os.path.join(HERE, name), "rb") as f:
        head, pixels = f.read().split(b"\n255\n", 1)
    w, h = (int(v) for v in head.split(b"\n")[1].split())
    return np.frombuffer(pixels, np.uint8).reshape(h, w)


def quantised(x, mean, std, scale, zero):
    return np.clip(np.floor((x - np.float32(mean)) / np.float32(std) / scale + zero + .5), -128, 127).astype(np.int8)


def test_grey():
    p = fixture()
    at = p["template"]["right_eye"], p["template"]["left_eye"]
    for c in p["cases"]:
        x = faces.align(picture(c["picture"]), (c["right_eye"], c["left_eye"]), (p["height"], p["width"]), at)
        want = np.fromfile(os.path.join(HERE, c["tensor"]), np.int8).reshape(x.shape)
        assert np.abs(quantised(x, p["mean"], p["std"], p["scale"], p["zero_point"]).astype(int) - want).max() <= p["tolerance"], c["picture"]


def colour():
    """What colour.json states, and the tensor: the first three pictures as red, green and blue of one, at the eyes of each."""
    p = fixture()
    cases = p["cases"][:3]
    image = np.stack([picture(c["picture"]) for c in cases], 2)
    mean, std = faces.PREPROCESSING["imagenet"]
    told = {"width": 112, "height": 112, "channels": 3, "mean": mean, "std": std, "scale": .0187, "zero_point": -15, "tolerance": 1,
            "template": dict(zip(("right_eye", "left_eye"), faces.template((112, 112)))), "planes": [c["picture"] for c in cases],
            "cases": [{"right_eye": c["right_eye"], "left_eye": c["left_eye"], "tensor": f"colour-{c['tensor']}"} for c in cases]}
    at = told["template"]["right_eye"], told["template"]["left_eye"]
    tensors = [quantised(faces.align(image, (c["right_eye"], c["left_eye"]), (112, 112), at), mean, std, told["scale"], told["zero_point"]) for c in told["cases"]]
    return told, tensors


def test_colour():
    told, tensors = colour()
    with open(os.path.join(HERE, "colour.json")) as f:
        assert json.load(f) == json.loads(json.dumps(told))
    for c, x in zip(told["cases"], tensors):
        want = np.fromfile(os.path.join(HERE, c["tensor"]), np.int8).reshape(112, 112, 3)
        assert np.abs(x.astype(int) - want).max() <= 1 and want.std((0, 1)).min() > 10, c["tensor"]


def test_far_outside():
    x = faces.align(np.array([[10, 20], [30, 40]], np.uint8), ((-500., -500.), (-400., -500.)), (16, 16), ((4, 8), (12, 8)))
    assert (x == 10).all()


if __name__ == "__main__":
    told, tensors = colour()
    for c, x in zip(told["cases"], tensors):
        x.tofile(os.path.join(HERE, c["tensor"]))
    with open(os.path.join(HERE, "colour.json"), "w") as f:
        f.write(json.dumps(told, indent=1) + "\n")
