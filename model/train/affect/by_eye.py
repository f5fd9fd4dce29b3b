"""Real faces rated by eye: labels/by_eye.csv, its pictures, how far two ratings agree, and scores.

A row of the CSV is a rating of one face. set and index: which picture of which data set (faces144, FER+'s
ferplus, people320). part: train, threshold (chooses the card's thresholds) or score; score and threshold are
persons and groups that no network was trained on. unused: another crop of it is in another part, or the
preparation of FER+ drops it. chosen: random, or why it was chosen. group: person, or number of a group of near
copies; the bootstrap draws groups. rating: first, again (the same rater later, in another sheet), other (another
rater); what is trained and scored is the first. right_x to left_y: eyes in pixels of the picture. Then the marks:
1 clearly present, 0 clearly absent, empty where it cannot be told; glasses 0, 1, dark (no eyes seen through them)
or hidden (by something else); sex to beard as they appear, for the audit of groups alone. expr `none`: not a
face that can be rated. Raters saw no score.
"""

import csv
import os
import zlib

import cv2
import numpy as np

from . import AUS, align, metrics

FILE = os.path.join(os.path.dirname(__file__), "..", "labels", "by_eye.csv")
MARKS = ("AU1or2", "AU4", "AU6", "AU9", "AU12", "AU15", "AU24", "AU25", "AU26", "AU43", "down")
WORDS = ("glasses", "covered_mouth", "expr", "sex", "age", "skin", "beard")
UNITS = {"AU1or2": (1, 2), **{f"AU{k}": (k,) for k in (4, 6, 9, 12, 15, 24, 25, 26, 43)}}  # mark: the network's units
PARTS = ("train", "threshold", "score", "unused")


class Table:
    """Ratings: set, index, part, chosen, group, rating and WORDS as string arrays, eyes (N, 2, 2), marks
    (N, 11) of 0, 1 and nan."""

    def __init__(self, rows):
        take = lambda k: np.array([r[k] for r in rows])
        self.set, self.part, self.chosen, self.rating = (take(k) for k in ("set", "part", "chosen", "rating"))
        self.index = take("index").astype(int)
        self.group = np.array([f"{r['set']} {r['group']}" for r in rows])
        self.eyes = np.array([[[r["right_x"], r["right_y"]], [r["left_x"], r["left_y"]]] for r in rows], np.float32).reshape(-1, 2, 2)
        self.marks = np.array([[{"1": 1., "0": 0., "": np.nan}[r[m]] for m in MARKS] for r in rows], np.float32)
        self.word = {w: take(w) for w in WORDS}
        self.rows = rows

    def __len__(self):
        return len(self.rows)

    def where(self, keep):
        return Table([r for r, k in zip(self.rows, keep) if k])

    def mark(self, name):
        return self.marks[:, MARKS.index(name)]

    def of(self, *parts):
        """First ratings of the parts, of what can be rated at all."""
        return self.where(np.isin(self.part, parts) & (self.rating == "first") & (self.word["expr"] != "none"))

    def eyes_covered(self):
        """1 covered, 0 seen, nan not told."""
        return np.array([{"": np.nan, "0": 0., "1": 0.}.get(g, 1.) for g in self.word["glasses"]], np.float32)

    def mouth_covered(self):
        return np.array([{"": np.nan}.get(g) if g == "" else float(g) for g in self.word["covered_mouth"]], np.float32)


def read(path=None):
    """The table of a CSV, FILE by default; ValueError names the line that is wrong."""
    path = path or FILE
    with open(path, newline="") as f:
        rows = list(csv.DictReader(f))
    need = ("set", "index", "part", "chosen", "group", "rating", "right_x", "right_y", "left_x", "left_y") + MARKS + WORDS
    for n, r in enumerate(rows, 2):
        bad = [k for k in need if r.get(k) is None]
        bad += [k for k in MARKS + ("covered_mouth",) if r.get(k) not in ("", "0", "1")]
        bad += ["part"] * (r["part"] not in PARTS) + ["rating"] * (r["rating"] not in ("first", "again", "other"))
        bad += ["glasses"] * (r["glasses"] not in ("", "0", "1", "dark", "hidden")) + ["index"] * (not r["index"].isdecimal())
        if bad:
            raise ValueError(f"{path}:{n}: {', '.join(sorted(set(bad)))}: not allowed or missing")
    t = Table(rows)
    first = [(r["set"], r["index"]) for r in rows if r["rating"] == "first"]
    if len(set(first)) < len(first):
        raise ValueError(f"{path}: a face has two first ratings")
    for g in set(t.group):
        if len({p for p in t.part[t.group == g] if p != "unused"}) > 1:
            raise ValueError(f"{path}: group {g} is in two parts")
    return t


