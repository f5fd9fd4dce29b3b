"""From trained weights to the shipped pair: affect.tflite and its card affect.json."""

import hashlib
import json
import os

import numpy as np

from . import AUS, EXPRESSIONS, EYE_AUS, MOUTH_AUS, align, evaluate, export, net

WEAK = (15, 23, 24)
LIMITS = [
    "Not a safety function: no SIL or PL is claimed; an aid to monitoring.",
    "Not for judging character, truthfulness, health, performance or identity.",
    "Valence and arousal are derived from expression votes by the circumplex of affect; nobody rated them.",
    "Contempt, disgust and fear are rare in the training data and often missed.",
    "Trained on public photographs (FER+, public figures): poses beyond about 40 degrees, children, and cameras far above or below the face are outside of it.",
    "FER+'s test part has been opened for each version, so its figures are a little too good. Five folds were not measured: the trunk learnt from FER+'s training part, so that each fold needs a trunk of its own.",
    "The EU AI Act, Art. 5(1)(f), bans inferring emotions of people at work except for medical or safety reasons.",
]
DATA = [
    {"name": "FER+", "licence": "labels MIT; rights in the pictures unclear, as with every FER2013 model", "note": "expression votes as soft labels; copies and re-crops removed"},
    {"name": "faces144", "licence": "repository Apache-2.0; rights in the pictures unclear", "note": "real faces with MediaPipe blendshapes, split by person"},
    {"name": "ICT-FaceKit", "licence": "MIT, 2020 USC Institute for Creative Technologies", "note": "rendered heads with exact shape weights, some by an earlier version of the renderer; furrows and pressed lips are painted, so part of the score on rendered faces rests on the paint"},
    {"name": "people320", "licence": "repository MIT; rights in the pictures unclear", "note": "real masks and dark glasses, for visibility; three groups in ten, the others are kept for scores"},
    {"name": "ratings by eye", "licence": "Apache-2.0", "note": "this project's own, of real faces of the sets above, by a vision model; the heads of units and visibility learnt from their training part"},
    {"name": "MediaPipe Face Landmarker", "licence": "Apache-2.0", "note": "teacher of action units on real faces"},
]


def origin(data):
    """Where the units come from, by the data that a card names."""
    rated = any(d["name"] == "ratings by eye" for d in data)
    alone, end = (("AU23 and AU24 were", "Some real faces that were rated by eye, not by FACS coders, took part in the last step.") if rated else
                  ("AU9, AU23 and AU24 were", "Real faces were rated by eye to measure this, not by FACS coders."))
    return ("Action units were learnt from rendered heads (exact for the head's shapes, not certified FACS) and from MediaPipe's blendshapes on real faces; no FACS coder's labels were at hand. "
            f"{alone} learnt from rendered heads alone. {end}")


def limits(scores, data):
    """LIMITS, where the units come from, and what the scores themselves say."""
    s = scores.get("test") or scores["validation"]
    low = [f"AU{k} ({v:.2f})" for k, v in s["rendered"]["unit_f1"].items() if v is not None and v < .6]
    rare = [f"{k} ({v:.2f})" for k, v in s["ferplus"]["class_f1"].items() if v is not None and v < .6]
    own = []
    if low:
        own.append("F1 below 0.6 on rendered persons never seen: " + ", ".join(low) + ".")
    if rare:
        own.append("F1 below 0.6 on FER+: " + ", ".join(rare) + ".")
    eye = scores.get("by_eye", {}).get("score", {})
    false = [f"{k.replace('or', ' or AU')} ({v['random']['false']:.2f})" for k, v in eye.get("units", {}).items() if (v["random"]["false"] or 0) > .1]
    if false:
        own.append("Called present on more than one in ten real faces of unknown people where it is clearly absent, rated by eye: " + ", ".join(false) + ". Resting brows and noses of some people look like these units in one picture.")
    hurt = [f"{k} faces have a median of {v['median']}" for k, v in scores.get("by_eye", {}).get("pain", {}).items() if v["median"] > 2]
    if hurt:
        own.append("The pain index, 0 to 16, is made of probabilities, not intensities: of real faces that are in no known pain " + ", ".join(hurt) + ". So the unit does not tell it: alarms on it are refused, and register 58 has no value.")
    apart = []
    for k, columns in scores.get("by_eye", {}).get("groups", {}).items():
        for w, v in columns.items():
            (bad, x), (good, y) = max(v.items(), key=lambda i: i[1][1], default=(0, 0)), min(v.items(), key=lambda i: i[1][1], default=(0, 0))
            if v and x[1] > max(.03, 2 * y[1]) and x[2] > y[3]:
                apart.append(f"{k.replace('or', ' or AU')} by {w} ({bad} {x[1]:.2f}, {good} {y[1]:.2f})")
    if apart:
        own.append("False positives by what a rater saw of the person differ by more than a factor of two and more than chance: " + ", ".join(apart) + ".")
    missed = [f"{k} ({v['recall']:.2f})" for k, v in eye.get("covers", {}).items() if v["recall"] is not None and v["recall"] < .9]
    if missed:
        own.append("Real covers found, rated by eye, below 0.9: " + ", ".join(missed) + "; the scores of the worker's face are of drawn covers.")
    return LIMITS[:3] + [origin(data)] + LIMITS[3:] + own


