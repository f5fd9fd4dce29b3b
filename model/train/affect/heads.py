"""The heads alone, trained on frozen features: real faces rated by eye and real masks beside the renders and the teacher.

Two thousand ratings are too few for a trunk, and enough for two layers. The hidden layer gets a second half of its own,
which starts as a copy and serves RATED units and visibility alone: what is rated by eye differs from the teacher, and
the other outputs would lose by sharing a layer with it. They stay as they are, to the weight. Every
picture is disturbed as in training; its features are kept in WORK/heads."""

import os

import keras
import numpy as np
import tensorflow as tf

from . import AUS, EYE_AUS, MOUTH_AUS, augment, by_eye, fit, net, pool

_EYE, _MOUTH = (np.array([k in g for k in AUS]) for g in (EYE_AUS, MOUTH_AUS))
COUNT = {"renders": 6000, "faces144": 5000, "FER+": 4000}  # pictures of each source
LOOKS = {"by eye": 8, "masks": 3}  # disturbed views of each rated face, each masked or bare one
# Units that the second half answers, and its share where the first half takes part: both together are as good by eye, and
# better on rendered persons.
RATED = {1: 1., 2: 1., 4: 1., 6: .7, 9: .7, 12: .7, 15: 1., 26: .7, 43: .7}
# How much more the teacher counts beside the ratings than in training, where it is good. AU4's teacher is biased
# against heavy brows.
TEACHER = {1: 4., 2: 4., 15: 6., 43: 4.}
RENDER_WEIGHT, EYE_WEIGHT, MASK_WEIGHT, DARK_WEIGHT = 3., 2., 8., 8.
OWN = .2  # pull of the present network's own opinion


def parts(model):
    """The features of a network and its last layers: (Keras model to features, unit logits; the three layers)."""
    pooled = [l for l in model.layers if isinstance(l, keras.layers.DepthwiseConv2D)][-1]
    hidden = model.get_layer("action_units").input._keras_history[0]
    while not isinstance(hidden, keras.layers.Conv2D):  # past the activation
        hidden = hidden.input._keras_history[0]
    return keras.Model(model.input, [pooled.output, model.outputs[2]]), [hidden, model.get_layer("action_units"), model.get_layer("visibility")]


def _features(run, image, eyes, sharp, strength, ids, seed):
    """Features, unit logits and visibility targets of disturbed views, and the rows they are of."""
    r, f, au, v = np.random.default_rng(seed), [], [], []
    for k in range(0, len(ids), 64):
        views = [augment.sample(image[i], eyes[i], r, sharp, strength=strength) for i in ids[k:k + 64]]
        x = (np.stack([x for x, _ in views]) - 127.5) / 127.5
        a, b = (o.numpy() for o in run(x[..., None].astype(np.float32)))
        f.append(a.reshape(len(x), -1).astype(np.float16))
        au.append(b.astype(np.float16))
        v.append(np.array([v for _, v in views], np.float32))
    return {"f": np.concatenate(f), "au": np.concatenate(au), "v": np.concatenate(v), "ids": np.array(ids)}


def _sources(work, data):
    """name: (image, eyes, sharp, strength, ids) and what labels() needs of it."""
    rated = by_eye.read().of("train")
    masks = by_eye.masks(data)
    out = {"by eye": (by_eye.pictures(data, rated), rated.eyes, True, .35, np.tile(np.arange(len(rated)), LOOKS["by eye"]), rated),
           "masks": (masks["image"], masks["eyes"], True, .35, np.tile(np.arange(len(masks["masked"])), LOOKS["masks"]), masks["masked"])}
    for s in (pool.from_renders(work), pool.from_faces144(work), pool.from_ferplus(work)):
        r, n = np.random.default_rng(5), COUNT[s.name]
        ids = r.permutation(len(s))[:n] if s.sampling is None else np.minimum(np.searchsorted(s.sampling, r.random(n)), len(s) - 1)
        out[s.name] = s.image, s.eyes, s.sharp, .8 * s.strength, ids, s
    return out


def _labels(name, of, ids, v, logits):
    """Unit targets and weights (N, 14), visibility targets and weights (N, 2) of views; v: what covers them."""
    seen = lambda v, bare: np.where(np.isnan(v), 0., np.where(v > .5, bare, 1.))
    if name == "masks":
        v = v.copy()
        v[:, 1] = np.where(of[ids], 0., v[:, 1])
        v[:, 0] = np.nan  # whether glasses are dark nobody said
        none = np.zeros((len(ids), len(AUS)))
        return none, none, np.nan_to_num(v), seen(v, 1.) * MASK_WEIGHT
    if name == "by eye":
        y, w = np.zeros((len(of), len(AUS))), np.zeros((len(of), len(AUS)))
        own = np.zeros((len(of), len(AUS)))
        np.add.at(own, ids, logits.astype(np.float32))
        for mark, units in by_eye.UNITS.items():
            at, m = [AUS.index(k) for k in units], of.mark(mark)
            present, absent = (m == 1), (m == 0)
            if present.sum() < 10:  # AU24: too few to learn from
                continue
            w[np.ix_(absent, at)] = 1.
            # either of two units is enough: the one that the network already leans to
            rows = np.nonzero(present)[0]
            best = np.array(at)[own[np.ix_(rows, at)].argmax(1)]
            y[rows, best] = 1.
            w[rows, best] = np.clip(.6 * absent.sum() / present.sum(), 1, 12)
        v, mouth, eyes = v.copy(), of.mouth_covered()[ids], of.eyes_covered()[ids]
        v[:, 0] = np.where(np.isnan(eyes), np.nan, np.where(eyes == 1, 0., v[:, 0]))
        v[:, 1] = np.where(np.isnan(mouth), np.nan, np.where(mouth == 1, 0., v[:, 1]))
        vw = seen(v, 1.)
        vw[:, 0] *= np.where(eyes == 1, DARK_WEIGHT, 1.)
        return y[ids], w[ids] * EYE_WEIGHT, np.nan_to_num(v), vw * EYE_WEIGHT
    y, w = of.au[ids], of.au_w[ids].copy()
    if name == "renders":
        pos = np.clip((1 - y.mean(0)) / y.mean(0), 1, 3)
        w = w * RENDER_WEIGHT * fit.EMPHASIS * (1 + y * (pos - 1))
    else:
        w = w * [TEACHER.get(k, 1.) for k in AUS]
    return y, w, np.nan_to_num(v), seen(v, of.vis_w)


