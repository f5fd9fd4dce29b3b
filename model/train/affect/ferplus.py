"""FER+: vote labels, removal of copies, eye points and the teacher's marks.

The set hides copies: byte-equal pictures, near-equal ones, and other crops of the same
photograph. Of equal or near-equal pictures one is kept (test before validation before
training); training pictures that are other crops of a validation or test photograph go.
"""

import hashlib
import os
import zipfile
from collections import defaultdict

import cv2
import numpy as np

from . import blaze

NEAR = 0.985   # cosine of the 16x16 mean-removed pictures, straight or mirrored
RECROP = 0.92  # normalised cross-correlation of the middle against the other, over shift and scale
MEAN_EYES = np.array([[15.3, 18.4], [32.1, 18.2]], np.float32)  # where no detector finds the face


def majority(votes):
    """FER+'s own rule: single votes dropped, the winner needs more than half, and must be
    one of the eight expressions; else -1."""
    v = np.where(votes < 1.5, 0, votes)
    top = v.max(1)
    best = v.argmax(1)
    return np.where((top > .5 * v.sum(1)) & (best < 8) & (top > 0), best, -1)


def soft(votes):
    """Soft labels over the eight expressions, and whether the picture has one at all."""
    v = np.where(votes < 1.5, 0, votes).astype(np.float32)
    ok = (v[:, :8].sum(1) > 0) & (v.argmax(1) < 8)
    return v[:, :8] / np.maximum(v[:, :8].sum(1, keepdims=True), 1e-6), ok


def groups(images):
    """For every picture the first index of its group of equal or near-equal pictures."""
    n = len(images)
    parent = np.arange(n)

    def root(a):
        while parent[a] != a:
            parent[a] = parent[parent[a]]
            a = parent[a]
        return a

    def join(a, b):
        a, b = root(a), root(b)
        if a != b:
            parent[max(a, b)] = min(a, b)

    seen = {}
    for i, im in enumerate(images):
        h = hashlib.sha256(im.tobytes()).digest()
        if h in seen:
            join(seen[h], i)
        else:
            seen[h] = i
    side = images.shape[1] // 16
    q = images.reshape(n, 16, side, 16, side).mean((2, 4), dtype=np.float32)

    def unit(a):
        a = a.reshape(n, -1)
        a = a - a.mean(1, keepdims=True)
        return a / (np.linalg.norm(a, axis=1, keepdims=True) + 1e-6)

    f, mirror = unit(q), unit(q[:, :, ::-1])
    for start in range(0, n, 2048):
        for g in (f, mirror):
            a, b = np.nonzero(f[start:start + 2048] @ g.T > NEAR)
            for x, y in zip(a + start, b):
                if x < y:
                    join(x, y)
    return np.array([root(i) for i in range(n)])


def recrops(held, others, candidates=25):
    """For every picture of held the best correlation with one of others under shift and scale,
    and that picture's index: other crops of one photograph."""
    def embed(ims):
        e = np.stack([cv2.resize(cv2.GaussianBlur(x, (0, 0), 2.5), (12, 12), interpolation=cv2.INTER_AREA) for x in ims])
        e = e.reshape(len(ims), -1).astype(np.float32)
        e -= e.mean(1, keepdims=True)
        return e / (np.linalg.norm(e, axis=1, keepdims=True) + 1e-6)

    score = np.zeros(len(held), np.float32)
    match = np.full(len(held), -1)
    every = defaultdict(list)
    eo = embed(others)
    for flip in (False, True):
        ims = held[:, :, ::-1] if flip else held
        near = np.argpartition(-(embed(ims) @ eo.T), candidates, axis=1)[:, :candidates]
        for i, im in enumerate(ims):
            core = [cv2.resize(im[7:41, 7:41], (int(round(34 * s)),) * 2, interpolation=cv2.INTER_AREA if s < 1 else cv2.INTER_LINEAR)
                    for s in (.88, 1., 1.14)]
            for j in near[i]:
                v = max(float(cv2.matchTemplate(others[j], p, cv2.TM_CCOEFF_NORMED).max()) for p in core)
                if v >= RECROP:
                    every[i].append(int(j))
                if v > score[i]:
                    score[i], match[i] = v, j
    return score, match, every


