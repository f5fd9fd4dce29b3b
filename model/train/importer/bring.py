"""The whole import: reads, calibrates, converts, compares, tries the files on the unit's program, writes."""

import os
import tempfile

import numpy as np
import tensorflow as tf

from affect import blaze

from . import Refused, card, faces, network, quantise, unit, units

CALIBRATE, COMPARE = 200, 60  # pictures; a small folder gives two thirds and one third
SAME = .999     # cosine below which the float32 file is not the given network
ALIKE = .95     # share of the faces that one expression may come first for
FLAT = .02      # standard deviation over the faces below which a level says nothing
CLOSE = .93     # mean cosine below which the int8 file comes with a warning


def run(s, say):
    """s: the dict of __main__.settings. Returns the card's path; Refused says why there is none."""
    n = network.load(s["weights"], s["size"], s["classes"], s["units"], s["affect"], s["bgr"])
    n.path = s["source"]  # as the user knows it
    describe(n, say)
    kind = s["preprocessing"] or guess(n)
    mean, std = (v[:n.channels] for v in (faces.PREPROCESSING[kind] if isinstance(kind, str) else kind))
    if not isinstance(kind, str):
        kind = f"(x - {mean}) / {std}"
    say(f"preprocessing: {kind}" + (", channels blue, green, red" if n.bgr else "") + ("" if s["preprocessing"] else " (by its kind; PREPROCESSING says otherwise)"))
    at = faces.template(n.size, s["template"])
    inside(at, n.size)

    # A plain conversion first: an operator that is not there is reported before minutes are spent.
    heads = heads_of(n)
    say("float32: translating")
    content = quantise.convert(quantise.function(n, heads))
    raw, origin = pictures(s, n, at, say)
    cut = CALIBRATE if len(raw) >= CALIBRATE + COMPARE else len(raw) * 2 // 3
    calibrate, compare = raw[:cut], faces.normalised(raw[cut:cut + COMPARE], mean, std)
    reference = quantise.Reference(s["weights"], n)
    want = reference(compare)
    if not np.all(np.isfinite(want)):
        raise Refused(f"{n.path}: answers with what is no number to faces: its weights are damaged, or PREPROCESSING is wrong")
    exact = compared(n, want, quantise.Runner(content)(compare), heads)
    say(f"float32 against the file itself, {len(compare)} faces: mean cosine {exact['all']['cosine_mean']:.5f}")
    if exact["all"]["cosine_mean"] < SAME:
        raise Refused(f"{n.path}: the translated network answers otherwise than the file (cosine {exact['all']['cosine_mean']:.4f}): an operator is not understood; operators: {', '.join(sorted(set(n.operators())))}")

    head = None
    if s["au"]:
        head = action_units(s, n, mean, std, at, say)
        heads = [h for h in heads if h[0] != "action_units"] + [("action_units", n.outputs[0].features, head)]
    say(f"int8: calibrating on {len(calibrate)} faces of {origin}")
    content = quantise.convert(quantise.function(n, heads), faces.normalised(faces.stretched(calibrate), mean, std), say)
    runner = quantise.Runner(content)
    close = compared(n, want, runner(compare), [h for h in heads if not (head and h[0] == "action_units")], runner)
    say(f"int8 against float32, {len(compare)} faces that set no scale:")
    for name, row in close.items():
        say(f"  {name:16} " + ", ".join(f"{k.replace('_', ' ')} {v:.4f}" for k, v in row.items()))

    note = [f"What its scores mean is {'as the file states' if n.stated else 'as told by whoever imported it; nothing in the file says so'}.",
            f"Preprocessing {kind}{'' if s['preprocessing'] else ', chosen by the kind of network'}; where the eyes are in its training crops is {'as told' if s['template'] else 'not in the file: the usual five-point template'}."]
    if close["all"]["cosine_mean"] < CLOSE:
        note.append(f"int8 agrees badly with float32 (mean cosine {close['all']['cosine_mean']:.3f}).")
        say(f"WARNING: below {CLOSE}: give more and more varied faces (CALIBRATION=folder), or don't use this network")
    alike = same_for_all(n, want)
    if alike:
        note.append(f"Its answers hardly differ: {alike}.")
        say(f"WARNING: {alike}: PREPROCESSING, COLOUR or TEMPLATE may be wrong, or these are not its kind of faces")
    scores = {"float32_agreement": exact, "int8_agreement": close, "compared_faces": len(compare)}
    if head:
        scores["action_units_f1"] = {str(u): v for u, v in head.scores.items()}
        note.append("Its head for action units was fitted by make import to MediaPipe's labels on faces of other persons; no FACS coder saw them.")
    return finish(s, n, content, runner, (mean, std), at, head, scores, note, heads, say)


