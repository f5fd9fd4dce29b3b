"""The paper's second stage (Savchenko 2024, arXiv 2407.13184): frozen features and the ten scores
(eight expressions, valence, arousal) of a backbone feed small heads, trained with a mask for
every missing label. Expression: dense 8 on features and scores; valence and arousal: dense 2 on
the ten scores alone; action units: dense 128 ReLU, dense 12 on features and scores."""

import keras
import numpy as np
import tensorflow as tf
from keras import layers as L

from . import losses, metrics
from .labelled import ABAW_UNITS


def heads(dimension, expressions=8, units=len(ABAW_UNITS)):
    """Keras model (B, dimension + 10) -> expression logits, raw V/A, unit logits."""
    x = L.Input((dimension + 10,))
    scores = x[:, dimension:]
    e = L.Dense(expressions, name="expression")(x)
    v = L.Dense(2, name="valence_arousal")(scores)
    u = L.Dense(units, name="action_units")(L.Dense(128, activation="relu", name="hidden")(x))
    return keras.Model(x, [e, v, u])


def class_weights(y, classes):
    """Inverse frequency of each class among the labelled, mean 1 over the pictures; 0 for an absent class."""
    n = np.bincount(y[y >= 0], minlength=classes).astype(np.float32)
    w = np.where(n > 0, n.sum() / np.maximum(n, 1) / max((n > 0).sum(), 1), 0)
    return w.astype(np.float32)


def unit_weights(y):
    """Weight of a positive of each unit: negatives over positives, 1 where nothing is labelled."""
    pos, neg = np.nansum(y == 1, 0), np.nansum(y == 0, 0)
    return np.where(pos > 0, neg / np.maximum(pos, 1), 1).clip(.1, 20).astype(np.float32)


def train(x, labels, epochs=6, batch=64, rate=1e-3, seed=1):
    """Heads for features-and-scores x (N, D + 10) and labels (a labelled.Labels). Returns the model."""
    keras.utils.set_random_seed(seed)
    model = heads(x.shape[1] - 10)
    opt = keras.optimizers.Adam(rate)
    opt.build(model.trainable_variables)
    ew = class_weights(labels.expression, 8)
    uw = unit_weights(labels.units)

    @tf.function
    def step(xb, e, ewb, va, vw, u, uwb):
        with tf.GradientTape() as t:
            oe, ov, ou = model(xb, training=True)
            loss = losses.soft_cross_entropy(oe, e, ewb) + losses.valence_arousal(ov, va, vw) + losses.binary_cross_entropy(ou, u, uwb)
        opt.apply(t.gradient(loss, model.trainable_variables), model.trainable_variables)
        return loss

    r = np.random.default_rng(seed)
    history = []
    for _ in range(epochs):
        total = []
        for ix in np.array_split(r.permutation(len(x)), max(1, len(x) // batch)):
            y, va, u = labels.expression[ix], labels.va[ix], labels.units[ix]
            known = ~np.isnan(u)
            total.append(float(step(
                tf.constant(x[ix], tf.float32), tf.one_hot(y, 8), tf.constant(np.where(y >= 0, ew[np.maximum(y, 0)], 0), tf.float32),
                tf.constant(np.nan_to_num(va), tf.float32), tf.constant(~np.isnan(va).any(1), tf.float32),
                tf.constant(np.nan_to_num(u), tf.float32), tf.constant(known * np.where(np.nan_to_num(u) > .5, uw, 1), tf.float32))))
        history.append(float(np.mean(total)))
    return model, history


def score(model, x, labels, thresholds=None):
    """P_MTL and its three parts; thresholds per unit (0.5 by default)."""
    e, v, u = (o.numpy() for o in model(tf.constant(x, tf.float32), training=False))
    p = 1 / (1 + np.exp(-u))
    return metrics.p_mtl(np.tanh(v), labels.va, e.argmax(1), labels.expression, p >= (.5 if thresholds is None else np.asarray(thresholds)), labels.units)


def best_thresholds(model, x, labels):
    """Per unit the best F1 over 0.1..0.9 on a validation set, as in the paper."""
    p = 1 / (1 + np.exp(-model(tf.constant(x, tf.float32), training=False)[2].numpy()))
    out = []
    for i in range(p.shape[1]):
        ok = ~np.isnan(labels.units[:, i])
        out.append(metrics.best_threshold(p[ok, i], labels.units[ok, i] > .5, np.arange(.1, .91, .1))[0])
    return out
