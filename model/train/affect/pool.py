"""All training pictures under one set of labels, and the threads that make batches of them."""

import os
import queue
import threading

import cv2
import numpy as np

from . import AUS, CIRCUMPLEX, EYE_AUS, MOUTH_AUS, augment, faces144, ferplus, renders, teacher

_EYE = np.array([k in EYE_AUS for k in AUS])
_MOUTH = np.array([k in MOUTH_AUS for k in AUS])
# From which part of full strength a rendered unit counts as present. A quarter, but for
# closed eyes: a lid a quarter down is an open eye.
POSITIVE = np.array([.5 if k == 43 else .25 for k in AUS], np.float32)


class Source:
    """Pictures with eyes and labels: expression (N, 8) with weight (N,), units (N, 14) with weight."""

    def __init__(self, name, image, eyes, expression, expression_w, au, au_w, sharp, vis_w):
        self.name, self.image, self.eyes, self.sharp, self.vis_w = name, image, eyes, sharp, vis_w
        self.expression, self.expression_w = expression.astype(np.float32), expression_w.astype(np.float32)
        self.au, self.au_w = au.astype(np.float32), au_w.astype(np.float32)
        self.labelled, self.labelled_w = self.expression, self.expression_w
        self.sampling = None
        self.strength = 1.  # of its disturbances, as part of the batches'

    def __len__(self):
        return len(self.image)


def from_ferplus(work, split=0):
    d = np.load(f"{work}/ferplus.npz")
    soft, ok = ferplus.soft(d["votes"])
    use = (d["split"] == split) & (d["votes"][:, 9] < 5)
    y, w = teacher.targets(teacher.values(d["blend"], d["gap"]))
    w *= (d["presence"] > .5)[:, None] * .6
    s = Source("FER+", d["image"][use], d["eyes"][use], soft[use], ok[use], y[use], w[use], False, .5)
    # What is 48 pixels wide has lost enough already: at full strength its training part itself is learnt
    # to 89% only, at this to 93%, and of faces never seen one in 200 more is right (validation part).
    s.strength = .4
    # rarer expressions come more often, mildly: class weights by sampling
    share = s.expression[s.expression_w > 0].mean(0)
    p = s.expression @ (np.clip(share.max() / np.maximum(share, 1e-6), 1, 60) ** .15) + (s.expression_w == 0)
    s.sampling = np.cumsum(p / p.sum())
    return s


def from_faces144(work, split=0):
    d = np.load(f"{work}/faces144.npz")
    use = (d["split"] == split) & (d["presence"] > .5)
    raw = teacher.values(d["blend"], d["gap"])
    if split == 0 and os.path.exists(f"{work}/faces144-mirror.npz"):  # half of the teacher's noise goes
        with np.load(f"{work}/faces144-mirror.npz") as m:
            raw = (raw + teacher.values(m["blend"], m["gap"])) / 2
    y, w = teacher.targets(raw)
    word = d["word"][use]
    e = np.full((len(word), 8), .03, np.float32)
    rows = np.nonzero(word >= 0)[0]
    e[rows, word[rows]] = .79  # one rater, noisy
    s = Source("faces144", d["image"][use], d["eyes"][use], e, .25 * (word >= 0), y[use], w[use], True, .5)
    # rare units come more often
    p = np.ones(len(word))
    for k, more in ((43, 6.), (26, 2.), (15, 2.), (1, 1.), (2, 1.)):
        p += more * s.au[:, AUS.index(k)]
    s.sampling = np.cumsum(p / p.sum())
    return s


def from_renders(work, split="train"):
    d = renders.load(work, split)
    lab = d["label"]
    e = np.full((len(lab), 8), .02, np.float32)
    rows = np.nonzero(lab >= 0)[0]
    e[rows, lab[rows]] = .86
    return Source("renders", d["image"], d["eyes"], e, .25 * (lab >= 0), d["au"] >= POSITIVE, np.ones_like(d["au"]), True, 1.)


