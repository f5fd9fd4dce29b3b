"""MediaPipe's blendshapes as a teacher of action units on real faces.

RULE maps blendshapes (and two landmark measures) to a unit: the value, where it means
absent, where it means present, and how far it is to be believed. Between the two marks
the target rises linearly. Measured against rendered faces of known units the teacher is
good for 1, 2, 10, 12, 25, 26, 43 and poor for 4, 6, 7, 15; it cannot express 9, 23, 24
(noseSneer and the lip-tightening shapes stay near zero), which renders alone teach.
"""

import numpy as np

from . import AUS
from .blaze import BLENDSHAPES

RULE = {  # unit: (absent at or below, present at or above, trust 0..1, what it is made of)
    1: (.15, .45, 1., "browInnerUp"),
    2: (.12, .42, 1., "mean of browOuterUp left and right"),
    4: (.10, .40, .4, "larger browDown"),
    6: (.40, 1.0, .4, "smaller of mouthSmile / 0.6 and eyeSquint / 0.45"),
    7: (.25, .60, .3, "mean eyeSquint"),
    10: (.06, .28, .8, "larger mouthUpperUp"),
    12: (.15, .50, 1., "larger mouthSmile"),
    15: (.03, .14, .3, "larger mouthFrown"),  # before a mirror it says otherwise every other time
    25: (.03, .11, 1., "inner-lip gap over the distance of the outer eye corners (landmarks)"),
    26: (.06, .28, 1., "jawOpen"),
    43: (.40, .65, 1., "mean eyeBlink"),
}


def values(blend, gap):
    """Raw teacher value of every unit, nan where it cannot say: (N, 52), (N,) -> (N, 14)."""
    b = np.asarray(blend, np.float32)
    g = lambda n: b[:, BLENDSHAPES.index(n)]
    big = lambda n: np.maximum(g(n + "Left"), g(n + "Right"))
    mean = lambda n: (g(n + "Left") + g(n + "Right")) / 2
    raw = {
        1: g("browInnerUp"), 2: mean("browOuterUp"), 4: big("browDown"),
        6: np.minimum(big("mouthSmile") / .6, mean("eyeSquint") / .45), 7: mean("eyeSquint"),
        10: big("mouthUpperUp"), 12: big("mouthSmile"), 15: big("mouthFrown"), 25: np.asarray(gap, np.float32),
        26: g("jawOpen"), 43: mean("eyeBlink"),
    }
    out = np.full((len(b), len(AUS)), np.nan, np.float32)
    for k, v in raw.items():
        out[:, AUS.index(k)] = v
    return out


def targets(raw):
    """Targets 0..1 and trust for the loss, both (N, 14); trust 0 where unknown."""
    y = np.zeros_like(raw)
    trust = np.zeros_like(raw)
    for k, (lo, hi, t, _) in RULE.items():
        i = AUS.index(k)
        ok = ~np.isnan(raw[:, i])
        y[ok, i] = np.clip((raw[ok, i] - lo) / (hi - lo), 0, 1)
        trust[ok, i] = t
    return y, trust
