"""Losses with a weight for every label, so that a missing one (weight 0) teaches nothing."""

import tensorflow as tf


def soft_cross_entropy(logits, target, weight):
    """logits, target (B, K), weight (B,): weighted mean over the labelled."""
    l = -tf.reduce_sum(target * tf.nn.log_softmax(logits), 1)
    return tf.reduce_sum(l * weight) / (tf.reduce_sum(weight) + 1e-6)


def binary_cross_entropy(logits, target, weight):
    """logits, target, weight (B, K): weighted mean over all labels."""
    l = tf.nn.sigmoid_cross_entropy_with_logits(labels=target, logits=logits)
    return tf.reduce_sum(l * weight) / (tf.reduce_sum(weight) + 1e-6)


def ccc(x, y, weight):
    """Weighted concordance correlation of two vectors (Lin 1989)."""
    w = weight / (tf.reduce_sum(weight) + 1e-6)
    mx, my = tf.reduce_sum(w * x), tf.reduce_sum(w * y)
    vx, vy = tf.reduce_sum(w * (x - mx) ** 2), tf.reduce_sum(w * (y - my) ** 2)
    cov = tf.reduce_sum(w * (x - mx) * (y - my))
    return 2 * cov / (vx + vy + (mx - my) ** 2 + 1e-6)


def valence_arousal(raw, target, weight):
    """1 - mean CCC of tanh(raw) and the target (B, 2), with a little squared error so that a
    batch with hardly any spread still has a gradient. weight (B,)."""
    v = tf.tanh(raw)
    c = (ccc(v[:, 0], target[:, 0], weight) + ccc(v[:, 1], target[:, 1], weight)) / 2
    mse = tf.reduce_sum(tf.reduce_sum((v - target) ** 2, 1) * weight) / (tf.reduce_sum(weight) + 1e-6)
    return (1 - c) + .25 * mse