OWN = {"FER+": (.5, None), "faces144": (.7, .5)}  # share of the network's own opinion in a label, and the label's weight then


def opinions(sources, model):
    """The expression that model (crops -> outputs) sees in every picture, mean of the picture and its
    mirror: {source name: (N, 8) float16}. One rater in ten is often wrong; this mean is less so."""
    def see(x):
        z = model(x)[0].numpy()
        z = np.exp(z - z.max(1, keepdims=True))
        return z / z.sum(1, keepdims=True)

    out = {}
    for s in sources:
        parts = []
        for k in range(0, len(s), 256):
            rows = range(k, min(k + 256, len(s)))
            x = np.stack([augment.sample(s.image[i], s.eyes[i], None, plain=True)[0] for i in rows])
            x = ((x - 127.5) / 127.5)[..., None].astype(np.float32)
            parts.append((see(x) + see(x[:, :, ::-1])) / 2)
        out[s.name] = np.concatenate(parts).astype(np.float16)
    return out


def teach(sources, soft):
    """Mixes opinions() into the expression labels of the sources they were given for."""
    for s in sources:
        if s.name in soft:
            share, weight = OWN[s.name]
            has = (s.labelled_w > 0)[:, None]
            own = soft[s.name].astype(np.float32)
            s.expression = np.where(has, (1 - share) * s.labelled + share * own, own)
            if weight:
                s.expression_w = np.full(len(s), weight, np.float32)


class Batches:
    """Endless batches from several sources, made by threads ahead of the training step."""

    def __init__(self, sources, counts, seed, threads=2, ahead=6):
        self.sources, self.counts = sources, counts
        self.strength = 1.
        self.queue = queue.Queue(ahead)
        self.stop = False
        self.error = None
        cv2.setNumThreads(1)
        for i in range(threads):
            threading.Thread(target=self._work, args=(np.random.default_rng((seed, i)),), daemon=True).start()

    def _work(self, r):
        try:
            while not self.stop:
                self.queue.put(self._make(r))
        except Exception as e:  # the training loop re-raises it
            self.error = e

    def _make(self, r):
        xs, es, ews, aus, aws, vs, vws = [], [], [], [], [], [], []
        for s, n in zip(self.sources, self.counts):
            ids = r.integers(len(s), size=n) if s.sampling is None else np.minimum(np.searchsorted(s.sampling, r.random(n)), len(s) - 1)
            for i in ids:
                x, vis = augment.sample(s.image[i], s.eyes[i], r, s.sharp, strength=self.strength * s.strength)
                v = np.array(vis)
                aw = s.au_w[i].copy()
                if not v[0] >= 1:
                    aw[_EYE] = 0
                if not v[1] >= 1:
                    aw[_MOUTH] = 0
                xs.append(x)
                es.append(s.expression[i])
                ews.append(s.expression_w[i] * (1. if v.min() >= 1 else .4))
                aus.append(s.au[i])
                aws.append(aw)
                vs.append(np.nan_to_num(v))
                vws.append(np.where(np.isnan(v), 0., np.where(v > .5, s.vis_w, 1.)))
        e = np.array(es, np.float32)
        return dict(x=((np.array(xs, np.float32) - 127.5) / 127.5)[..., None], e=e, ew=np.array(ews, np.float32),
                    va=e @ np.array(CIRCUMPLEX, np.float32), au=np.array(aus, np.float32), aw=np.array(aws, np.float32),
                    v=np.array(vs, np.float32), vw=np.array(vws, np.float32))

    def next(self):
        while True:
            if self.error:
                raise self.error
            try:
                return self.queue.get(timeout=5)
            except queue.Empty:
                continue


def plain(source, limit=None, seed=0):
    """Aligned crops without any disturbance (N, 112, 112) uint8-valued float, and the rows used."""
    rows = np.arange(len(source))
    if limit and limit < len(rows):
        rows = np.sort(np.random.default_rng(seed).permutation(rows)[:limit])
    return np.stack([augment.sample(source.image[i], source.eyes[i], None, plain=True)[0] for i in rows]), rows