def describe(n, say):
    what = [f"{len(n.classes)} expressions"] * bool(n.classes) + [" and ".join(n.affect)] * bool(n.affect) + [f"{len(n.units)} action units"] * bool(n.units)
    say(f"{n.path}: {len(n.graph.node)} nodes, input {n.size[1]}x{n.size[0]}x{n.channels}, {', '.join(what)}")
    if n.classes:
        say(f"expressions in this order: {', '.join(n.classes)}")
    if n.units:
        say(f"action units in this order: {', '.join(map(str, n.units))}")
    for o in n.ignored:
        say(f"output {o} is no list of scores: left out")


def guess(n):
    """HSEmotion's MobileFaceNet alone was trained on (x - 127.5) / 127.5; DDAMFN, the other of 112 pixels, has attention."""
    return "half" if n.size == (112, 112) and "Sigmoid" not in n.operators() else "imagenet"


def inside(at, size):
    for x, y in at:
        if not (0 <= x < size[1] and 0 <= y < size[0]):
            raise Refused(f"TEMPLATE: an eye at {x}, {y} is outside the input of {size[1]}x{size[0]}")


def heads_of(n):
    """[(name, features, head)] in the order that compared expects: by output of the file."""
    return [(name, o.features, quantise.linear(o.weights[a:b], o.bias[a:b])) for o in n.outputs for name, a, b in o.parts]


def widths(n, head=None):
    return {"expression": len(n.classes), "valence_arousal": 2, "action_units": len(head.units) if head else len(n.units)}


def compared(n, want, got, heads, runner=None):
    """{output: agreement} of want (N, all scores, as the file gives them) and a Runner's outputs."""
    find = (lambda k: runner.index(k)) if runner else (lambda k: next(i for i, g in enumerate(got) if g.shape[1] == k))
    parts = [(name, next(o for o in n.outputs if any(p[0] == name for p in o.parts)).shown(got[find(widths(n)[name])])) for name, _, _ in heads]
    rows, start = {}, 0
    for name, g in parts:
        w = want[:, start:start + g.shape[1]]
        start += g.shape[1]
        rows[name] = agreement(w, g)
        if name == "expression":
            rows[name]["same_first"] = float((w.argmax(1) == g.argmax(1)).mean())
    return {"all": agreement(want, np.concatenate([g for _, g in parts], 1)), **rows}


def same_for_all(n, want):
    """What is wrong with answers (N, all scores) that hardly differ from face to face, or nothing."""
    start = 0
    for o in n.outputs:
        for name, a, b in o.parts:
            scores = want[:, start + a:start + b]
            if name == "expression":
                first = np.bincount(scores.argmax(1), minlength=b - a)
                if first.max() >= ALIKE * len(scores):
                    return f"{n.classes[first.argmax()]} comes first for {first.max()} of {len(scores)} faces"
            elif name == "action_units":
                level = scores if o.ends else 1 / (1 + np.exp(-scores))
                if level.std(0).max() < FLAT:
                    return f"no action unit differs between {len(scores)} faces by more than {level.std(0).max():.3f}"
            elif scores.std(0).max() < FLAT:
                return f"valence and arousal differ between {len(scores)} faces by no more than {scores.std(0).max():.3f}"
        start += o.width
    return ""


