"""From a stored picture and its eyes to a training crop: jitter, alignment, disturbance."""

import cv2
import numpy as np

from . import align, occlude
from .align import LEFT_EYE, RIGHT_EYE, SIZE

_MID = ((RIGHT_EYE[0] + LEFT_EYE[0]) / 2, (RIGHT_EYE[1] + LEFT_EYE[1]) / 2)
_UNIT = LEFT_EYE[0] - RIGHT_EYE[0]


def jitter(r, amount=1.):
    """3x3: crop pixel -> crop pixel of the unjittered template. The two eyes decide turn, scale and
    shift; the spreads are those of BlazeFace's eyes on rendered faces (.07 of the eyes' distance
    for their middle, and for one against the other)."""
    a = np.clip(r.normal() * .07, -.2, .2) * amount
    s = np.exp(np.clip(r.normal() * .075, -.2, .2) * amount)
    c, n = np.cos(a) * s, np.sin(a) * s
    flip = -1. if r.random() < .5 else 1.
    x0, y0 = _MID
    tx, ty = r.normal(size=2) * 2.2 * amount
    # about the eyes' middle: turn, scale, mirror, shift
    m = np.array([[c * flip, -n, 0], [n * flip, c, 0], [0, 0, 1]])
    return np.array([[1, 0, x0 + tx], [0, 1, y0 + ty], [0, 0, 1]]) @ m @ np.array([[1, 0, -x0], [0, 1, -y0], [0, 0, 1]])


def face_frame(j):
    """2x3: the face's frame (eyes at (-.5, 0) and (.5, 0)) -> pixels of a crop jittered by j."""
    inv = np.linalg.inv(j)
    base = np.array([[_UNIT, 0, _MID[0]], [0, _UNIT, _MID[1]], [0, 0, 1]])
    return (inv @ base)[:2].astype(np.float32)


def sample(img, eyes, r, sharp=True, plain=False, covered=.3, strength=1.):
    """One training crop (112, 112) float32 0..255 and its visibility targets [eyes, mouth].

    sharp: the picture is finer than the crop, so that it may be made coarser; strength, 0..1:
    how often something covers or disturbs it, and half of how far the eyes are off."""
    out = np.empty((SIZE, SIZE), np.float32)
    a = align.similarity(eyes[0], eyes[1]).astype(np.float64)
    if plain:
        align.sample(img, a.astype(np.float32), out)
        return out, [1., 1.]
    j = jitter(r, .5 + .5 * strength)
    m = (np.array([[a[0], a[1], a[2]], [a[3], a[4], a[5]], [0, 0, 1]]) @ j)[:2].ravel()
    align.sample(img, m.astype(np.float32), out)
    vis = [1., 1.]
    c = occlude.Canvas(out, face_frame(j))
    if r.random() < .5:  # light from one side
        gx, gy = r.normal(size=2) * .003
        out *= (1 + np.float32(gx) * (np.arange(SIZE, dtype=np.float32) - 56))[None, :] * (1 + np.float32(gy) * (np.arange(SIZE, dtype=np.float32) - 56))[:, None]
    if r.random() < covered * strength:
        occlude.worn(c, r)
        vis = c.visibility()
    if r.random() < .15 * strength:
        occlude.PLANT[int(r.integers(len(occlude.PLANT)))](c, r)
    if sharp and r.random() < .3 * strength:
        n = int(r.integers(28, 90))
        out = cv2.resize(cv2.resize(c.img, (n, n), interpolation=cv2.INTER_AREA), (SIZE, SIZE), interpolation=cv2.INTER_LINEAR)
    else:
        out = c.img
        if r.random() < .15:
            out = cv2.GaussianBlur(out, (0, 0), r.uniform(.4, 1.6))
    if r.random() < .3:
        g = np.exp(r.normal() * .25)
        out = np.power(np.clip(out, 0, 255) * np.float32(1 / 255), np.float32(g)) * np.float32(255)
    gain, off = np.exp(r.normal() * .22), r.normal() * 14
    mean = float(out.mean())
    out = (out - np.float32(mean)) * np.float32(gain) + np.float32(mean + off)
    if r.random() < .4:
        noise = r.integers(-128, 128, (SIZE, SIZE), dtype=np.int8).astype(np.float32)
        out = out + noise * np.float32(r.uniform(0, .12))
    return np.clip(out, 0, 255), vis