def pictures(data, table):
    """Grey pictures of the rows, from the npz files in the folder data."""
    out = [None] * len(table)
    for name in sorted(set(table.set)):
        with np.load(os.path.join(data, name + ".npz")) as d:
            rows = np.nonzero(table.set == name)[0]
            if name == "ferplus":
                image = d["image"]
                for i in rows:
                    out[i] = image[table.index[i]]
                continue
            jpeg, off = d["jpeg"], d["offset"]
            for i in rows:
                k = table.index[i]
                out[i] = cv2.imdecode(jpeg[off[k]:off[k + 1]], cv2.IMREAD_GRAYSCALE)
    return out


def crops(data, table):
    """Aligned crops (N, 112, 112), 0..255, as the unit makes them of the rated eyes."""
    return np.stack([align.crop(im, e[0], e[1]) for im, e in zip(pictures(data, table), table.eyes)])


def masks(data, path=None):
    """Faces of people320 whose groups no rating of another part has, with what its two folders say of the
    mouth: image, eyes, masked. All of a group go where its rated faces went; of a group without ratings the
    training may have the part that falls to it by the group's number."""
    from . import blaze
    t = read(path)
    kept = {int(r["group"]) for r in t.rows if r["set"] == "people320" and r["part"] != "train"}
    with np.load(os.path.join(data, "people320.npz")) as d:
        jpeg, off, masked, group = (d[k] for k in ("jpeg", "offset", "masked", "group"))
    find = blaze.Detector(blaze.detector_bytes(os.path.join(os.path.dirname(__file__), "..", "..", "..", ".deps", "lib")))
    out = {"image": [], "eyes": [], "masked": []}
    for i in range(len(masked)):
        if zlib.crc32(f"by eye group {group[i]}".encode()) % 10 < 7 or int(group[i]) in kept:
            continue
        image = cv2.imdecode(jpeg[off[i]:off[i + 1]], cv2.IMREAD_COLOR)
        rgb = np.ascontiguousarray(image[:, :, ::-1])
        face = find(rgb) or find(rgb, max(rgb.shape[:2]) * .6)
        if face:
            for k, v in (("image", cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)), ("eyes", face[2][:2]), ("masked", masked[i])):
                out[k].append(v)
    return {"image": out["image"], "eyes": np.array(out["eyes"]), "masked": np.array(out["masked"])}


def kappa(a, b):
    """Cohen's kappa of two vectors of words; nan where only one word occurs."""
    a, b = np.asarray(a), np.asarray(b)
    agree = np.mean(a == b)
    chance = sum(np.mean(a == w) * np.mean(b == w) for w in set(a) | set(b))
    return float((agree - chance) / (1 - chance)) if chance < 1 else float("nan")


def agreement(table, rating):
    """How first and second ratings (again or other) agree, a column: n both told, share equal and kappa
    of those, and the share left empty by either."""
    first = {(s, i): k for k, (s, i, r) in enumerate(zip(table.set, table.index, table.rating)) if r == "first"}
    pairs = [(first[(s, i)], k) for k, (s, i, r) in enumerate(zip(table.set, table.index, table.rating)) if r == rating]
    if not pairs:
        return None
    a, b = np.array(pairs).T
    out = {"faces": len(pairs)}
    for m in MARKS + ("glasses", "covered_mouth"):
        x, y = (np.array([table.rows[k][m] for k in p]) for p in (a, b))
        both = (x != "") & (y != "")
        n = int(both.sum())
        out[m] = {"n": n, "present": int(((x == "1") & both).sum()), "equal": round(float(np.mean(x[both] == y[both])), 3) if n else None,
                  "kappa": None if n == 0 or kappa(x[both], y[both]) != kappa(x[both], y[both]) else round(kappa(x[both], y[both]), 3),
                  "empty": round(float(1 - n / len(pairs)), 3)}
    return out


