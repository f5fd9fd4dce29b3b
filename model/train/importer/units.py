"""A head for action units on a backbone's features, as the paper has it: features and scores feed a
dense layer of 128 (ReLU) and one of a score a unit. The backbone stays as it is.

The labels are what model/train has of real faces: faces144 with MediaPipe's blendshapes, read by the
rules of affect/teacher.py. AU23 and AU24 of the paper, and AU9, have no such label and are not fitted;
AU43 (eyes closed) is, because the unit's own signals want it.
"""

import os
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from affect import AUS, teacher

from . import Refused, faces

HIDDEN = 128
WEAK = .5  # F1 on unseen persons below which a unit is named weak


@dataclass
class Head:
    """hidden = relu(w1 @ features + b1), levels = sigmoid(w2 @ hidden + b2); scores: {unit: F1 on persons
    that neither training nor thresholds saw}."""
    units: tuple
    w1: np.ndarray
    b1: np.ndarray
    w2: np.ndarray
    b2: np.ndarray
    thresholds: list
    scores: dict

    def __call__(self, f):
        from . import translate
        return translate.dense(tf.nn.relu(translate.dense(f, self.w1, self.b1)), self.w2, self.b2)

    def weak(self):
        return [u for u in self.units if not self.scores[u] >= WEAK]


def prepared(work):
    """The prepared faces, or Refused with the way to them."""
    path = os.path.join(work, "faces144.npz")
    if not os.path.isfile(path):
        raise Refused(f"AU=1: {path} is missing: make it by  make -C model/train prepare  (it needs ../shared/data)")
    d = faces.Faces144(path)
    if not d.labels:
        raise Refused(f"AU=1: {path} holds no labels: make it again by  make -C model/train prepare")
    return d


def pick(split, part, count, seed=3):
    """Up to count rows of a part (0 training, 1 validation, 2 test), shuffled by seed."""
    rows = np.nonzero(split == part)[0]
    return np.random.default_rng(seed).permutation(rows)[:count]


def f1(level, true):
    tp = np.sum(level & true)
    return 2 * tp / max(level.sum() + true.sum(), 1)


def fit(data, see, scores_of, log, counts=(4000, 900, 900), epochs=40, seed=1):
    """A Head. data: Faces144 with labels; see(rows) gives the features (N, D) of its pictures;
    scores_of is (A, a): the network's own scores are A @ features + a."""
    labels = data.labels
    raw = teacher.values(labels["blend"], labels["gap"])
    y, trust = teacher.targets(raw)
    trust = trust * (labels["presence"] > .5)[:, None]
    columns = [i for i in range(len(AUS)) if trust[:, i].any()]
    parts = [pick(labels["split"], k, n) for k, n in enumerate(counts)]
    if min(map(len, parts)) < 20:
        raise Refused(f"AU=1: {[len(p) for p in parts]} faces to train, choose thresholds and test on: too few")
    log(f"action units: features of {sum(map(len, parts))} faces")
    x = [see(rows, log) for rows in parts]
    a, b = scores_of
    full = [np.concatenate([f, f @ a.T + b], 1).astype(np.float32) for f in x]
    mean, std = full[0].mean(0), full[0].std(0) + 1e-3
    w1, b1, w2, b2 = train([(f - mean) / std for f in full[:2]], [y[p][:, columns] for p in parts[:2]], [trust[p][:, columns] for p in parts[:2]], epochs, seed, log)
    # Standardising and the scores are linear in the features: one layer does it all.
    w1 = w1 / std
    b1 = b1 - w1 @ mean + w1[:, len(a.T):] @ b
    w1 = w1[:, :len(a.T)] + w1[:, len(a.T):] @ a
    level = lambda f: 1 / (1 + np.exp(-np.clip(np.maximum(f @ w1.T + b1, 0) @ w2.T + b2, -50, 50)))
    grid = np.arange(.05, .96, .01)
    thresholds, scores, units = [], {}, tuple(AUS[i] for i in columns)
    valid, test = level(x[1]), level(x[2])
    for k, i in enumerate(columns):
        seen = [(trust[p][:, i] > 0) for p in parts[1:]]
        true = [y[p][:, i][s] > .5 for p, s in zip(parts[1:], seen)]
        best = np.array([f1(valid[seen[0], k] >= t, true[0]) for t in grid])
        top = np.nonzero(best >= best.max() - .002)[0]
        thresholds.append(round(float(grid[top[len(top) // 2]]), 2))
        scores[units[k]] = round(float(f1(test[seen[1], k] >= thresholds[k], true[1])), 3)
    return Head(units, w1.astype(np.float32), b1.astype(np.float32), w2.astype(np.float32), b2.astype(np.float32), thresholds, scores)


def train(x, y, trust, epochs, seed, log):
    """(w1, b1, w2, b2) for standardised rows; the epoch with the least loss on the validation part wins."""
    r = np.random.default_rng(seed)
    d, n = x[0].shape[1], y[0].shape[1]
    v = [tf.Variable(r.normal(0, np.sqrt(2 / d), (d, HIDDEN)), dtype=tf.float32), tf.Variable(tf.zeros(HIDDEN)),
         tf.Variable(r.normal(0, np.sqrt(1 / HIDDEN), (HIDDEN, n)), dtype=tf.float32), tf.Variable(tf.zeros(n))]
    share = (y[0] * trust[0]).sum(0) / np.maximum(trust[0].sum(0), 1)
    weight = tf.constant(np.clip((1 - share) / np.maximum(share, 1e-3), 1, 10), tf.float32)
    m = [[tf.Variable(tf.zeros_like(p)) for p in v] for _ in range(2)]
    moment = tf.Variable(0.)

    def loss(xb, yb, tb, drop):
        xb = tf.nn.dropout(xb, .3) if drop else xb
        h = tf.nn.relu(xb @ v[0] + v[1])
        z = (tf.nn.dropout(h, .3) if drop else h) @ v[2] + v[3]
        return tf.reduce_sum(tb * tf.nn.weighted_cross_entropy_with_logits(yb, z, weight)) / tf.reduce_sum(tb)

    @tf.function(reduce_retracing=True)
    def step(xb, yb, tb, rate):  # AdamW
        with tf.GradientTape() as tape:
            l = loss(xb, yb, tb, True)
        moment.assign_add(1.)
        for p, g, m1, m2 in zip(v, tape.gradient(l, v), *m):
            m1.assign(.9 * m1 + .1 * g)
            m2.assign(.999 * m2 + .001 * g * g)
            p.assign_sub(rate * (m1 / (1 - .9 ** moment) / (tf.sqrt(m2 / (1 - .999 ** moment)) + 1e-8) + 1e-2 * p))
        return l

    tf.random.set_seed(seed)
    best, kept = np.inf, None
    for e in range(epochs):
        rate = 1e-3 * .5 * (1 + np.cos(np.pi * e / epochs))
        for ix in np.array_split(r.permutation(len(x[0])), max(1, len(x[0]) // 128)):
            step(*(tf.constant(q[ix], tf.float32) for q in (x[0], y[0], trust[0])), tf.constant(rate, tf.float32))
        l = float(loss(*(tf.constant(q, tf.float32) for q in (x[1], y[1], trust[1])), False))
        if l < best:
            best, kept = l, [p.numpy().astype(np.float64) for p in v]
        if e % 10 == 9:
            log(f"  epoch {e + 1} of {epochs}: loss on unseen persons {l:.3f}")
    return kept[0].T, kept[1], kept[2].T, kept[3]
