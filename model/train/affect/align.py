"""The crop rule: a similarity transform that puts the two eyes on the template.

Pixel coordinates name pixel centres: the centre of the first pixel is (0, 0).
Going down (a destination pixel covers more than one source pixel) the sample is
the mean over the destination pixel's footprint, taken as an axis-aligned box of
the footprint's own side around the mapped centre; going up it is bilinear. What
is outside the source repeats its edge. The firmware does the same in Go.
"""

import numpy as np
from numba import njit

SIZE = 112
RIGHT_EYE = (39.0, 47.0)  # the person's right eye, at the picture's left
LEFT_EYE = (73.0, 47.0)


def similarity(right_eye, left_eye, template=(RIGHT_EYE, LEFT_EYE)):
    """Returns [a, b, c, d, e, f]: x' = a*x + b*y + c, y' = d*x + e*y + f takes a
    destination pixel to the source pixel, so that the template's eyes meet the given ones."""
    (tx0, ty0), (tx1, ty1) = template
    t = complex(tx1 - tx0, ty1 - ty0)
    s = complex(left_eye[0] - right_eye[0], left_eye[1] - right_eye[1])
    m = s / t
    c = complex(right_eye[0], right_eye[1]) - m * complex(tx0, ty0)
    return np.array([m.real, -m.imag, c.real, m.imag, m.real, c.imag], np.float32)


@njit(cache=True, nogil=True)
def _tap(src, x, y):
    h, w = src.shape
    xi = min(max(x, 0), w - 1)
    yi = min(max(y, 0), h - 1)
    return np.float32(src[yi, xi])


@njit(cache=True, nogil=True)
def bilinear(src, x, y):
    x0 = int(np.floor(x))
    y0 = int(np.floor(y))
    u = np.float32(x - x0)
    v = np.float32(y - y0)
    top = _tap(src, x0, y0) * (1 - u) + _tap(src, x0 + 1, y0) * u
    low = _tap(src, x0, y0 + 1) * (1 - u) + _tap(src, x0 + 1, y0 + 1) * u
    return top * (1 - v) + low * v


@njit(cache=True, nogil=True)
def box(src, x, y, side):
    """Mean of src over the square of the given side around (x, y); each source
    pixel is a unit square around its centre and counts by the area covered."""
    xa = x - side / 2 + 0.5
    xb = x + side / 2 + 0.5
    ya = y - side / 2 + 0.5
    yb = y + side / 2 + 0.5
    total = np.float32(0)
    area = np.float32(0)
    for yy in range(int(np.floor(ya)), int(np.ceil(yb))):
        hy = min(yb, yy + 1.0) - max(ya, yy * 1.0)
        if hy <= 0:
            continue
        for xx in range(int(np.floor(xa)), int(np.ceil(xb))):
            hx = min(xb, xx + 1.0) - max(xa, xx * 1.0)
            if hx <= 0:
                continue
            k = np.float32(hx * hy)
            total += k * _tap(src, xx, yy)
            area += k
    return total / area


@njit(cache=True, nogil=True)
def sample(src, affine, out):
    """Fills out (h, w) float32 0..255 from a grey uint8 picture through the affine."""
    side = np.sqrt(abs(affine[0] * affine[4] - affine[1] * affine[3]))
    h, w = out.shape
    for v in range(h):
        for u in range(w):
            x = affine[0] * u + affine[1] * v + affine[2]
            y = affine[3] * u + affine[4] * v + affine[5]
            if side <= 1.0:
                out[v, u] = bilinear(src, x, y)
            else:
                out[v, u] = box(src, x, y, side)


def crop(src, right_eye, left_eye):
    """The aligned 112x112 crop of a grey picture, float32 0..255."""
    out = np.empty((SIZE, SIZE), np.float32)
    sample(np.ascontiguousarray(src), similarity(right_eye, left_eye), out)
    return out


def tensor(crop255, scale, zero_point, mean=127.5, std=127.5):
    """int8 input of the network for a crop of 0..255 values."""
    q = np.floor((crop255 - mean) / std / scale + zero_point + 0.5)
    return np.clip(q, -128, 127).astype(np.int8)
