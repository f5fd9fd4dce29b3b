"""What the shipped network says about the demo clip, event by event: the whole path in Python
(detector, alignment, int8 network), to see that units rise when they are shown."""

import json
import os

import cv2
import numpy as np

from . import AUS, EXPRESSIONS, blaze, export
from .align import crop


def pictures(path):
    """The JPEG pictures of a motion JPEG file, grey."""
    b = open(path, "rb").read()
    start = 0
    while start < len(b):
        end = b.find(b"\xff\xd9\xff\xd8", start)
        end = len(b) if end < 0 else end + 2
        yield cv2.imdecode(np.frombuffer(b[start:end], np.uint8), cv2.IMREAD_GRAYSCALE)
        start = end


def events(assets, detector):
    """[(event name, {unit: mean probability}, commonest expression, mean visibility, faces, frames)]."""
    cv2.setNumThreads(1)
    card = json.load(open(os.path.join(assets, "affect.json")))
    side = json.load(open(os.path.join(assets, "demo.json")))
    net = export.Runner(open(os.path.join(assets, "affect.tflite"), "rb").read())
    find = blaze.Detector(detector)
    out = card["outputs"]
    rows = []
    for i, img in enumerate(pictures(os.path.join(assets, "demo.mjpeg"))):
        face = find(img)
        if face is None:
            rows.append(None)
            continue
        y = net([crop(img, face[2][0], face[2][1])])
        take = lambda n: y[out[n]["index"]][0]
        rows.append((1 / (1 + np.exp(-take("action_units"))), int(take("expression").argmax()), np.tanh(take("valence_arousal")), 1 / (1 + np.exp(-take("visibility")))))
    table = []
    for e in side["events"]:
        a, b = int((e["start"] + .4) * side["fps"]), int((e["end"] - .4) * side["fps"])
        seen = [r for r in rows[a:b] if r is not None]
        if not seen:
            table.append((e["name"], {}, None, None, 0, b - a))
            continue
        au = np.mean([r[0] for r in seen], 0)
        table.append((e["name"], dict(zip(AUS, au.round(2).tolist())), EXPRESSIONS[np.bincount([r[1] for r in seen]).argmax()],
                      np.mean([r[3] for r in seen], 0).round(2).tolist(), len(seen), b - a))
    return table