def _interval(score, groups, rounds, seed=0):
    """95% of score(rows) over groups drawn with replacement, nan draws left out."""
    r = np.random.default_rng(seed)
    _, g = np.unique(groups, return_inverse=True)
    members = [np.nonzero(g == k)[0] for k in range(g.max() + 1)]
    v = [score(np.concatenate([members[k] for k in r.integers(len(members), size=len(members))])) for _ in range(rounds)]
    v = [x for x in v if x == x]
    return [round(float(np.quantile(v, q)), 3) for q in (.025, .975)] if v else None


def _binary(level, present, called, groups, rounds):
    """AUC, recall and false positives of a level and a call against what is clearly present or absent."""
    ok = present == present
    level, y, called, groups = level[ok], present[ok] > .5, called[ok], groups[ok]
    rate = lambda want: lambda ix: float(called[ix][y[ix] == want].mean()) if (y[ix] == want).any() else float("nan")
    out = {"present": int(y.sum()), "absent": int((~y).sum())}
    for name, f in (("auc", lambda ix: metrics.auc(level[ix], y[ix])), ("recall", rate(True)), ("false", rate(False))):
        every = np.arange(len(y))
        v = f(every) if len(y) else float("nan")
        out[name] = None if v != v else round(v, 3)
        out[name + "_95"] = _interval(f, groups, rounds) if v == v and rounds else None
    return out


def called(answers, thresholds, closed_at):
    """What the unit calls present: {mark: (level, bool)}; AU1or2 is either unit, its level the larger one
    in parts of its threshold's odds. Closed eyes are called at closed_at."""
    t = dict(zip(AUS, thresholds))
    t[43] = closed_at
    logit = lambda p: np.log(np.clip(p, 1e-6, 1 - 1e-6) / np.clip(1 - p, 1e-6, 1))
    out = {}
    for mark, units in UNITS.items():
        over = np.max([logit(answers.au[:, AUS.index(k)]) - logit(np.float64(t[k])) for k in units], axis=0)
        out[mark] = over, over >= 0
    return out


def scores(answers, table, thresholds, closed_at, visible=(.5, .5), rounds=500):
    """Scores of answers (evaluate.Answers of crops(table)) against the marks: per unit AUC, recall among clearly
    present and false positives among clearly absent, of all rows and of the ones chosen at random; closed
    eyes against what is not closed; covers. Intervals: bootstrap over groups."""
    out = {"faces": len(table), "groups": len(set(table.group)), "chosen_at_random": int((table.chosen == "random").sum()), "units": {}}
    calls = called(answers, thresholds, closed_at)
    at_random = table.chosen == "random"
    for mark in UNITS:
        y, (level, call) = table.mark(mark), calls[mark]
        out["units"][mark] = _binary(level, y, call, table.group, rounds)
        some = at_random & (y == 0)
        out["units"][mark]["random"] = {"absent": int(some.sum()), "false": round(float(call[some].mean()), 3) if some.any() else None}
    level, call = calls["AU43"]
    open_ = table.mark("AU43") == 0
    kinds = {"cast down": (table.mark("down") == 1) & (table.mark("AU43") != 1), "smiling": open_ & (table.mark("AU12") == 1), "behind glasses": open_ & (table.word["glasses"] == "1"),
             "other open": open_ & (table.mark("down") != 1) & (table.mark("AU12") != 1) & (table.word["glasses"] != "1")}
    kinds["cast down, smiling or behind glasses"] = kinds["cast down"] | kinds["smiling"] | kinds["behind glasses"]
    out["not_closed"] = {k: {"n": int(m.sum()), "called_closed": round(float(call[m].mean()), 3) if m.any() else None,
                             "called_closed_95": wilson(call[m].sum(), m.sum()) if m.any() else None} for k, m in kinds.items()}
    covers = {"mouth": (table.mouth_covered(), 1), "eyes": (table.eyes_covered(), 0)}
    out["covers"] = {}
    for part, (y, i) in covers.items():
        out["covers"][part] = _binary(1 - answers.visible[:, i], y, answers.visible[:, i] < visible[i], table.group, rounds)
    out["covers"]["mouth"]["glasses_too"] = int(((table.mouth_covered() == 1) & np.isin(table.word["glasses"], ("1", "dark"))).sum())
    return out


