"""The paper's second stage for those who hold its data: the frozen features of a backbone and its ten
scores feed small heads (affect/paper.py) that the labels of s-Aff-Wild2 or AffectNet teach. The
result is one ONNX file, backbone and heads, that make import takes.

  PYTHONPATH=model/train .venv-import/bin/python -m importer.paper BACKBONE.onnx OUT.onnx --aff-wild2 TRAIN.txt VALID.txt PICTURES
  PYTHONPATH=model/train .venv-import/bin/python -m importer.paper BACKBONE.onnx OUT.onnx --affectnet FOLDER
"""

import argparse
import os
import sys
import warnings

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow talks about itself
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")

import cv2
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from affect import labelled, metrics, paper

from . import AFFECTNET8, VALENCE_AROUSAL, Refused, bring, faces, network, quantise


class Backbone:
    """An ONNX network of HSEmotion's kind: see(picture of 0..255) gives its features and its scores."""

    def __init__(self, path, size=None, preprocessing=None):
        self.path = path
        try:
            n = network.load(path, size, AFFECTNET8, affect=VALENCE_AROUSAL)
        except Refused as e:
            raise Refused(f"{e} (the paper's heads want one list of features, eight expressions, valence and arousal)") from None
        outputs = sorted(n.outputs, key=lambda o: -o.width)  # expressions before valence and arousal
        if not n.affect or len(n.classes) != 8 or n.units or len({o.features for o in n.outputs}) != 1:
            raise Refused(f"{path}: has {[o.width for o in n.outputs]} scores: the paper's heads want one list of features, eight expressions, valence and arousal")
        self.network = n
        self.weights, self.bias = (np.concatenate([getattr(o, k) for o in outputs]) for k in ("weights", "bias"))
        self.kind = preprocessing or bring.guess(n)
        self.mean, self.std = (v[:n.channels] for v in faces.PREPROCESSING[self.kind])
        self.run = quantise.Reference(path, n, outputs[0].features)
        self.eyes = faces.template(n.size)

    def see(self, path, eyes=None):
        """Features and the ten scores (D + 10,) of the picture at path: all of it, or aligned by its eyes."""
        n = self.network
        p = cv2.imread(path, cv2.IMREAD_COLOR if n.channels == 3 else cv2.IMREAD_GRAYSCALE)
        if p is None:
            raise Refused(f"{path}: is no picture that can be read")
        if n.channels == 3:
            p = p[:, :, ::-1]
        if eyes is not None:
            p = faces.align(np.ascontiguousarray(p), eyes, n.size, self.eyes)
        elif p.shape[:2] != n.size:
            p = cv2.resize(p, n.size[::-1], interpolation=cv2.INTER_AREA if p.shape[0] > n.size[0] else cv2.INTER_LINEAR)
        x = faces.normalised(p.reshape(1, *n.size, n.channels).astype(np.float32), self.mean, self.std)
        f = self.run(x)[0]
        return np.concatenate([f, self.weights @ f + self.bias]).astype(np.float32)

    def look(self, labels, say):
        """(N, D + 10) of all pictures of a labelled.Labels."""
        missing = [p for p in labels.paths if not os.path.isfile(p)]
        if missing:
            raise Refused(f"{len(missing)} of {len(labels.paths)} pictures are missing, the first {missing[0]}")
        eyes = labels.eyes() if labels.landmarks is not None else [None] * len(labels.paths)
        rows = []
        for i, (p, e) in enumerate(zip(labels.paths, eyes)):
            if i and i % 2000 == 0:
                say(f"  {i} of {len(labels.paths)} pictures")
            rows.append(self.see(p, e))
        return np.array(rows)


