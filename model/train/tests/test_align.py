import json
import os

import numpy as np
import pytest

from affect import align, augment, export, occlude, teacher, AUS, metrics, losses, ferplus

HERE = os.path.join(os.path.dirname(__file__), "..", "testdata", "parity")


def pgm(path):
    b = open(path, "rb").read()
    head, rest = b.split(b"\n255\n", 1)
    w, h = (int(v) for v in head.split(b"\n")[1].split())
    return np.frombuffer(rest, np.uint8).reshape(h, w)


def test_eyes_meet_the_template():
    a = align.similarity((100., 50.), (140., 70.))
    for t, want in ((align.RIGHT_EYE, (100, 50)), (align.LEFT_EYE, (140, 70))):
        np.testing.assert_allclose((a[0] * t[0] + a[1] * t[1] + a[2], a[3] * t[0] + a[4] * t[1] + a[5]), want, atol=1e-3)


def test_box_of_side_one_is_bilinear():
    r = np.random.default_rng(0)
    src = r.integers(0, 256, (9, 11)).astype(np.uint8)
    for _ in range(200):
        x, y = r.uniform(-3, 14), r.uniform(-3, 12)
        assert abs(align.box(src, x, y, 1.) - align.bilinear(src, x, y)) < 1e-2


def test_box_keeps_the_mean():
    src = np.arange(16, dtype=np.uint8).reshape(4, 4)
    assert align.box(src, 1.5, 1.5, 4.) == pytest.approx(7.5)
    assert align.box(src, -50., -50., 3.) == 0  # far outside the edge repeats


def test_fixture_is_what_this_code_makes():
    p = json.load(open(os.path.join(HERE, "parity.json")))
    assert len(p["cases"]) >= 4
    for c in p["cases"]:
        want = np.fromfile(os.path.join(HERE, c["tensor"]), np.int8).reshape(112, 112)
        crop = align.crop(pgm(os.path.join(HERE, c["picture"])), c["right_eye"], c["left_eye"])
        got = align.tensor(crop, p["scale"], p["zero_point"])
        assert np.abs(want.astype(int) - got).max() <= 1, c["picture"]
        assert want.std() > 10


def test_lcg():
    x, out = 1, []
    for _ in range(3):
        x = (x * 1664525 + 1013904223) % 2 ** 32
        out.append(x >> 24)
    assert export.lcg(3).view(np.uint8).tolist() == out


@pytest.mark.parametrize("thing, eyes, mouth", [
    (lambda c, r: occlude.mask(c, r), 1., 0.),
    (lambda c, r: occlude.glasses(c, r, dark=True), 0., 1.),
    (lambda c, r: occlude.glasses(c, r, dark=False), 1., 1.),
    (lambda c, r: occlude.helmet(c, r), 1., 1.),
    (lambda c, r: None, 1., 1.),
])
def test_visibility_labels(thing, eyes, mouth):
    for seed in range(12):
        c = occlude.Canvas(np.full((112, 112), 128, np.float32), augment.face_frame(np.eye(3)))
        thing(c, np.random.default_rng(seed))
        v = c.visibility()
        assert v[1] == mouth
        assert v[0] == eyes or (np.isnan(v[0]) and eyes == 0)


def test_coverings_change_the_picture():
    base = np.random.default_rng(1).uniform(60, 200, (112, 112)).astype(np.float32)
    for f in occlude.WORN + occlude.PLANT:
        c = occlude.Canvas(base.copy(), augment.face_frame(np.eye(3)))
        f(c, np.random.default_rng(3))
        assert np.abs(c.img - base).mean() > .2, f.__name__
        assert np.isfinite(c.img).all(), f.__name__


def test_teacher_rises_and_stays_silent_where_it_cannot_say():
    b = np.zeros((2, 52), np.float32)
    b[1] = 1
    raw = teacher.values(b, [0., .5])
    y, trust = teacher.targets(raw)
    for k in teacher.RULE:
        i = AUS.index(k)
        assert y[0, i] == 0 and y[1, i] == 1 and trust[0, i] > 0
    for k in (9, 23, 24):
        assert (trust[:, AUS.index(k)] == 0).all()


def test_majority_rule():
    v = np.zeros((4, 10))
    v[0, 1], v[0, 3] = 9, 1      # a single vote is dropped
    v[1, 0], v[1, 3] = 5, 5      # no majority
    v[2, 8] = 10                 # unknown
    v[3, 2], v[3, 6], v[3, 0] = 6, 2, 2
    assert ferplus.majority(v).tolist() == [1, -1, -1, 2]


def test_copies_are_grouped():
    r = np.random.default_rng(0)
    a = (r.random((6, 12, 12)) * 255)
    a = np.stack([np.kron(x, np.ones((4, 4))) for x in a]).astype(np.uint8)
    a[3] = a[0]                  # equal
    a[4] = a[1][:, ::-1]         # mirrored
    a[5] = np.clip(a[2].astype(int) + 3, 0, 255)
    assert ferplus.groups(a).tolist() == [0, 1, 2, 0, 1, 2]


def test_recrops_are_found():
    import cv2
    r = np.random.default_rng(0)
    photo = [cv2.GaussianBlur((r.random((80, 80)) * 255).astype(np.uint8), (0, 0), 4) for _ in range(30)]
    photo = [cv2.normalize(p, None, 0, 255, cv2.NORM_MINMAX) for p in photo]
    others = np.stack([p[16:64, 16:64] for p in photo])
    held = np.stack([photo[4][19:67, 14:62], cv2.GaussianBlur((r.random((48, 48)) * 255).astype(np.uint8), (0, 0), 4)])
    score, match, every = ferplus.recrops(held, others, candidates=20)
    assert match[0] == 4 and score[0] > ferplus.RECROP and 4 in every[0]
    assert score[1] < ferplus.RECROP and not every[1]


def test_metrics():
    y = np.array([True, True, False, False])
    assert metrics.f1(y, y) == 1 and np.isnan(metrics.f1(y, ~y & y))
    assert metrics.auc(np.array([.9, .8, .1, .2]), y) == 1
    assert metrics.ccc([1, 2, 3], [1, 2, 3]) == pytest.approx(1)
    assert metrics.ccc([1, 2, 3], [2, 3, 4]) < 1
    t, f = metrics.best_threshold(np.array([.7, .65, .3, .2]), y)
    assert .3 < t <= .65 and f == 1
    lo, hi = metrics.bootstrap(lambda i: np.array([0., 1.])[i % 2].mean(), 200, 100)
    assert lo < .5 < hi


def test_losses_ignore_what_is_not_labelled():
    import tensorflow as tf
    logits = tf.constant([[2., -1.], [50., -50.]])
    y, w = tf.constant([[1., 0.], [0., 1.]]), tf.constant([1., 0.])
    assert float(losses.soft_cross_entropy(logits, y, w)) < .1
    assert float(losses.binary_cross_entropy(logits, y, tf.stack([w, w], 1))) < .4
    x = tf.constant([.1, .5, -.3, 99.])
    assert float(losses.ccc(x, x, tf.constant([1., 1., 1., 0.]))) == pytest.approx(1, abs=1e-3)
    same = tf.constant([[.2, .1], [.4, .3]])
    assert float(losses.valence_arousal(tf.atanh(same), same, tf.constant([1., 1.]))) < 1e-3