def calibration(work, n=240, seed=5):
    """Disturbed and plain training crops of all three sources, (n, 112, 112, 1) in [-1, 1]."""
    from . import augment, pool
    r = np.random.default_rng(seed)
    out = []
    sources = [pool.from_ferplus(work), pool.from_faces144(work), pool.from_renders(work)]
    for i in range(n):
        s = sources[i % 3]
        k = int(r.integers(len(s)))
        out.append(augment.sample(s.image[k], s.eyes[k], r, s.sharp, plain=i % 2 == 0)[0])
    return ((np.array(out, np.float32) - 127.5) / 127.5)[..., None]


def order(runner, model):
    """Which output tensor is which: by what they answer, not by their names."""
    r = np.random.default_rng(3)
    x = np.clip(r.normal(size=(6, align.SIZE, align.SIZE)).cumsum(1) * 6 + 127, 0, 255).astype(np.float32)
    want = [v.numpy() for v in model(((x - 127.5) / 127.5)[..., None], training=False)]
    got = runner(x)
    index = {}
    for name, w in zip(net.OUTPUTS, want):
        fits = [(np.abs(w - g).mean(), i) for i, g in enumerate(got) if g.shape == w.shape]
        index[name] = min(fits)[1]
    assert len(set(index.values())) == len(net.OUTPUTS)
    return index


def write(path, content):
    """Replaces a file at once, so that a stopped run leaves the old one."""
    with open(path + ".part", "wb") as f:
        f.write(content)
    os.replace(path + ".part", path)


def make(work, data, weights, assets, version, test=False, log=print):
    """Converts, chooses thresholds on validation identities, measures, writes both files.

    weights: list of arrays in the model's order. test: measure the test parts too (the parts
    meant to be opened once, at the end)."""
    model = net.of(weights, drop=0.)
    log("int8 conversion")
    content = export.convert(model, calibration(work))
    runner = export.Runner(content)
    index = order(runner, model)
    scale, zero = runner.input["quantization"]
    log("thresholds on validation identities")
    thresholds, on_valid = evaluate.thresholds(work, data, runner, index)
    closed_at = evaluate.eyes_closed_at(work, data, runner, index)
    visible = evaluate.visible_at(data, runner, index)
    scores = {"validation": evaluate.measure(work, data, runner, index, thresholds, closed_at, "valid", log, visible)}
    scores["float_to_int8"] = evaluate.quantisation(work, model, runner, index, thresholds)
    if test:
        scores["test"] = evaluate.measure(work, data, runner, index, thresholds, closed_at, "test", log, visible)
    log("the worker's face")
    scores["disturbed"] = evaluate.disturbed(work, runner, index, thresholds, "test" if test else "valid", visible)
    info = {"multiply_adds": net.macs(model), "parameters": int(model.count_params()), "bytes": len(content)}
    card = {
        "schema": 1, "name": "mien-affect-1", "version": version, "file": "affect.tflite", "sha256": hashlib.sha256(content).hexdigest(),
        "licence": "Apache-2.0",
        "description": "Multi-task face network: eight expressions, valence and arousal (derived), 14 action units, visibility of eyes and mouth. "
                       "Trained by model/train from the data named here.",
        "input": {"index": 0, "width": align.SIZE, "height": align.SIZE, "channels": 1, "colour": "grey", "mean": [127.5], "std": [127.5],
                  "template": {"right_eye": list(align.RIGHT_EYE), "left_eye": list(align.LEFT_EYE)}},
        "outputs": {
            "expression": {"index": index["expression"], "kind": "logits", "classes": list(EXPRESSIONS)},
            "valence_arousal": {"index": index["valence_arousal"], "kind": "raw", "order": ["valence", "arousal"], "derived": True},
            "action_units": {"index": index["action_units"], "kind": "logits", "units": list(AUS), "thresholds": thresholds, "weak": list(WEAK), "eyes_closed_at": closed_at},
            "visibility": {"index": index["visibility"], "kind": "logits", "parts": ["eyes", "mouth"], "thresholds": visible},
        },
        "regions": {"eyes": list(EYE_AUS), "mouth": list(MOUTH_AUS)},
        "known_answer": {"input": "lcg:1", "outputs": export.known_answer(content)},
        "data": DATA, "scores": {**scores, **info, "thresholds_chosen_on": on_valid},
    }
    log("real faces rated by eye")
    scores = card["scores"]
    scores["by_eye"] = evaluate.real_faces(data, runner, index, card)
    card["limits"] = limits(scores, DATA)
    weak = set(WEAK) | {k for k, v in scores["validation"]["rendered"]["unit_f1"].items() if v < .6 for k in [int(k)]}
    card["outputs"]["action_units"]["weak"] = sorted(weak)
    os.makedirs(assets, exist_ok=True)
    write(os.path.join(assets, "affect.tflite"), content)
    write(os.path.join(assets, "affect.json"), (json.dumps(card, indent=1) + "\n").encode())
    log(f"{assets}/affect.tflite: {len(content)} bytes, {info['multiply_adds'] / 1e6:.0f} M multiply-adds")
    return card
