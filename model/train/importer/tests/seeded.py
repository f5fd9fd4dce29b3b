"""The three backbones of the paper with seeded random weights: nobody's trained network. They prove
that the layers, the scales and the card go through, not that the answers mean anything."""

import numpy as np
import onnx
from onnx import helper, numpy_helper

from . import backbones

# Share of a layer's mean square that its norms add to each channel's own variance: a channel that hardly
# varies stays quiet, as in a trained network. Full normalising blows it up from layer to layer, until
# a face that gave no statistics is 20 times as loud at the end, and rounding as loud as the faces.
FLOOR = np.float32(.1)
# Mean bias of the norms. Where it is higher, activations work more on their straight part: SiLU's bend,
# over and over, favours the loudest face.
BIAS = {"mobilefacenet": .5, "ddamfn": .5, "efficientnet": 1.}
BUILDERS = {"mobilefacenet": backbones.mobilefacenet, "efficientnet": backbones.efficientnet, "ddamfn": backbones.ddamfn}


def weights(seed, bias=.5):
    """Random weights by name and shape: He's scale for what multiplies, near 1 and 0 for norms, 0.25 for PReLU."""
    r = np.random.default_rng(seed)

    def make(name, shape):
        kind = name.rsplit(".", 1)[-1]
        if kind == "running_var" or kind == "weight" and len(shape) == 1:
            slope = "prelu" in name or name.endswith("layers.2.weight")
            if kind == "running_var":
                return np.ones(shape)
            # The last norm of a residual branch is small, as trained ones are: deep random sums run away.
            last = ".project.bn." in name or ".bn3." in name or ".layers.2.layers.1." in name
            low, high = (.1, .4) if slope else (.3, .6) if ".bn3." in name else (.2, .4) if last else (.8, 1.2)
            return r.uniform(low, high, shape)
        if kind in ("bias", "running_mean"):
            return np.zeros(shape) if kind == "running_mean" else r.normal(0, .1, shape) if ".se." in name else r.normal(bias, .3, shape)
        if shape[1] == 1 and max(shape[2:]) > 1:
            # Depthwise kernels mostly of one sign, as a blur: of both signs they pass little but edges and noise.
            n = np.prod(shape[2:])
            return .9 * r.uniform(.2, 1.8, shape) / n + .1 * r.normal(0, 1 / np.sqrt(n), shape)
        if ".se." in name:  # gates that follow loudness would make loud faces louder from block to block
            return r.normal(0, .03 / np.sqrt(np.prod(shape[1:])), shape)
        gain = 3 if name.startswith(("fc", "classifier")) else 2
        return r.normal(0, np.sqrt(gain / np.prod(shape[1:])), shape)
    return make


def network(name, pictures, seed=1, **shape):
    """ModelProto of a backbone. pictures (N, H, W, 3), as the network takes them: the statistics of its
    batch norms come from one pass over them, without which random layers soon answer a constant."""
    return aim(settle(BUILDERS[name](weights(seed, BIAS[name]), **shape), pictures), pictures)


