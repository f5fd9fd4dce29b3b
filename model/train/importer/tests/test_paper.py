"""The paper's heads from a data set's folder to a network that make import takes, on tiny made sets: what
is in a picture's colours decides its labels."""

import os

import cv2
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from affect import labelled
from importer import Refused, bring, card, faces, network, paper, quantise

SIDE = 32


def backbone(path, scores=10, seed=3):
    """A small network of random weights: one convolution, mean over the picture, one dense layer."""
    r = np.random.default_rng(seed)
    w = [numpy_helper.from_array(a.astype(np.float32), n) for n, a in (
        ("k", r.normal(0, .5, (24, 3, 4, 4))), ("kb", r.normal(0, .3, 24)), ("w", r.normal(0, .4, (scores, 24))), ("b", r.normal(0, .1, scores)))]
    nodes = [helper.make_node("Conv", ["input", "k", "kb"], ["c"], kernel_shape=[4, 4], strides=[4, 4]), helper.make_node("Relu", ["c"], ["r"]),
             helper.make_node("GlobalAveragePool", ["r"], ["p"]), helper.make_node("Flatten", ["p"], ["f"], axis=1), helper.make_node("Gemm", ["f", "w", "b"], ["output"], transB=1)]
    g = helper.make_graph(nodes, "g", [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["batch", 3, SIDE, SIDE])],
                          [helper.make_tensor_value_info("output", TensorProto.FLOAT, ["batch", scores])], w)
    onnx.save(helper.make_model(g, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return str(path)


def face(r, expression, side=SIDE):
    """A picture whose three channels, bright or dark, are the expression's bits; and their brightness."""
    level = np.where([expression >> b & 1 for b in range(3)], r.uniform(150, 250, 3), r.uniform(5, 105, 3))
    return np.clip(r.normal(level, 6, (side, side, 3)), 0, 255).astype(np.uint8), level / 255


def aff_wild2(folder, part, count, seed):
    """An annotation file and its pictures; every third label is missing, by turns."""
    r = np.random.default_rng(seed)
    lines = ["image,valence,arousal,expression," + ",".join(f"AU{u}" for u in labelled.ABAW_UNITS)]
    for i in range(count):
        e = int(r.integers(8))
        picture, (x, y, z) = face(r, e)
        name = f"{part}{i % 4}/{i:05}.jpg"
        os.makedirs(folder / "cropped_aligned" / os.path.dirname(name), exist_ok=True)
        cv2.imwrite(str(folder / "cropped_aligned" / name), picture[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 95])
        units = [int(v > .5) for v in (x, y, z, 1 - x, 1 - y, 1 - z)] * 2
        va = (2 * x - 1, 2 * y - 1)
        lines.append(f"{name},{-5 if i % 3 == 0 else round(va[0], 3)},{-5 if i % 3 == 0 else round(va[1], 3)},{-1 if i % 3 == 1 else e}," + ",".join(str(-1 if i % 3 == 2 else u) for u in units))
    path = folder / f"{part}.txt"
    path.write_text("\n".join(lines) + "\n")
    return str(path)


def test_from_aff_wild2_to_a_network(tmp_path, capsys):
    train, valid = aff_wild2(tmp_path, "train", 420, 1), aff_wild2(tmp_path, "valid", 150, 2)
    out = tmp_path / "heads.onnx"
    code = paper.main([backbone(tmp_path / "b.onnx"), str(out), "--aff-wild2", train, valid, str(tmp_path / "cropped_aligned"), "--epochs", "60", "--preprocessing", "half"])
    said = capsys.readouterr().out
    assert code == 0, said
    # Three parts of at most 1 each; answers by chance give about 0.6.
    total = float(said.split("thresholds of 0.5: ")[1].split("P_MTL ")[1].split()[0])
    assert total > 2.4, said

    n = network.load(str(out))
    assert n.classes == labelled.ABAW_EXPRESSIONS and n.stated and n.units == labelled.ABAW_UNITS and n.affect
    assert len(n.thresholds) == 12 and all(.1 <= t <= .9 for t in n.thresholds)
    # The file answers what its labels say, without any of the code that trained it.
    l = labelled.aff_wild2(valid, str(tmp_path / "cropped_aligned"))
    x = faces.normalised(np.array([cv2.imread(p)[:, :, ::-1] for p in l.paths], np.float32), *faces.PREPROCESSING["half"])
    want = quantise.Reference(str(out), n)(x)
    has = l.expression >= 0
    assert (want[has, :8].argmax(1) == l.expression[has]).mean() > .9
    has = ~np.isnan(l.va[:, 0])
    assert np.corrcoef(want[has, 8], l.va[has, 0])[0, 1] > .9 and np.abs(want[:, 8:10]).max() <= 1
    has = ~np.isnan(l.units[:, 0])
    assert ((want[has, 10:] > 0) == (l.units[has] > .5)).mean() > .9

    # And the importer takes it: float32 the same, int8 near it, the card states what the file states.
    heads = bring.heads_of(n)
    exact = bring.compared(n, want, quantise.Runner(quantise.convert(quantise.function(n, heads)))(x), heads)
    assert exact["all"]["cosine_mean"] > .9999, exact
    runner = quantise.Runner(quantise.convert(quantise.function(n, heads), x[:100]))
    assert bring.compared(n, want, runner(x), heads, runner)["all"]["cosine_mean"] > .98
    index = {name: runner.index(bring.widths(n)[name]) for name, _, _ in heads}
    made = card.make("x", b"", str(out), n, index, [], faces.PREPROCESSING["half"], faces.template(n.size), None, {}, "", [])
    assert made["outputs"]["expression"]["classes"] == list(labelled.ABAW_EXPRESSIONS) and made["outputs"]["valence_arousal"]["kind"] == "raw"
    assert made["outputs"]["action_units"]["thresholds"] == list(n.thresholds)


def test_from_affectnet(tmp_path, capsys):
    """Pictures of any size, aligned by their landmarks; no action units."""
    r = np.random.default_rng(5)
    points = np.zeros((68, 2))
    for part, count in (("train", 300), ("val", 80)):
        base = tmp_path / f"{part}_set"
        (base / "images").mkdir(parents=True)
        (base / "annotations").mkdir()
        for i in range(count):
            e = int(r.integers(8))
            picture, (x, y, _) = face(r, e, 60)
            frame = np.full((120, 120, 3), 128, np.uint8)
            frame[30:90, 40:100] = picture
            points[36:42], points[42:48] = (61, 58), (80, 58)
            cv2.imwrite(str(base / "images" / f"{i}.png"), frame[:, :, ::-1])
            for k, v in (("exp", e), ("val", 2 * x - 1), ("aro", 2 * y - 1), ("lnd", points.ravel())):
                np.save(base / "annotations" / f"{i}_{k}.npy", np.array(v))
    out = tmp_path / "heads.onnx"
    assert paper.main([backbone(tmp_path / "b.onnx"), str(out), "--affectnet", str(tmp_path), "--epochs", "60", "--preprocessing", "half"]) == 0
    said = capsys.readouterr().out
    assert float(said.split("macro F1 of the expressions ")[1].split()[0]) > .8 and "action units" not in said and "P_MTL" not in said, said
    n = network.load(str(out))
    assert n.classes == labelled.AFFECTNET_EXPRESSIONS and n.units == () and n.affect


def test_refuses(tmp_path, capsys):
    train, valid = aff_wild2(tmp_path, "train", 8, 1), aff_wild2(tmp_path, "valid", 8, 2)
    pictures, out = str(tmp_path / "cropped_aligned"), tmp_path / "heads.onnx"

    def refused(word, weights, *data):
        assert paper.main([weights, str(out), *data]) == 1
        said = capsys.readouterr().err
        assert word in said and said.startswith("paper: ") and not out.exists(), said

    good = backbone(tmp_path / "b.onnx")
    refused("eight expressions, valence and arousal", backbone(tmp_path / "c.onnx", scores=8), "--aff-wild2", train, valid, pictures)
    refused("there is no such file", str(tmp_path / "none.onnx"), "--aff-wild2", train, valid, pictures)
    refused("video train0 is in both parts", good, "--aff-wild2", train, train, pictures)
    refused("8 of 8 pictures are missing, the first " + os.path.join(str(tmp_path), "train0"), good, "--aff-wild2", train, valid, str(tmp_path))
    refused("No such file", good, "--aff-wild2", train, str(tmp_path / "none.txt"), pictures)
    refused("neither train_set/", good, "--affectnet", str(tmp_path))
    broken = os.path.join(pictures, "valid1", "00001.jpg")
    with open(broken, "wb") as f:
        f.write(b"no picture")
    refused(broken + ": is no picture", good, "--aff-wild2", train, valid, pictures)


@pytest.mark.parametrize("key, value, word", [
    ("mien.expressions", "happy,sad", "states the expressions happy,sad"), ("mien.expressions", "fear,fear", "each once"),
    ("mien.thresholds", "0.5,x", "thresholds that are none"), ("mien.thresholds", "0.5,1.5", "outside of 0 to 1")])
def test_metadata(tmp_path, key, value, word):
    m = onnx.load(backbone(tmp_path / "b.onnx"))
    helper.set_model_props(m, {key: value})
    onnx.save(m, tmp_path / "b.onnx")
    with pytest.raises(Refused, match=word):
        network.load(str(tmp_path / "b.onnx"))
