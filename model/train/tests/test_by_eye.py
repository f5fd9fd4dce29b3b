"""The ratings that are committed, and the arithmetic that scores by them."""

from types import SimpleNamespace

import numpy as np
import pytest

from affect import AUS, by_eye

HEAD = "set,index,part,chosen,group,rating,right_x,right_y,left_x,left_y," + ",".join(by_eye.MARKS + by_eye.WORDS)
MARKS = dict.fromkeys(by_eye.MARKS + by_eye.WORDS, "")


def table(tmp_path, rows):
    base = dict(set="faces144", part="score", chosen="random", rating="first", right_x="40", right_y="50", left_x="80", left_y="50")
    full = [{**MARKS, **base, "index": str(n), "group": str(n), **r} for n, r in enumerate(rows)]
    path = tmp_path / "made.csv"
    path.write_text(HEAD + "\n" + "\n".join(",".join(r[k] for k in HEAD.split(",")) for r in full) + "\n")
    return by_eye.read(path)


def test_committed_ratings():
    t = by_eye.read()
    first = t.of(*by_eye.PARTS)
    assert len(first) >= 1500 and len(t.of("score")) >= 400
    assert np.all(np.linalg.norm(first.eyes[:, 1] - first.eyes[:, 0], axis=1) > 5)
    for part in ("train", "threshold", "score"):  # every mark has something to tell in every part
        p = t.of(part)
        assert all((p.mark(m) == 0).sum() >= 50 for m in by_eye.MARKS), part
    again = t.where(t.rating == "again")
    assert len(again) >= 150


def test_wrong_rows_are_named(tmp_path):
    for bad in ({"AU4": "2"}, {"part": "test"}, {"glasses": "yes"}, {"index": "-1"}, {"covered_mouth": "dark"}):
        with pytest.raises(ValueError, match=r"made.csv:3: " + next(iter(bad))):
            table(tmp_path, [{}, bad])
    with pytest.raises(ValueError, match="two parts"):
        table(tmp_path, [{"group": "7"}, {"group": "7", "part": "train"}])
    with pytest.raises(ValueError, match="two first"):
        table(tmp_path, [{"index": "7", "group": "7"}, {"index": "7", "group": "7"}])


def test_kappa():
    assert by_eye.kappa(list("1100"), list("1100")) == 1
    assert by_eye.kappa(list("1100"), list("1010")) == 0
    assert abs(by_eye.kappa(list("11110000"), list("11100001")) - .5) < 1e-9
    assert by_eye.kappa(list("00"), list("00")) != by_eye.kappa(list("00"), list("00"))


def test_agreement_counts_what_both_told(tmp_path):
    rows = [{"AU4": a} for a in ("1", "0", "0", "")] + [{"index": str(i), "group": str(i), "rating": "other", "AU4": a} for i, a in enumerate(("1", "0", "1", "0"))]
    a = by_eye.agreement(table(tmp_path, rows), "other")
    assert (a["faces"], a["AU4"]["n"], a["AU4"]["equal"], a["AU4"]["empty"]) == (4, 3, .667, .25)
    assert by_eye.agreement(table(tmp_path, rows), "again") is None


def test_scores(tmp_path):
    rows = [{"AU4": "1", "AU43": "0", "down": "1", "covered_mouth": "1", "glasses": "dark"}, {"AU4": "1", "covered_mouth": "0"}, {"AU4": "0", "AU43": "0", "AU12": "1", "glasses": "0"},
            {"AU4": "0", "chosen": "brows", "AU43": "1"}, {"AU4": ""}, {"AU4": "0", "expr": "none"}]
    t = table(tmp_path, rows).of("score")
    assert len(t) == 5  # what is not a face does not count
    au = np.full((5, len(AUS)), .1)
    au[:, AUS.index(4)] = .9, .2, .1, .7, .9
    au[:, AUS.index(43)] = .9, .1, .1, .9, .9
    a = SimpleNamespace(au=au, visible=np.array([[.2, .3], [.9, .9], [.9, .9], [.9, .9], [.9, .9]]))
    s = by_eye.scores(a, t, [.5] * len(AUS), .5, rounds=20)
    u = s["units"]["AU4"]
    assert (u["present"], u["absent"], u["recall"], u["false"], u["auc"]) == (2, 2, .5, .5, .75)
    assert u["random"] == {"absent": 1, "false": 0.}  # the chosen one is not in it
    assert u["recall_95"][0] <= .5 <= u["recall_95"][1]
    shut = {k: (v["n"], v["called_closed"]) for k, v in s["not_closed"].items()}
    assert shut["cast down"] == (1, 1.) and shut["smiling"] == (1, 0.) and shut["cast down, smiling or behind glasses"] == (2, .5)
    assert s["not_closed"]["cast down"]["called_closed_95"] == by_eye.wilson(1, 1)
    assert s["covers"]["mouth"]["recall"] == 1 and s["covers"]["eyes"]["present"] == 1
    assert "AU4" in by_eye.text(s, "made")


def test_either_brow_unit_counts(tmp_path):
    t = table(tmp_path, [{"AU1or2": "1"}, {"AU1or2": "1"}, {"AU1or2": "0"}])
    au = np.full((3, len(AUS)), .1)
    au[0, AUS.index(1)] = au[1, AUS.index(2)] = .8
    level, call = by_eye.called(SimpleNamespace(au=au), [.7] * len(AUS), .5)["AU1or2"]
    assert call.tolist() == [True, True, False] and level[2] < 0


def test_found_faces_are_shares(tmp_path):
    path = tmp_path / "found.csv"
    path.write_text("width,faces,found,eyes_near\n60,100,94,80\n")
    f = by_eye.found(path)["60"]
    assert f["faces"] == 100 and f["found"] == [.94, *by_eye.wilson(94, 100)] and f["eyes_near"] == [.851, *by_eye.wilson(80, 94)]
    path.write_text("width,faces,found,eyes_near\n60,100,80,94\n")
    with pytest.raises(ValueError, match="found.csv"):
        by_eye.found(path)


def test_groups_that_differ_are_a_limit():
    from affect import card
    base = {"validation": {"rendered": {"unit_f1": {}}, "ferplus": {"class_f1": {}}}}
    told = lambda **v: [l for l in card.limits({**base, "by_eye": {"groups": {"AU1or2": {"skin": v}}}}, []) if "factor of two" in l]
    assert told(dark=[30, .233, .118, .409], light=[363, .058, .038, .087]) == [
        "False positives by what a rater saw of the person differ by more than a factor of two and more than chance: AU1 or AU2 by skin (dark 0.23, light 0.06)."]
    assert not told(dark=[30, .133, .053, .297], light=[363, .058, .038, .087])  # chance may be all of it
    assert not told(dark=[300, .028, .02, .03], light=[363, .003, .001, .009]) and not told()
