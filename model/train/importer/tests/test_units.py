"""The head for action units, on made features that hold the labels and on ones that hold nothing."""

import os

import numpy as np
import pytest

from affect import blaze
from importer import Refused, units

WIDE, SCORES = 64, 10
# Blendshapes up to twice the middle between absent and present (affect/teacher.py): half of the faces have each unit.
TOP = {"browInnerUp": .6, "browOuterUp": .54, "browDown": .5, "eyeSquint": .8, "mouthSmile": .7, "mouthUpperUp": .34, "mouthFrown": .17, "jawOpen": .34, "eyeBlink": 1.05}


class Made:
    """What units.fit takes of faces.Faces144: labels of 900 faces of three parts."""

    def __init__(self, seed=2):
        r = np.random.default_rng(seed)
        n = 900
        names = [b.removesuffix("Left").removesuffix("Right") for b in blaze.BLENDSHAPES]
        both = {b: r.random(n) for b in sorted(set(names))}
        blend = np.stack([both[b] * TOP.get(b, 0) for b in names], 1).astype(np.float32)
        self.labels = {"blend": blend, "gap": r.random(n).astype(np.float32) * .14,
                       "presence": np.ones(n, np.float32), "split": np.repeat([0, 1, 2], 300), "person": np.arange(n)}


def fitted(told):
    data = Made()
    r = np.random.default_rng(4)
    mix = r.normal(size=(len(blaze.BLENDSHAPES) + 1, WIDE))
    hidden = np.concatenate([data.labels["blend"], data.labels["gap"][:, None]], 1) @ mix if told else r.normal(size=(900, WIDE))
    a, b = r.normal(size=(SCORES, WIDE)) / 6, r.normal(size=SCORES)
    features = hidden.astype(np.float32)
    return units.fit(data, lambda rows, log: features[rows], (a, b), lambda s: None, epochs=40), features, data


def test_learns_what_is_there():
    head, features, data = fitted(True)
    blind, _, _ = fitted(False)
    assert head.units == (1, 2, 4, 6, 7, 10, 12, 15, 25, 26, 43)  # no teacher for 9, 23, 24
    assert np.mean(list(head.scores.values())) > np.mean(list(blind.scores.values())) + .15, (head.scores, blind.scores)
    assert all(.05 <= t <= .95 for t in head.thresholds)
    # Standardising and scores are folded into the first layer: the head takes bare features.
    level = 1 / (1 + np.exp(-head(features[600:603]).numpy()))
    assert level.shape == (3, 11) and np.isfinite(level).all()


def test_data_missing(tmp_path):
    with pytest.raises(Refused, match="make -C model/train prepare"):
        units.prepared(str(tmp_path))
    np.savez(os.path.join(tmp_path, "faces144.npz"), jpeg=np.zeros(3, np.uint8), offset=np.array([0, 3]), keypoints=np.zeros((1, 6, 2)))
    with pytest.raises(Refused, match="no labels"):
        units.prepared(str(tmp_path))
