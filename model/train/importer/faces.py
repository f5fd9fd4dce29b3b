"""Faces for calibration: aligned as the unit aligns them, in the network's own colours and scale."""

import os

os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(32 << 20))  # before it is loaded: a picture of more is not decoded

import cv2
import numpy as np

from affect import blaze

from . import Refused

# Mean and standard deviation of 0..255 values, by what HSEmotion trained with.
PREPROCESSING = {
    "none": ((0.,) * 3, (1.,) * 3),      # 0..255 as it is
    "unit": ((0.,) * 3, (255.,) * 3),    # 0..1
    "half": ((127.5,) * 3, (127.5,) * 3),
    "imagenet": ((123.675, 116.28, 103.53), (58.395, 57.12, 57.375)),
}
# Where 112x112 aligned faces have the eyes (the five-point template of the ArcFace crops, which
# ABAW's aligned faces follow), the person's right eye first.
TEMPLATE_112 = ((38.29, 51.70), (73.53, 51.50))
KINDS = (".jpg", ".jpeg", ".png", ".bmp", ".webp")
LEAST = 20
LARGEST = 64 << 20  # bytes of a picture's file


def template(size, given=None):
    """((x, y), (x, y)) of the eyes in an input of (height, width)."""
    if given:
        return (given[0], given[1]), (given[2], given[3])
    h, w = size
    k = min(h, w) / 112
    # Centres of pixels scale about the picture's corner, half a pixel before the first centre.
    place = lambda p: (round((p[0] + .5) * k - .5 + (w - 112 * k) / 2, 2), round((p[1] + .5) * k - .5 + (h - 112 * k) / 2, 2))
    return place(TEMPLATE_112[0]), place(TEMPLATE_112[1])


def align(picture, eyes, size, eyes_at):
    """The aligned crop (h, w[, 3]) of 0..255 values as float32, by the unit's rule (affect/align.py): the
    mean over the square that a pixel stands for, at least one pixel wide, beyond the edge the edge
    repeated. A table of the sums of all pixels above and left gives the mean at once."""
    (x0, y0), (x1, y1) = eyes_at
    m = complex(*(np.subtract(eyes[1], eyes[0]))) / complex(x1 - x0, y1 - y0)
    c = complex(*eyes[0]) - m * complex(x0, y0)
    v, u = np.mgrid[:size[0], :size[1]]
    side = max(abs(m), 1.)
    left, top = m.real * u - m.imag * v + c.real + .5 - side / 2, m.imag * u + m.real * v + c.imag + .5 - side / 2
    h, w = picture.shape[:2]
    edge = int(max(0, -left.min(), -top.min(), left.max() + side - w, top.max() + side - h)) + 2
    wide = np.pad(picture, ((edge, edge), (edge, edge)) + ((0, 0),) * (picture.ndim - 2), mode="edge")
    sums = np.zeros((wide.shape[0] + 1, wide.shape[1] + 1, *wide.shape[2:]))
    sums[1:, 1:] = wide.cumsum(0, dtype=np.float64).cumsum(1)

    def above(x, y):  # of pixels and parts of pixels
        x, y = x + edge, y + edge
        i, j = np.floor(x).astype(int), np.floor(y).astype(int)
        fx, fy = (p.reshape(p.shape + (1,) * (picture.ndim - 2)) for p in (x - i, y - j))
        return (sums[j, i] * (1 - fx) + sums[j, i + 1] * fx) * (1 - fy) + (sums[j + 1, i] * (1 - fx) + sums[j + 1, i + 1] * fx) * fy

    total = above(left + side, top + side) - above(left, top + side) - above(left + side, top) + above(left, top)
    return (total / side ** 2).astype(np.float32)


