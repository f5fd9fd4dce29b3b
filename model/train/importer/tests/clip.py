"""Faces for the tests: the demo clip's rendered head, moved and lit at random. No photograph is needed."""

import json
import os

import cv2
import numpy as np

from affect import blaze

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "..", "..", ".."))
ASSETS = os.path.join(ROOT, "model", "assets")
SIDE = 192


def frames(step):
    """Every step-th picture of the clip, RGB."""
    b = open(os.path.join(ASSETS, "demo.mjpeg"), "rb").read()
    start, n = 0, 0
    while start < len(b):
        end = b.find(b"\xff\xd9\xff\xd8", start)
        end = len(b) if end < 0 else end + 2
        if n % step == 0:
            yield cv2.imdecode(np.frombuffer(b[start:end], np.uint8), cv2.IMREAD_COLOR)[:, :, ::-1]
        start, n = end, n + 1


def faces(count, detector, seed=7):
    """(count, SIDE, SIDE, 3) uint8: the head with room around it, turned, moved, scaled, lit from a side."""
    r = np.random.default_rng(seed)
    find = blaze.Detector(detector)
    seen = []
    for f in frames(8):
        face = find(np.ascontiguousarray(f))
        if face is not None:
            seen.append((f, face[2][:2]))
    out = []
    yy, xx = np.mgrid[-1:1:SIDE * 1j, -1:1:SIDE * 1j].astype(np.float32)
    for i in range(count):
        f, eyes = seen[i % len(seen)]
        apart = np.linalg.norm(eyes[1] - eyes[0])
        k = apart / (SIDE * r.uniform(.22, .28)) * np.exp(1j * r.uniform(-.15, .15))
        c = complex(*eyes.mean(0)) - k * complex(SIDE * r.uniform(.46, .54), SIDE * r.uniform(.37, .43))
        a = np.array([[k.real, -k.imag, c.real], [k.imag, k.real, c.imag]], np.float32)
        x = cv2.warpAffine(f, a, (SIDE, SIDE), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE).astype(np.float32)
        light = 1 + r.uniform(-.35, .35) * xx + r.uniform(-.35, .35) * yy
        x = x * light[:, :, None] * r.uniform(.8, 1.2) * (1 + r.normal(0, .05, 3)) + r.normal(0, 2, x.shape)
        out.append(np.clip(x, 0, 255).astype(np.uint8))
    return np.array(out)
