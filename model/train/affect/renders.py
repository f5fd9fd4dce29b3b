"""Sets of rendered faces. A person belongs to one split only: the splits draw their
seeds from ranges that do not meet, and the test range is never used for anything else."""

import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor

import cv2
import numpy as np

from . import head as heads

FIRST = {"train": 0, "valid": 500_000, "test": 900_000}
VERSION = 2  # of the renderer; another number renders again
COUNT = {"train": (1100, 26), "valid": (60, 20), "test": (100, 20)}  # persons, pictures each
SHARD = 50  # persons in a file


def _shard(job):
    path, split, first, persons, each, data = job
    if os.path.exists(path):
        return path
    cv2.setNumThreads(1)
    head = heads.Head(heads.default_path(data))
    out = {k: [] for k in ("image", "eyes", "au", "label", "person", "albedo", "width")}
    for seed in range(first, first + persons):
        p = head.person(FIRST[split] + seed)
        marks = p.shape.reshape(-1, 3)[head.mark]
        width = float(np.linalg.norm(marks[14] - marks[2]) / np.linalg.norm(marks[8] - marks[27]))
        r = np.random.default_rng((2, FIRST[split] + seed))
        for _ in range(each):
            img, eyes, au, label = heads.shot(head, p, r)
            for k, v in zip(out, (img, eyes, au, label, FIRST[split] + seed, p.albedo, width)):
                out[k].append(v)
    tmp = path + ".part.npz"
    np.savez(tmp, **{k: np.array(v) for k, v in out.items()})
    os.replace(tmp, path)
    return path


def workers(jobs):
    """So many processes to work in. Not forked: this one may have threads by now (numpy's, OpenCV's), whose
    locks a fork would copy as they are held, and its children would wait for them for ever."""
    return ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn"))


def make(work, data, jobs=2, log=print):
    """Renders what is missing; every file stands alone, so that a stopped run goes on."""
    os.makedirs(os.path.join(work, f"renders-{VERSION}"), exist_ok=True)
    todo = []
    for split, (persons, each) in COUNT.items():
        for first in range(0, persons, SHARD):
            path = os.path.join(work, f"renders-{VERSION}", f"{split}-{first:05d}.npz")
            todo.append((path, split, first, min(SHARD, persons - first), each, data))
    todo.sort(key=lambda j: (j[2] if j[1] == "train" else 120, j[1]))
    with workers(jobs) as pool:
        for i, path in enumerate(pool.map(_shard, todo)):
            log(f"renders {i + 1}/{len(todo)}: {os.path.basename(path)}")


def _kept(work, name, make):
    """What make() rendered, a dict of lists, kept in a file of its own."""
    path = os.path.join(work, f"renders-{VERSION}", name + ".npz")
    if not os.path.exists(path):
        cv2.setNumThreads(1)
        np.savez(path + ".part.npz", **{k: np.array(v) for k, v in make().items()})
        os.replace(path + ".part.npz", path)
    return dict(np.load(path))


def _seeds(split):
    return range(FIRST[split], FIRST[split] + COUNT[split][0])


def lids(work, data, split):
    """Every person of a split with lids at all heights, twelve pictures each: image, eyes, closed
    (0..1, evenly spread), person. To find the level at which eyes are closed; nothing is trained on it."""
    def make():
        head = heads.Head(heads.default_path(data))
        out = {k: [] for k in ("image", "eyes", "closed", "person")}
        for seed in _seeds(split):
            p, r = head.person(seed), np.random.default_rng((3, seed))
            for _ in range(12):
                closed = r.random()
                img, eyes, _, _ = heads.shot(head, p, r, closed=closed)
                for k, v in zip(out, (img, eyes, closed, seed)):
                    out[k].append(v)
        return out
    return _kept(work, "lids-" + split, make)


def unpainted(work, data, split, each=6):
    """Pictures of every person of a split twice, with and without the painted furrows and lips, all
    else alike: painted, bare, eyes, au. To see how much of a score the paint carries."""
    def make():
        head = heads.Head(heads.default_path(data))
        out = {k: [] for k in ("painted", "bare", "eyes", "au")}
        for seed in _seeds(split):
            p = head.person(seed)
            for i in range(each):
                img, eyes, au, _ = heads.shot(head, p, np.random.default_rng((4, seed, i)))
                bare, _, _, _ = heads.shot(head, p, np.random.default_rng((4, seed, i)), paint=False)
                for k, v in zip(out, (img, bare, eyes, au)):
                    out[k].append(v)
        return out
    return _kept(work, "unpainted-" + split, make)


def load(work, split):
    """All pictures of a split that are there so far. While training pictures of this version of the
    renderer are missing, those of earlier ones fill the gap; validation and test are of this one alone."""
    folders = [f"renders-{VERSION}"]
    persons, _ = COUNT[split]
    if split == "train" and any(not os.path.exists(os.path.join(work, folders[0], f"{split}-{first:05d}.npz")) for first in range(0, persons, SHARD)):
        folders += sorted(f for f in os.listdir(work) if f.startswith("renders-") and f != folders[0])
    parts = []
    for folder in folders:
        names = sorted(f for f in os.listdir(os.path.join(work, folder)) if f.startswith(split + "-") and f.endswith(".npz") and ".part" not in f)
        parts += [np.load(os.path.join(work, folder, f)) for f in names]
    if not parts:
        raise FileNotFoundError(f"{work}: no rendered {split} pictures; run prepare")
    return {k: np.concatenate([p[k] for p in parts]) for k in parts[0].files}