class Faces144:
    """Real faces of the training data: ../shared/data/faces144.npz as it is, or as model/train prepared it."""

    def __init__(self, path):
        d = np.load(path)
        self.labels = {}
        if "image" in d.files:
            self.image, self.eyes = d["image"], d["eyes"]
            self.labels = {k: d[k] for k in ("blend", "gap", "presence", "split", "person")}
        else:
            self.jpeg, self.offset, self.eyes, self.image = d["jpeg"], d["offset"], d["keypoints"][:, :2], None

    def __len__(self):
        return len(self.eyes)

    def __getitem__(self, i):
        if self.image is not None:
            return self.image[i], self.eyes[i]
        return cv2.imdecode(self.jpeg[self.offset[i]:self.offset[i + 1]], cv2.IMREAD_GRAYSCALE), self.eyes[i]


def tinted(grey, r):
    """Grey to RGB with a colour cast like skin's under some lamp: the networks read colour, the
    pictures have none, and scales set on pure grey would be too narrow."""
    warm = np.array([1.12, .97, .85], np.float32) + r.normal(0, .07, 3).astype(np.float32)
    return np.clip(grey[:, :, None] * warm * np.float32(r.uniform(.7, 1.25)), 0, 255)


def of_training(data, count, size, eyes_at, channels, seed=5):
    """(count, h, w, channels) crops of Faces144 data, 0..255; three of four tinted and lit at random."""
    r = np.random.default_rng(seed)
    out = []
    for i in r.permutation(len(data))[:count]:
        picture, eyes = data[i]
        x = align(picture, eyes, size, eyes_at)
        x = x[:, :, None] if channels == 1 else np.repeat(x[:, :, None], 3, 2) if len(out) % 4 == 0 else tinted(x, r)
        out.append(x[:, ::-1] if r.random() < .5 else x)
    return np.array(out, np.float32)


def of_folder(folder, detector, count, size, eyes_at, channels, log, seed=5):
    """The same from a user's folder of pictures with faces; log gets what was left out."""
    if not os.path.isdir(folder):
        raise Refused(f"{folder}: there is no such folder of face pictures")
    paths = sorted(os.path.join(d, f) for d, _, files in os.walk(folder) for f in files if f.lower().endswith(KINDS))
    if not paths:
        raise Refused(f"{folder}: no picture in it ({', '.join(KINDS)})")
    r = np.random.default_rng(seed)
    find, out, unread, without = blaze.Detector(detector), [], 0, 0
    for n, i in enumerate(r.permutation(len(paths))):
        if len(out) == count:
            break
        if n and n % 200 == 0:
            log(f"  {n} of {len(paths)} pictures looked at, {len(out)} faces")
        picture = read(paths[i], cv2.IMREAD_COLOR if channels == 3 else cv2.IMREAD_GRAYSCALE)
        if picture is None:
            unread += 1
            continue
        if channels == 3:
            picture = picture[:, :, ::-1].copy()
        # A picture may be nothing but the face, which the detector wants with some room around it.
        face = find(picture) or find(picture, side=1.6 * max(picture.shape[:2]), border=cv2.BORDER_REPLICATE)
        if face is None:
            without += 1
            continue
        x = align(picture, face[2][:2], size, eyes_at)
        out.append(x[:, :, None] if x.ndim == 2 else x)
    if unread or without:
        log(f"  {folder}: {unread} files could not be read, {without} have no face")
    if len(out) < LEAST:
        raise Refused(f"{folder}: {len(out)} faces found in {len(paths)} pictures, at least {LEAST} are needed to set the scales")
    return np.array(out, np.float32)


def read(path, how):
    """The picture, or None: what is no file (a pipe would be waited for), is too large or no picture."""
    if not os.path.isfile(path) or os.path.getsize(path) > LARGEST:
        return None
    try:
        return cv2.imread(path, how)
    except cv2.error:  # more pixels than are decoded
        return None


def stretched(pictures):
    """The pictures, the first stretched from black to white: the input's scale then covers every value.
    Painted black and white corners would do the same and, by their sharp edges, also widen the scales
    of all that follows: an EfficientNet of random weights lost half its int8 agreement to them."""
    out = pictures.copy()
    lo, hi = out[0].min(), out[0].max()
    out[0] = (out[0] - lo) * (255 / max(hi - lo, 1))
    return out


def normalised(pictures, mean, std):
    """0..255 values as the network takes them."""
    return ((pictures - np.float32(mean)) / np.float32(std)).astype(np.float32)
