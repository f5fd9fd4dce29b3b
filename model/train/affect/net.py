"""The network: one trunk of dense 3x3 convolutions on a 112x112 grey crop, four heads.

Dense convolutions and ReLU6 because XNNPACK and matrix units run them fast in int8, on both
TFLite libraries; heads are 1x1 convolutions because TFLite 2.9.0 answers a constant for dense
layers with per-channel weights; the pooling is a learned 4x4 depthwise convolution
(MobileFaceNet's), because the libraries differ in how they round a mean.
"""

import keras
import numpy as np
import tensorflow as tf
from keras import layers as L

from . import AUS, EXPRESSIONS
from .align import SIZE

OUTPUTS = ("expression", "valence_arousal", "action_units", "visibility")
HIDDEN = -10  # where the hidden layer's kernel is among the weights: its bias and four heads follow
WIDTHS = {"expression": len(EXPRESSIONS), "valence_arousal": 2, "action_units": len(AUS), "visibility": 2}
TRUNK = dict(stem=24, second=32, stages=((32, 1, 1), (96, 2, 2), (192, 2, 1), (224, 2, 1)), last=384, hidden=128)


class FusedNorm(L.Layer):
    """Batch normalisation in one kernel. Keras 3's own layer is a dozen passes over the picture in
    32 bits, which is half of a training step here. Weights in Keras's order."""

    def __init__(self, momentum=.98, epsilon=1e-4, **kw):
        super().__init__(**kw)
        self.momentum, self.epsilon = momentum, epsilon

    def build(self, shape):
        f = dict(shape=(shape[-1],), dtype="float32", autocast=False)
        self.gamma = self.add_weight(initializer="ones", name="gamma", **f)
        self.beta = self.add_weight(initializer="zeros", name="beta", **f)
        self.moving_mean = self.add_weight(initializer="zeros", name="moving_mean", trainable=False, **f)
        self.moving_variance = self.add_weight(initializer="ones", name="moving_variance", trainable=False, **f)

    def call(self, x, training=False):
        norm = tf.compat.v1.nn.fused_batch_norm
        gamma, beta, mean, variance = self.gamma, self.beta, self.moving_mean, self.moving_variance
        # oneDNN has a fast kernel for 16 bits and multiples of 16 channels only; without it the first
        # layer's norm alone was a third of a training step. What is exported, in 32 bits, stays plain.
        more = -x.shape[-1] % 16 if x.dtype == tf.bfloat16 else 0
        if more:
            x = tf.pad(x, ((0, 0), (0, 0), (0, 0), (0, more)))
            gamma, beta, mean, variance = (tf.pad(v, ((0, more),), constant_values=c) for v, c in ((gamma, 1.), (beta, 0.), (mean, 0.), (variance, 1.)))
        still = not training or not self.trainable  # a frozen layer keeps its statistics
        if still:
            y = norm(x, gamma, beta, mean=mean, variance=variance, epsilon=self.epsilon, is_training=False)[0]
        else:
            y, mean, variance = norm(x, gamma, beta, epsilon=self.epsilon, is_training=True)
        if more:
            y, mean, variance = y[..., :-more], mean[:-more], variance[:-more]
        if still:
            return y
        k = 1 - self.momentum
        self.moving_mean.assign_add(k * (mean - self.moving_mean))
        self.moving_variance.assign_add(k * (variance - self.moving_variance))
        return y

    def compute_output_shape(self, shape):
        return shape


def build(trunk=None, drop=.2, hidden=None):
    """Keras model: (B, 112, 112, 1) in [-1, 1] -> four logit tensors, in the order of OUTPUTS. hidden: width of the
    layer before units and visibility, which heads.py widens."""
    t = dict(trunk or TRUNK)
    t["hidden"] = hidden or t["hidden"]
    reg = None

    def conv(x, c, k=3, s=1, act=True):
        # Symmetric padding: TensorFlow's 'same' pads a strided convolution on one side only.
        if k == 3 and s == 2:
            x = L.ZeroPadding2D(((1, 0) if x.shape[1] % 2 == 0 else 1,) * 2)(x)
            x = L.Conv2D(c, 3, 2, "valid", use_bias=False, kernel_initializer="he_normal", kernel_regularizer=reg)(x)
        else:
            x = L.Conv2D(c, k, s, "same", use_bias=False, kernel_initializer="he_normal", kernel_regularizer=reg)(x)
        x = FusedNorm()(x)
        return L.ReLU(6.)(x) if act else x

    def block(x, c, s):
        y = conv(conv(x, c, 3, s), c, act=False)
        short = x if s == 1 and x.shape[-1] == c else conv(x, c, 1, s, act=False)
        return L.ReLU(6.)(L.Add()([y, short]))

    x = inp = L.Input((SIZE, SIZE, 1), name="crop")
    x = conv(x, t["stem"], 3, 2)
    x = conv(x, t["second"], 3, 2)
    for c, s, n in t["stages"]:
        for i in range(n):
            x = block(x, c, s if i == 0 else 1)
    x = conv(x, t["last"], 1)
    k = x.shape[1]
    x = L.DepthwiseConv2D(k, padding="valid", depthwise_initializer=keras.initializers.RandomNormal(1. / k ** 2, .2 / k ** 2))(x)
    x = L.Dropout(drop)(x)
    h = L.ReLU(6.)(L.Conv2D(t["hidden"], 1, kernel_initializer="he_normal")(x))
    out = []
    for name in OUTPUTS:
        y = L.Conv2D(WIDTHS[name], 1, name=name)(h if name in ("action_units", "visibility") else x)
        y = L.Reshape((WIDTHS[name],))(y)
        out.append(L.Activation("linear", dtype="float32")(y))
    return keras.Model(inp, out, name="affect")


def of(weights, **options):
    """The model of a list of weights, as wide as they are."""
    model = build(hidden=weights[HIDDEN].shape[-1], **options)
    model.set_weights(weights)
    return model


def freeze(model, convolutions):
    """Keeps the first so many convolutions, and their norms, as they are: most of a training step is
    spent in the large early pictures, whose edge detectors settle first."""
    seen = 0
    for l in model.layers:
        seen += isinstance(l, L.Conv2D) and not isinstance(l, L.DepthwiseConv2D)
        if seen > convolutions:
            break
        l.trainable = False


def macs(model):
    """Multiply-adds of one picture."""
    total = 0
    for l in model.layers:
        if isinstance(l, L.DepthwiseConv2D):
            total += int(np.prod(l.output.shape[1:])) * int(np.prod(l.kernel_size))
        elif isinstance(l, L.Conv2D):
            total += int(np.prod(l.output.shape[1:])) * int(np.prod(l.kernel_size)) * l.input.shape[-1]
    return total


def save(path, values, half=False):
    """Weights as an npz of w0, w1, ... in the model's own order; half: to 16 bits, to keep them small."""
    np.savez_compressed(path, **{f"w{i}": np.asarray(v, np.float16 if half else np.float32) for i, v in enumerate(values)})


def load(path):
    z = np.load(path)
    return [z[f"w{i}"].astype(np.float32) for i in range(len(z.files))]