def _inspect(job):
    images, detector, task = job
    cv2.setNumThreads(1)
    find, mark = blaze.Detector(detector), blaze.Landmarker(task)
    n = len(images)
    eyes = np.repeat(MEAN_EYES[None], n, 0)
    found = np.zeros(n, bool)
    presence, gap, blend = np.zeros(n, np.float32), np.zeros(n, np.float32), np.zeros((n, 52), np.float32)
    for i, im in enumerate(images):
        face = None
        for side in (66, 88, 58):
            face = find(im, side, cv2.BORDER_REPLICATE)
            if face:
                break
        centre, size, angle = (23.5, 25.), 66., 0.
        if face and 9 < np.linalg.norm(face[2][1] - face[2][0]) < 28:
            (x, y, w, h), k = face[1], face[2]
            eyes[i], found[i] = k[:2], True
            centre, size, angle = (x + w / 2, y + h / 2), 1.5 * max(w, h), np.arctan2(k[1, 1] - k[0, 1], k[1, 0] - k[0, 0])
        pts, presence[i], blend[i] = mark(im, centre, size, angle)
        gap[i] = mark.lip_gap(pts)
        if not found[i] and presence[i] > .5:
            e = mark.eyes(pts)
            if 9 < np.linalg.norm(e[1] - e[0]) < 28:
                eyes[i], found[i] = e, True
    return eyes, found, presence, gap, blend


def prepare(work, data, pool, log=print):
    """Writes WORK/ferplus.npz: image, votes, split, eyes, found, presence, gap, blend; what was
    dropped is in its `dropped` counts."""
    path = os.path.join(work, "ferplus.npz")
    if os.path.exists(path):
        return path
    d = np.load(os.path.join(data, "ferplus.npz"))
    images, votes, split = d["image"], d["votes"].astype(np.float32), d["split"].copy()
    log("FER+: equal and near-equal pictures")
    g = groups(images)
    members = defaultdict(list)
    for i, k in enumerate(g):
        members[k].append(i)
    keep, v = [], []
    for m in members.values():
        m.sort(key=lambda i: (-int(split[i]), i))
        keep.append(m[0])
        v.append(votes[m].mean(0) if split[m[0]] == 0 else votes[m[0]])
    order = np.argsort(keep)
    keep, v = np.array(keep)[order], np.array(v)[order]
    images, split, number = images[keep], split[keep], d["name"][keep]
    copies = len(d["image"]) - len(keep)
    log(f"FER+: {copies} copies removed; other crops of one photograph")
    drop = np.zeros(len(images), bool)
    for part in (2, 1):
        held, rest = np.nonzero(split == part)[0], np.nonzero((split < part) & ~drop)[0]
        _, _, every = recrops(images[held], images[rest])
        for js in every.values():
            drop[rest[js]] = True
    images, v, split, number = images[~drop], v[~drop], split[~drop], number[~drop]
    log(f"FER+: {int(drop.sum())} re-crops removed; {np.bincount(split)} left; eyes and teacher")
    detector = zipfile.ZipFile(os.path.join(data, "face_landmarker.task")).read("face_detector.tflite")
    task = os.path.join(data, "face_landmarker.task")
    parts = list(pool.map(_inspect, [(c, detector, task) for c in np.array_split(images, 16)]))
    eyes, found, presence, gap, blend = (np.concatenate(p) for p in zip(*parts))
    np.savez(path + ".part.npz", image=images, votes=v, split=split, number=number, eyes=eyes.astype(np.float32), found=found,
             presence=presence, gap=gap, blend=blend, dropped=np.array([copies, int(drop.sum())]))
    os.replace(path + ".part.npz", path)
    log(f"FER+: face found in {found.mean():.3f}")
    return path
