"""One definition of each score, here and in tools/evaluate: both hold what they make of scores.csv
against scores.json. `python tests/test_scores.py` writes it again."""

import csv
import json
import os
import sys

import numpy as np

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from affect import metrics

HERE = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "testdata")
CLASSES = 4


def scores():
    with open(os.path.join(HERE, "scores.csv")) as f:
        rows = list(csv.DictReader(f))
    column = lambda name: np.array([float(r[name]) if r[name] else np.nan for r in rows])
    truth, answer = column("class"), column("class_answer")
    ok = ~np.isnan(truth)
    truth, answer, confidence = truth[ok].astype(int), answer[ok].astype(int), column("confidence")[ok]
    out = {
        "accuracy": float(np.mean(truth == answer)),
        "macro_f1": metrics.macro_f1(answer, truth, CLASSES),
        "class_f1": [metrics.f1(answer == c, truth == c) for c in range(CLASSES)],
        "calibration_error": metrics.calibration_error(confidence, truth == answer),
    }
    for name in ("valence", "constant"):
        t, a = column(name), column("valence_answer")
        ok = ~np.isnan(t)
        out["ccc_" + name] = metrics.ccc(a[ok], t[ok])
    for name in ("unit", "absent"):
        t, a = column(name), column("unit_answer")
        ok = ~np.isnan(t)
        t, a = t[ok] >= .25, a[ok]
        threshold, best = metrics.best_threshold(a, t)
        out[name] = {"f1_at_half": metrics.f1(a >= .5, t), "auc": metrics.auc(a, t), "best_f1": best, "best_threshold": threshold if best == best else None}
    return json.loads(json.dumps(out), parse_constant=lambda _: None)


def same(a, b):
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same, a, b))
    return a is None and b is None or a is not None and b is not None and abs(a - b) < 1e-9


def test_scores_are_those_of_tools_evaluate():
    with open(os.path.join(HERE, "scores.json")) as f:
        want = json.load(f)
    got = scores()
    assert same(got, want), got


if __name__ == "__main__":
    with open(os.path.join(HERE, "scores.json"), "w") as f:
        json.dump(scores(), f, indent=1)
        f.write("\n")