def settle(model, pictures):
    """Sets every BatchNormalization's mean and variance to those of its input over the pictures."""
    import onnxruntime
    probe = onnx.ModelProto()
    probe.CopyFrom(model)
    g, norms, nodes = probe.graph, [], []
    g.initializer.append(numpy_helper.from_array(FLOOR, "floor"))
    for n in g.node:
        if n.op_type != "BatchNormalization":
            nodes.append(n)
            continue
        x, scale, bias, mean, var = n.input
        y, eps = n.output[0], n.attribute[0].f
        k = len(norms)
        flat = len(next(t for t in g.initializer if t.name == scale).dims) and not any(x in m.output and m.op_type == "Gemm" for m in g.node)
        axes = [0, 2, 3] if flat else [0]
        norms.append((mean, var))
        for name, a in ((f"eps{k}", np.float32(eps)), (f"shape{k}", np.array([1, -1, 1, 1] if flat else [1, -1], np.int64))):
            g.initializer.append(numpy_helper.from_array(np.asarray(a), name))
        node = lambda op, ins, out, **a: nodes.append(helper.make_node(op, ins, [out], **a))
        node("ReduceMean", [x], f"m{k}", axes=axes, keepdims=1)
        node("Sub", [x, f"m{k}"], f"d{k}")
        node("Mul", [f"d{k}", f"d{k}"], f"dd{k}")
        node("ReduceMean", [f"dd{k}"], f"own{k}", axes=axes, keepdims=1)
        node("Mul", [f"m{k}", f"m{k}"], f"mm{k}")
        node("Add", [f"own{k}", f"mm{k}"], f"power{k}")
        node("ReduceMean", [f"power{k}"], f"mean{k}", axes=[1], keepdims=1)
        node("Mul", [f"mean{k}", "floor"], f"least{k}")
        node("Add", [f"own{k}", f"least{k}"], f"v{k}")
        node("Add", [f"v{k}", f"eps{k}"], f"ve{k}")
        node("Sqrt", [f"ve{k}"], f"s{k}")
        node("Div", [f"d{k}", f"s{k}"], f"n{k}")
        node("Reshape", [scale, f"shape{k}"], f"g{k}")
        node("Reshape", [bias, f"shape{k}"], f"b{k}")
        node("Mul", [f"n{k}", f"g{k}"], f"ng{k}")
        node("Add", [f"ng{k}", f"b{k}"], y)
        g.output.extend(helper.make_empty_tensor_value_info(o) for o in (f"m{k}", f"v{k}"))
    del g.node[:]
    g.node.extend(nodes)
    for k in range(len(norms)):
        for o in (f"m{k}", f"v{k}"):
            next(v for v in g.output if v.name == o).type.tensor_type.elem_type = onnx.TensorProto.FLOAT
    onnxruntime.set_default_logger_severity(3)
    s = onnxruntime.InferenceSession(probe.SerializeToString(), providers=["CPUExecutionProvider"])
    got = s.run([o for k in range(len(norms)) for o in (f"m{k}", f"v{k}")], {"input": np.ascontiguousarray(pictures.transpose(0, 3, 1, 2))})
    place = {t.name: t for t in model.graph.initializer}
    for (mean, var), m, v in zip(norms, got[::2], got[1::2]):
        place[mean].CopyFrom(numpy_helper.from_array(m.ravel(), mean))
        place[var].CopyFrom(numpy_helper.from_array(v.ravel() + np.float32(1e-6), var))
    return model


def aim(model, pictures):
    """Sets the last layer so that the scores are the ten directions in which the features of the pictures
    vary most, mixed by a seeded rotation, as a trained last layer looks where its features differ. A random
    one looks along directions in which they hardly do, where any rounding drowns what there is."""
    import onnxruntime
    onnxruntime.set_default_logger_severity(3)
    last = model.graph.node[-1]
    place = {t.name: t for t in model.graph.initializer}
    probe = onnx.ModelProto()
    probe.CopyFrom(model)
    probe.graph.output.append(helper.make_tensor_value_info(last.input[0], onnx.TensorProto.FLOAT, None))
    s = onnxruntime.InferenceSession(probe.SerializeToString(), providers=["CPUExecutionProvider"])
    f = np.concatenate([s.run([last.input[0]], {"input": np.ascontiguousarray(x[None].transpose(0, 3, 1, 2))})[0] for x in pictures])
    k = numpy_helper.to_array(place[last.input[1]]).shape[0]
    m = f.mean(0)
    _, spread, directions = np.linalg.svd(f - m, full_matrices=False)
    w, _ = np.linalg.qr(np.random.default_rng(k).normal(size=(k, k)))
    w = w @ directions[:k] * (6 * np.sqrt(len(f)) / np.linalg.norm(spread[:k]))
    place[last.input[1]].CopyFrom(numpy_helper.from_array(w.astype(np.float32), last.input[1]))
    place[last.input[2]].CopyFrom(numpy_helper.from_array((-w @ m).astype(np.float32), last.input[2]))
    return model
