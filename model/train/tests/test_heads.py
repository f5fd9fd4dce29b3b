"""The heads that are trained on frozen features: what counts as a label, and that they learn it."""

import numpy as np

from affect import AUS, heads, net


class Rated:
    """A stand-in for by_eye.Table: mark name -> values; 60 absent and 12 present where not given."""

    def __init__(self, mouth=0., eyes=0., **marks):
        self.marks, self.mouth, self.eyes = marks, np.broadcast_to(np.float32(mouth), 72), np.broadcast_to(np.float32(eyes), 72)

    def __len__(self):
        return 72

    def mark(self, m):
        return self.marks.get(m, np.r_[np.zeros(60), np.ones(12)].astype(np.float32))

    def mouth_covered(self):
        return self.mouth

    def eyes_covered(self):
        return self.eyes


def labels(table, name="by eye"):
    n = len(table)
    logits = np.zeros((n, len(AUS)), np.float16)
    logits[:, AUS.index(2)] = 1  # the network leans to AU2
    return heads._labels(name, table, np.arange(n), np.ones((n, 2), np.float32), logits)


def test_rated_units_are_targets():
    unknown = np.full(72, np.nan, np.float32)
    y, w, v, vw = labels(Rated(AU6=unknown))
    four, six = AUS.index(4), AUS.index(6)
    assert y[:60, four].max() == 0 and y[60:, four].min() == 1 and w[:60, four].min() > 0
    assert w[60, four] > w[0, four]  # the rare side weighs more
    assert w[:, six].max() == 0  # nobody could tell
    one, two = AUS.index(1), AUS.index(2)
    assert w[:60, [one, two]].min() > 0 and y[60, two] == 1 and w[60, one] == 0  # either is enough: the likelier one
    assert w[:, AUS.index(23)].max() == 0  # nobody rates it
    assert v.min() == 1 and vw.min() > 0


def test_covered_parts_are_targets_of_visibility():
    mouth = np.r_[np.ones(20), np.full(20, np.nan), np.zeros(32)].astype(np.float32)
    _, _, v, vw = labels(Rated(mouth=mouth, eyes=np.r_[1, np.zeros(71)].astype(np.float32)))
    assert v[:20, 1].max() == 0 and v[40:, 1].min() == 1 and vw[20:40, 1].max() == 0
    assert v[0, 0] == 0 and vw[0, 0] > vw[1, 0]
    _, w, v, vw = heads._labels("masks", np.arange(72) < 30, np.arange(72), np.ones((72, 2)), np.zeros((72, len(AUS))))
    assert w.max() == 0 and v[:30, 1].max() == 0 and v[30:, 1].min() == 1 and vw[:, 0].max() == 0


def test_two_layers_learn():
    r = np.random.default_rng(0)
    f = r.normal(size=(900, 12)).astype(np.float32)
    y = np.repeat((f[:, :1] > .3), len(AUS), 1).astype(np.float32)
    v = np.repeat((f[:, 1:2] > 0), 2, 1).astype(np.float32)
    p = [r.normal(size=s).astype(np.float32) * .3 for s in ((12, 16), 16, (16, len(AUS)), len(AUS), (16, 2), 2)]
    old = [a.copy() for a in p]
    new = heads.train(p, (f, y, np.ones_like(y), v, np.ones_like(v), np.zeros_like(y)), epochs=150, rate=1e-2, batch=128)
    assert all(np.array_equal(a, b) for a, b in zip(p, old))  # what came in stays
    _, a, b = heads.forward(new, f)
    assert np.mean((a > 0) == (y > .5)) > .9
    assert np.mean((b > 0) == (v > .5)) > .9


def test_halves_answer_by_their_shares():
    model = net.build(drop=0.)
    front, layers = heads.parts(model)
    first = [a.reshape(a.shape[-2:]) if a.ndim == 4 else a for l in layers for a in l.get_weights()]
    r = np.random.default_rng(2)
    new = [a + r.normal(size=a.shape).astype(np.float32) * .1 for a in first]
    joined = net.of(heads.join(model.get_weights(), first, new), drop=0.)
    x = r.uniform(-1, 1, (3, 112, 112, 1)).astype(np.float32)
    f, own = (v.numpy().reshape(3, -1) for v in front(x))
    share = np.array([heads.RATED.get(k, 0.) for k in AUS])
    units, visible = joined(x)[2:]
    _, a, v = heads.forward(new, f)
    assert np.allclose(units, (1 - share) * own + share * a, atol=1e-3)
    assert np.allclose(visible, v, atol=1e-3)