def agreement(w, g):
    """cosine_mean and cosine_min of the rows; correlation: of how the scores differ from picture to
    picture, each score about its own mean, which a large constant part cannot improve."""
    c, a, b = quantise.cosines(w, g), w - w.mean(0), g - g.mean(0)
    r = float((a * b).sum() / max(np.linalg.norm(a) * np.linalg.norm(b), 1e-12))
    return {"cosine_mean": round(float(c.mean()), 5), "cosine_min": round(float(c.min()), 5), "correlation": round(r, 5)}


def pictures(s, n, at, say):
    """((N, H, W, C) of 0..255, where they are from)."""
    count = CALIBRATE + COMPARE
    if s["calibration"]:
        say(f"looking for faces in {s['calibration']}")
        try:
            detector = blaze.detector_bytes(s["libraries"])
        except FileNotFoundError as e:
            raise Refused(str(e)) from None
        return faces.of_folder(s["calibration"], detector, count, n.size, at, n.channels, say), s["calibration"]
    if not os.path.isfile(s["shared"]):
        raise Refused(f"no faces to set the scales on: {os.path.normpath(s['shared'])} is not there: name a folder of your own pictures with CALIBRATION=folder (at least {faces.LEAST} faces, better {count}, as varied as those the unit will see)")
    return faces.of_training(faces.Faces144(s["shared"]), count, n.size, at, n.channels), "faces144"


def action_units(s, n, mean, std, at, say):
    """The fitted units.Head on the features of the first output."""
    o = n.outputs[0]
    if any(p.features != o.features for p in n.outputs):
        raise Refused(f"{n.path}: AU=1 wants one list of features before all outputs; this network has several")
    data = units.prepared(s["work"])
    see = quantise.Reference(s["weights"], n, o.features)

    def features(rows, log):
        out = []
        for i, row in enumerate(rows):
            if i and i % 500 == 0:
                log(f"  {i} of {len(rows)} faces")
            picture, eyes = data[row]
            x = faces.align(picture, eyes, n.size, at)
            out.append(see(faces.normalised(np.repeat(x[None, :, :, None], n.channels, 3), mean, std))[0])
        return np.array(out)

    head = units.fit(data, features, (o.weights, o.bias), say)
    say("action units, F1 on persons of whom nothing was learnt (MediaPipe's labels): " + ", ".join(f"AU{u} {v:.2f}" for u, v in head.scores.items()))
    return head


def finish(s, n, content, runner, preprocessing, at, head, scores, note, heads, say):
    """Writes the files if a library of the unit runs them."""
    index = {name: runner.index(widths(n, head)[name]) for name, _, _ in heads}
    name = network.clean(s["name"])
    make = lambda note: card.make(name, content, s["source"], n, index, quantise.known_answer(runner), preprocessing, at, head, scores, s["licence"], note)
    runs, refusals = [], []
    with tempfile.TemporaryDirectory() as d:
        trial = card.write(d, name, content, make(note))
        for backend, human in unit.BACKENDS.items():
            report, why = unit.measure(s["mien"], trial, backend)
            if report:
                runs.append(backend)
                say(f"mien on {human}: {report['frames']} frames of the demo clip, median {report['frame_ms_median']:.1f} ms a frame, detector and all (this machine)")
            else:
                refusals.append(f"{human}: {why.splitlines()[-1]}")
                say(f"mien on {refusals[-1]}")
    if not runs:
        raise Refused(f"{n.path}: no library of the unit runs what it became: " + "; ".join(sorted(set(refusals))))
    if refusals:
        note = note + ["Runs on " + " and ".join(unit.BACKENDS[b] for b in runs) + " alone: set model.backend."]
    path = card.write(s["out"], name, content, make(note))
    say(f"written: {path}\n         {path[:-5]}.tflite ({len(content)} bytes)\nuse it:  [model]\n         card = {unit.toml(os.path.abspath(path))}")
    say("What this proves is the conversion and the cost. How good the network is on your faces, tools/evaluate tells.")
    return path