def collect(work, data, model, log=print):
    """Features and labels of all sources: f, unit targets, weights, visibility targets, weights, logits."""
    folder = os.path.join(work, "heads")
    os.makedirs(folder, exist_ok=True)
    front, _ = parts(model)
    run = tf.function(lambda x: front(x, training=False), reduce_retracing=True)
    out = []
    for name, (image, eyes, sharp, strength, ids, of) in _sources(work, data).items():
        path = os.path.join(folder, name.replace(" ", "-") + ".npz")
        if not os.path.exists(path):
            np.savez(path + ".part.npz", **_features(run, image, eyes, sharp, strength, ids, 1))
            os.replace(path + ".part.npz", path)
        log(f"heads: features of {name}")
        with np.load(path) as z:
            f, au, v, ids = (z[k] for k in ("f", "au", "v", "ids"))
        y, w, vy, vw = _labels(name, of, ids, v, au)
        w = w * np.where(_EYE, v[:, :1] >= 1, v[:, 1:] >= 1)  # units of what a disturbance hides have no label
        out.append([a.astype(np.float32) for a in (f, y, w, vy, vw, au)])
    return [np.concatenate(a) for a in zip(*out)]


def _sigmoid(x):
    return 1 / (1 + np.exp(-np.clip(x, -40, 40)))


def forward(p, f):
    """Hidden layer, unit logits and visibility logits of features; p: [w, b] of hidden, units, visibility."""
    h = np.clip(f @ p[0] + p[1], 0, 6)
    return h, h @ p[2] + p[3], h @ p[4] + p[5]


def train(p, samples, epochs=25, rate=1e-3, decay=1e-4, batch=512, seed=0):
    """Adam on the two layers, from p; returns new ones."""
    f, y, w, vy, vw, own = samples
    p, r, own, batch = [a.copy() for a in p], np.random.default_rng(seed), _sigmoid(own), min(batch, len(f))
    m, s, step, steps = [np.zeros_like(a) for a in p], [np.zeros_like(a) for a in p], 0, epochs * (len(f) // batch)
    for _ in range(epochs):
        order = r.permutation(len(f))
        for k in range(0, len(f) - batch + 1, batch):
            j = order[k:k + batch]
            h, a, v = forward(p, f[j])
            q = _sigmoid(a)
            ga = (w[j] * (q - y[j]) + OWN * (q - own[j])) / batch
            gv = .5 * vw[j] * (_sigmoid(v) - vy[j]) / batch
            gh = (ga @ p[2].T + gv @ p[4].T) * ((h > 0) & (h < 6))
            step += 1
            lr = rate * (1 - step / (steps + 1))
            for i, g in enumerate((f[j].T @ gh, gh.sum(0), h.T @ ga, ga.sum(0), h.T @ gv, gv.sum(0))):
                m[i] += .1 * (g - m[i])
                s[i] += .001 * (g * g - s[i])
                p[i] -= lr * (m[i] / (1 - .9 ** step)) / (np.sqrt(s[i] / (1 - .999 ** step)) + 1e-8)
                if p[i].ndim == 2:
                    p[i] -= lr * decay * p[i]
    return p


def retrain(work, data, weights, log=print, **options):
    """Weights of the whole network, its hidden layer with a second half that is trained again."""
    model = net.of(weights, drop=0.)
    _, layers = parts(model)
    old = [a.reshape(a.shape[-2:]) if a.ndim == 4 else a for l in layers for a in l.get_weights()]
    half, wide = net.TRUNK["hidden"], old[0].shape[1] > net.TRUNK["hidden"]
    left = np.array([wide and 1 - RATED.get(k, 0.) or 1. for k in AUS])  # what join() left of a unit in the first half
    first = [old[0][:, :half], old[1][:half], old[2][:half] / left, old[3], old[4][:half], old[5]]
    return join(weights, first, train(first, collect(work, data, model, log), **options))


def join(weights, first, new):
    """weights with both halves: new answers visibility and its share of RATED units, first the rest."""
    half, share = net.TRUNK["hidden"], np.array([RATED.get(k, 0.) for k in AUS])
    joined = [np.concatenate([first[0], new[0]], 1), np.concatenate([first[1], new[1]]), np.concatenate([(1 - share) * first[2], share * new[2]]),
              (1 - share) * first[3] + share * new[3], np.concatenate([0 * first[4], new[4]]), new[5]]
    wide = net.build(drop=0., hidden=2 * half)
    _, layers = parts(wide)
    ends = {id(v): a for l, pair in zip(layers, zip(joined[::2], joined[1::2])) for v, a in zip(l.weights, pair)}
    for v, w in zip(wide.weights, weights):
        v.assign(ends[id(v)].reshape(v.shape) if id(v) in ends else w)
    return [v.numpy() for v in wide.weights]
