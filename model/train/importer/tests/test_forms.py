"""Forms in which other people's networks come: each is read for what it is, and answers as onnxruntime says."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from importer import ABAW_UNITS, VALENCE_AROUSAL, Refused, bring, network, quantise

EIGHT = ("neutral", "anger", "disgust", "fear", "happiness", "sadness", "surprise", "other")
SIDE, WIDE = 16, 6
node = helper.make_node


class Made:
    """A small network: a convolution, a slope, a pooling, and ends that a test adds."""

    def __init__(self, last=False, half=False):
        r = np.random.default_rng(3)
        self.kind = np.float16 if half else np.float32
        self.weights = {"k": r.normal(0, .3, (WIDE, 3, 3, 3)), "slope": r.uniform(.1, .4, (WIDE, 1, 1))}
        self.shape = [1, SIDE, SIDE, 3] if last else [1, 3, SIDE, SIDE]
        x = "input"
        self.nodes = []
        if last:
            self.nodes.append(node("Transpose", ["input"], ["turned"], perm=[0, 3, 1, 2]))
            x = "turned"
        self.nodes += [node("Conv", [x, "k"], ["c"], pads=[1, 1, 1, 1]), node("PRelu", ["c", "slope"], ["p"]),
                       node("GlobalAveragePool", ["p"], ["g"]), node("Flatten", ["g"], ["features"])]
        self.outputs = []

    def dense(self, out, width, *ends):
        """A dense layer and what follows it, as an output."""
        r = np.random.default_rng(width)
        self.weights[out + ".w"], self.weights[out + ".b"] = r.normal(0, 3, (width, WIDE)), r.normal(0, .2, width)
        return self.add(out, [node("Gemm", ["features", out + ".w", out + ".b"], [out + ".0"], transB=1)], *ends)

    def add(self, out, nodes, *ends):
        self.nodes += nodes
        name = nodes[-1].output[0] if nodes else "features"
        for i, end in enumerate(ends):
            n = node(*end[:1], [name, *end[1:2][0]] if len(end) > 1 and isinstance(end[1], list) else [name], [f"{out}.{i + 1}"], **(end[-1] if isinstance(end[-1], dict) else {}))
            self.nodes.append(n)
            name = n.output[0]
        self.outputs.append(name)
        return self

    def model(self):
        kind = helper.np_dtype_to_tensor_dtype(np.dtype(self.kind))
        constants = [numpy_helper.from_array(v.astype(self.kind), k) for k, v in self.weights.items()]
        chosen = {n.output[0] for n in self.nodes if n.op_type == "ArgMax"}
        ends = [helper.make_tensor_value_info(o, TensorProto.INT64 if o in chosen else kind, ["batch", "scores"]) for o in self.outputs]
        g = helper.make_graph(self.nodes, "g", [helper.make_tensor_value_info("input", kind, self.shape)], ends, constants)
        return helper.make_model(g, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)

    def save(self, folder, **k):
        path = str(folder / "net.onnx")
        onnx.save(self.model(), path, **k)
        return path


def faithful(path, **told):
    """The network, after its float32 translation was compared with onnxruntime on pictures."""
    n = network.load(path, **told)
    x = np.random.default_rng(1).normal(0, 1, (12, SIDE, SIDE, 3)).astype(np.float32)
    want = quantise.Reference(path, n)(x)
    assert want.std(0).max() > .01
    heads = bring.heads_of(n)
    exact = bring.compared(n, want, quantise.Runner(quantise.convert(quantise.function(n, heads)))(x), heads)
    assert exact["all"]["cosine_min"] > .9999, exact
    return n


@pytest.mark.parametrize("end", ["Softmax", "LogSoftmax"])
def test_ends_of_expressions(tmp_path, end):
    n = faithful(Made().dense("e", 8, (end, {"axis": 1})).save(tmp_path), classes=EIGHT)
    assert n.outputs[0].ends == (end,) and n.classes == EIGHT


def test_pooling_then_softmax(tmp_path):
    """A network without a dense layer: the channels of its last convolution are the scores."""
    n = faithful(Made().add("e", [], ("Softmax", {"axis": 1})).save(tmp_path), classes=EIGHT[:WIDE])
    assert n.outputs[0].width == WIDE


def test_units_alone(tmp_path):
    n = faithful(Made().dense("u", 12, ("Sigmoid",)).save(tmp_path), units=ABAW_UNITS)
    assert n.units == ABAW_UNITS and not n.classes and not n.affect


def test_valence_and_arousal_alone(tmp_path):
    made = Made()
    made.weights |= {"lo": np.array(-1.), "hi": np.array(1.)}
    n = faithful(made.dense("v", 2, ("Clip", ["lo", "hi"])).save(tmp_path), affect=VALENCE_AROUSAL[::-1])
    assert n.affect == ("arousal", "valence") and not n.classes


def test_features_and_choice_beside_scores(tmp_path):
    made = Made().dense("e", 10)
    made.nodes.append(node("Slice", ["e.0", "from", "to", "axis"], ["eight"]))
    made.nodes.append(node("ArgMax", ["eight"], ["first"], axis=1))
    made.outputs += ["first", "wide"]
    made.nodes.append(node("Concat", ["features"] * 20, ["wide"], axis=1))
    model = made.model()
    model.graph.initializer.extend(numpy_helper.from_array(np.array([v], np.int64), k) for k, v in (("from", 0), ("to", 8), ("axis", 1)))
    path = str(tmp_path / "net.onnx")
    onnx.save(model, path)
    n = network.load(path, classes=EIGHT, affect=VALENCE_AROUSAL)
    assert "wide" in n.ignored and [o.width for o in n.outputs if o.parts] == [10]


def test_choice_alone(tmp_path):
    made = Made().dense("e", 8)
    made.nodes.append(node("ArgMax", ["e.0"], ["first"], axis=1))
    made.outputs = ["first"]
    assert faithful(made.save(tmp_path), classes=EIGHT).outputs[0].width == 8


def test_half_precision(tmp_path):
    faithful(Made(half=True).dense("e", 8).save(tmp_path), classes=EIGHT)


def test_channels_last(tmp_path):
    assert faithful(Made(last=True).dense("e", 8).save(tmp_path), classes=EIGHT).last


def test_blue_first(tmp_path):
    path = Made().dense("e", 8).save(tmp_path)
    n = faithful(path, classes=EIGHT, bgr=True)
    x = np.random.default_rng(1).normal(0, 1, (4, SIDE, SIDE, 3)).astype(np.float32)
    straight = quantise.Reference(path, network.load(path, classes=EIGHT))
    assert np.allclose(quantise.Reference(path, n)(x), straight(x[..., ::-1]), atol=1e-5) and not np.allclose(straight(x), straight(x[..., ::-1]), atol=1e-2)


def test_weights_beside_it(tmp_path):
    path = Made().dense("e", 8).save(tmp_path, save_as_external_data=True, location="net.data", size_threshold=0)
    faithful(path, classes=EIGHT)
    for location, word in (("../net.data", "no file beside it"), ("/etc/passwd", "no file beside it"), ("none.data", "no file beside it")):
        model = onnx.load(path, load_external_data=False)
        model.graph.initializer[0].external_data[0].value = location
        with open(path, "wb") as f:
            f.write(model.SerializeToString())
        with pytest.raises(Refused, match=word):
            network.load(path, classes=EIGHT)


def test_quantised_already(tmp_path):
    made = Made().dense("e", 8)
    made.weights |= {"s": np.array(.1)}
    model = made.model()
    model.graph.initializer.append(numpy_helper.from_array(np.array(0, np.int8), "z"))
    model.graph.node.insert(1, node("QuantizeLinear", ["c", "s", "z"], ["q"]))
    path = str(tmp_path / "net.onnx")
    onnx.save(model, path)
    with pytest.raises(Refused, match="quantised already"):
        network.load(path, classes=EIGHT)


def test_answers_that_hardly_differ(tmp_path):
    n = network.load(Made().dense("e", 10).save(tmp_path), classes=EIGHT, affect=VALENCE_AROUSAL)
    r = np.random.default_rng(0)
    assert bring.same_for_all(n, r.normal(0, 1, (120, 10))) == ""
    same = r.normal(0, 1, (120, 10))
    same[:, 0] += 10
    assert bring.same_for_all(n, same) == "neutral comes first for 120 of 120 faces"
    flat = r.normal(0, 1, (120, 10))
    flat[:, 8:] = .3
    assert "valence and arousal differ" in bring.same_for_all(n, flat)