def wilson(k, n, z=1.96):
    """Wilson's 95% interval of the share k of n."""
    p, d = k / n, 1 + z * z / n
    half = z * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return [round(float(max(0, p + z * z / (2 * n) + s * half) / d), 3) for s in (-1, 1)]


# How often the score part has been looked at: with each look, what comes after is a little more chosen by it.
OPENED = ("its first 543 faces more than once while 0.6.0 was made; 1,563 for 0.6.0, for two candidates of 0.7.0 and for 0.7.0; all of them "
          "twice more for 0.7.0 while more of them were rated, and nothing was chosen by that")


def groups(answers, table, thresholds, closed_at, least=25):
    """False positives among clearly absent, by what the rater saw of the person: {unit: {column: {value: [n, share,
    low, high]}}}, the last two its 95% interval. For the audit; values with fewer than least faces are left out."""
    calls = called(answers, thresholds, closed_at)
    out = {}
    for mark in UNITS:
        absent, call = table.mark(mark) == 0, calls[mark][1]
        out[mark] = {}
        for w in ("sex", "age", "skin", "beard", "glasses"):
            v = {str(k): absent & (table.word[w] == k) for k in sorted(set(table.word[w])) if k}
            out[mark][w] = {k: [int(m.sum()), round(float(call[m].mean()), 3), *wilson(call[m].sum(), m.sum())] for k, m in v.items() if m.sum() >= least}
    return out


def found(path):
    """Of `go run ./tools/finding -unit`: per width in pixels the faces, the share that is found and, of those, the share with
    both eyes near, with Wilson's intervals."""
    with open(path, newline="") as f:
        rows = [{k: int(v) for k, v in r.items()} for r in csv.DictReader(f)]
    if not rows or any(not 0 <= r["eyes_near"] <= r["found"] <= r["faces"] or r["found"] == 0 for r in rows):
        raise ValueError(f"{path}: no rows, or shares beyond one")
    share = lambda k, n: [round(k / n, 3), *wilson(k, n)]
    return {str(r["width"]): {"faces": r["faces"], "found": share(r["found"], r["faces"]), "eyes_near": share(r["eyes_near"], r["found"])} for r in rows}


def pain(answers, table, closed_at):
    """The Prkachin-Solomon index as the unit makes it of levels, of bare faces by rated expression: {expression:
    n, median, share from 8 on}. Levels are probabilities of presence, so a smile of no pain at all scores."""
    g = lambda k: answers.au[:, AUS.index(k)]
    index = 5 * (g(4) + np.maximum(g(6), g(7)) + np.maximum(g(9), g(10))) + (g(43) >= closed_at)
    some = (table.mouth_covered() == 0) & (table.eyes_covered() == 0)
    out = {}
    for e in ("neutral", "happiness"):
        m = some & (table.word["expr"] == e)
        if m.any():
            out[e] = {"n": int(m.sum()), "median": round(float(np.median(index[m])), 1), "from_8": round(float(np.mean(index[m] >= 8)), 3)}
    return out


def text(scored, name):
    """The scores as a table for the terminal."""
    ci = lambda s, k: "–" if s[k] is None else f"{s[k]:.3f}" + (f" ({s[k + '_95'][0]:.2f}–{s[k + '_95'][1]:.2f})" if s.get(k + "_95") else "")
    lines = [f"{name}: {scored['faces']} faces of {scored['groups']} persons or groups, {scored['chosen_at_random']} of them chosen at random",
             f"{'':16s}{'present':>8s}{'absent':>8s}  {'AUC':22s}{'recall':22s}{'false positives':22s}false, random ones"]
    row = lambda k, s: f"{k:16s}{s['present']:8d}{s['absent']:8d}  {ci(s, 'auc'):22s}{ci(s, 'recall'):22s}{ci(s, 'false'):22s}"
    for k, s in scored["units"].items():
        q = s["random"]
        lines.append(row(k, s) + ("–" if q["false"] is None else f"{q['false']:.3f} of {q['absent']}"))
    lines += [row(part + " covered", s) for part, s in scored["covers"].items()]
    lines.append("called closed: " + "; ".join(f"{k} {v['called_closed']} of {v['n']}" for k, v in scored["not_closed"].items()))
    return "\n".join(lines)