def joined(backbone, model, classes, units, thresholds):
    """ModelProto: the backbone with the trained heads in place of its own last layer. What no ONNX
    file states otherwise stands in its metadata."""
    m = onnx.load(backbone.path)
    g = m.graph
    features = backbone.network.outputs[0].features

    def gemm(x, weights, bias, name):  # weights (in, out)
        for k, v in ((".weight", weights), (".bias", bias)):
            g.initializer.append(numpy_helper.from_array(np.ascontiguousarray(v, np.float32), "paper." + name + k))
        g.node.append(helper.make_node("Gemm", [x, f"paper.{name}.weight", f"paper.{name}.bias"], ["paper." + name], name="paper." + name))
        return "paper." + name

    layer = lambda name: model.get_layer(name).get_weights()
    scores = gemm(features, backbone.weights.T, backbone.bias, "scores")
    g.node.append(helper.make_node("Concat", [features, scores], ["paper.all"], axis=1))
    out = [(gemm("paper.all", *layer("expression"), "expression"), len(classes))]
    g.node.append(helper.make_node("Tanh", [gemm(scores, *layer("valence_arousal"), "raw")], ["paper.valence_arousal"]))
    out.append(("paper.valence_arousal", 2))
    told = {"mien.expressions": ",".join(classes)}
    if units:
        g.node.append(helper.make_node("Relu", [gemm("paper.all", *layer("hidden"), "hidden")], ["paper.relu"]))
        out.append((gemm("paper.relu", *layer("action_units"), "action_units"), len(units)))
        told["mien.thresholds"] = ",".join(f"{t:.2f}" for t in thresholds)
    del g.output[:]
    g.output.extend(helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", k]) for name, k in out)
    helper.set_model_props(m, told)
    onnx.checker.check_model(m)
    return m


def tell(model, x, labels, thresholds, say, what):
    """Tells P_MTL and its parts, those that have labels."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a part without labels has no mean
        total, parts = paper.score(model, x, labels, thresholds)
    names = ("mean CCC of valence and arousal", "macro F1 of the expressions", "macro F1 of the action units")
    say(f"{what}: " + ", ".join(f"{n} {v:.3f}" for n, v in zip(names, parts) if v == v) + (f"; P_MTL {total:.3f}" if total == total else ""))
    return total


def run(a, say=print):
    """The command; a as main parses it. Returns P_MTL on the validation part at thresholds of 0.5."""
    backbone = Backbone(a.backbone, a.size, a.preprocessing)
    say(f"{a.backbone}: {len(backbone.weights.T)} features, preprocessing {backbone.kind}")
    if a.affectnet:
        parts, classes = [labelled.affectnet(a.affectnet, p) for p in ("train", "val")], labelled.AFFECTNET_EXPRESSIONS
    else:
        parts, classes = [labelled.aff_wild2(f, a.aff_wild2[2]) for f in a.aff_wild2[:2]], labelled.ABAW_EXPRESSIONS
        both = sorted(set(parts[0].group) & set(parts[1].group))
        if both:
            raise Refused(f"video {both[0]} is in both parts: nobody may be")
    if not all(len(p.paths) for p in parts):
        raise Refused("no labelled picture in one of the parts")
    units = labelled.ABAW_UNITS if not np.isnan(parts[0].units).all() else ()
    say(f"{len(parts[0].paths)} pictures to learn from, {len(parts[1].paths)} to measure on")
    x, v = (backbone.look(p, say) for p in parts)
    model, history = paper.train(x, parts[0], epochs=a.epochs)
    say("loss by epoch: " + ", ".join(f"{h:.3f}" for h in history))
    total = tell(model, v, parts[1], None, say, "thresholds of 0.5")
    thresholds = []
    if units:
        thresholds = paper.best_thresholds(model, v, parts[1])
        tell(model, v, parts[1], thresholds, say, "thresholds chosen on the same pictures, as in the paper")
        say("  " + ", ".join(f"AU{u} {t:.1f}" for u, t in zip(units, thresholds)))
    with open(a.out + ".part", "wb") as f:
        f.write(joined(backbone, model, classes, units, thresholds).SerializeToString())
    os.replace(a.out + ".part", a.out)
    say(f"written: {a.out}\nuse it:  make import WEIGHTS={a.out}" + (f" PREPROCESSING={a.preprocessing}" if a.preprocessing else ""))
    return total


def main(arguments=None):
    p = argparse.ArgumentParser(prog="python -m importer.paper", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("backbone", help="ONNX file: eight expressions, valence and arousal")
    p.add_argument("out", help="ONNX file to write")
    data = p.add_mutually_exclusive_group(required=True)
    data.add_argument("--aff-wild2", nargs=3, metavar=("TRAIN.txt", "VALID.txt", "PICTURES"), help="s-Aff-Wild2 of the multi-task challenge: its two annotation files, its folder of aligned pictures")
    data.add_argument("--affectnet", metavar="FOLDER", help="AffectNet in either published layout: expressions, valence and arousal, no action units")
    p.add_argument("--size", type=int, help="side of the input where the file leaves it open: 224, 112, 260")
    p.add_argument("--preprocessing", choices=sorted(faces.PREPROCESSING))
    p.add_argument("--epochs", type=int, default=6)
    a = p.parse_args(arguments)
    try:
        run(a)
    except (Refused, labelled.LayoutError) as e:
        print(f"paper: {e}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
