"""The backbones of the paper as ONNX graphs, from weights under the names that their PyTorch modules
give them: what makes an .onnx of a .pt file without PyTorch, and the networks of the tests.

mobilefacenet    MobileFaceNet as emotiefflib 1.1.1 has it (MT-EmotiMobileFaceNet: 64 * scale
                 channels, the first depthwise layer is a grouped one), 112 px
efficientnet     EfficientNet as timm's tf_efficientnet_b0 and b2 (MT-EmotiEffNet): TensorFlow's
                 padding, SiLU, squeeze and excitation from the block's input, 224 or 260 px
ddamfn           after the description of DDAMFN (Zhang et al. 2023, Electronics 12, 3595): a
                 MobileFaceNet with mixed depthwise kernels and coordinate attention, two
                 dual-direction attention heads, their larger product with the features, a linear
                 7x7 depthwise layer, 112 px. Written from the paper: the layer names and some
                 widths of the published weights may differ
"""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


class Builder:
    """Collects nodes. weights: array of a name and shape; asked for in the order of the graph."""

    def __init__(self, weights):
        self.weights, self.nodes, self.initial, self.n = weights, [], {}, 0

    def tensor(self, name, shape):
        if name not in self.initial:
            self.initial[name] = np.ascontiguousarray(self.weights(name, tuple(shape)), np.float32)
        return name

    def const(self, name, array):
        self.initial[name] = np.asarray(array)
        return name

    def node(self, op, *inputs, **attributes):
        self.n += 1
        out = f"{op.lower()}_{self.n}"
        self.nodes.append(helper.make_node(op, list(inputs), [out], name=out, **attributes))
        return out

    def conv(self, x, name, cin, cout, kernel=1, stride=1, pad=0, groups=1, bias=False):
        k = kernel if isinstance(kernel, tuple) else (kernel, kernel)
        p = pad if isinstance(pad, tuple) else (pad,) * 4
        inputs = [x, self.tensor(name + ".weight", (cout, cin // groups, *k))]
        if bias:
            inputs.append(self.tensor(name + ".bias", (cout,)))
        s = stride if isinstance(stride, tuple) else (stride, stride)
        return self.node("Conv", *inputs, kernel_shape=k, strides=s, pads=p, group=groups)

    def norm(self, x, name, c, eps=1e-5):
        return self.node("BatchNormalization", x, *(self.tensor(f"{name}.{p}", (c,)) for p in ("weight", "bias", "running_mean", "running_var")), epsilon=eps)

    def prelu(self, x, name, c):
        # ONNX wants the slopes to broadcast: (C, 1, 1).
        w = self.weights(name + ".weight", (c,))
        return self.node("PRelu", x, self.const(name + ".weight", np.asarray(w, np.float32).reshape(-1, 1, 1)))

    def dense(self, x, name, cin, cout, bias=True):
        inputs = [x, self.tensor(name + ".weight", (cout, cin))]
        if bias:
            inputs.append(self.tensor(name + ".bias", (cout,)))
        return self.node("Gemm", *inputs, transB=1)

    def model(self, output, size, scores):
        self.nodes[-1].output[0] = "output"
        graph = helper.make_graph(self.nodes, "face", [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["batch", 3, size, size])],
                                  [helper.make_tensor_value_info("output", TensorProto.FLOAT, ["batch", scores])],
                                  [numpy_helper.from_array(v, k) for k, v in self.initial.items()])
        m = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        onnx.checker.check_model(m)
        return m


def mobilefacenet(weights, scores=10, scale=2, blocks=(1, 4, 6, 2), features=512):
    """emotiefflib's MobileFaceNet (get_mbf: scale 2; get_mbf_large: blocks 2, 8, 12, 4, scale 4) and its layer fc."""
    b = Builder(weights)
    c = 64 * scale

    def block(x, name, cin, cout, act=True, **k):
        x = b.norm(b.conv(x, name + ".layers.0", cin, cout, **k), name + ".layers.1", cout)
        return b.prelu(x, name + ".layers.2", cout) if act else x

    def depthwise(x, name, cin, cout, wide, stride, residual):
        y = block(x, name + ".layers.0", cin, wide)
        y = block(y, name + ".layers.1", wide, wide, kernel=3, stride=stride, pad=1, groups=wide)
        y = block(y, name + ".layers.2", wide, cout, act=False)
        return b.node("Add", x, y) if residual else y

    def residual(x, name, c, n, wide):
        for i in range(n):
            x = depthwise(x, f"{name}.layers.{i}", c, c, wide, 1, True)
        return x

    x = block("input", "layers.0", 3, c, kernel=3, stride=2, pad=1)
    if blocks[0] == 1:
        x = block(x, "layers.1", c, c, kernel=3, pad=1, groups=64)
    else:
        x = residual(x, "layers.1", c, blocks[0], 128)
    x = depthwise(x, "layers.2", c, c, 128, 2, False)
    x = residual(x, "layers.3", c, blocks[1], 128)
    x = depthwise(x, "layers.4", c, 2 * c, 256, 2, False)
    x = residual(x, "layers.5", 2 * c, blocks[2], 256)
    x = depthwise(x, "layers.6", 2 * c, 2 * c, 512, 2, False)
    x = residual(x, "layers.7", 2 * c, blocks[3], 256)
    x = block(x, "conv_sep", 2 * c, 512)
    x = block(x, "features.layers.0", 512, 512, act=False, kernel=7, groups=512)
    x = b.dense(b.node("Flatten", x, axis=1), "features.layers.2", 512, features, bias=False)
    x = b.norm(x, "features.layers.3", features)
    return b.model(b.dense(x, "fc", features, scores), 112, scores)


B0 = dict(stem=32, head=1280, size=224, stages=((1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80), (3, 5, 1, 6, 112), (4, 5, 2, 6, 192), (1, 3, 1, 6, 320)))
B2 = dict(stem=32, head=1408, size=260, stages=((2, 3, 1, 1, 16), (3, 3, 2, 6, 24), (3, 5, 2, 6, 48), (4, 3, 2, 6, 88), (4, 5, 1, 6, 120), (5, 5, 2, 6, 208), (2, 3, 1, 6, 352)))


def efficientnet(weights, scores=10, shape=None, classifier="classifier"):
    """timm's tf_efficientnet_b0 (shape B0) or b2 (B2); stages: (repeats, kernel, stride, expansion, channels)."""
    b, shape = Builder(weights), shape or B0
    eps, side = 1e-3, shape["size"]

    def silu(x):
        return b.node("Mul", x, b.node("Sigmoid", x))

    def same(x, name, cin, cout, kernel, stride, groups=1):
        nonlocal side
        total = max((-(-side // stride) - 1) * stride + kernel - side, 0)
        side = -(-side // stride)
        return b.conv(x, name, cin, cout, kernel, stride, (total // 2, total // 2, total - total // 2, total - total // 2), groups)

    def excite(x, name, c, reduced):
        s = b.node("ReduceMean", x, axes=[2, 3], keepdims=1)
        s = silu(b.conv(s, name + ".conv_reduce", c, reduced, bias=True))
        return b.node("Mul", x, b.node("Sigmoid", b.conv(s, name + ".conv_expand", reduced, c, bias=True)))

    c = shape["stem"]
    x = silu(b.norm(same("input", "conv_stem", 3, c, 3, 2), "bn1", c, eps))
    for i, (repeats, kernel, stride, expand, cout) in enumerate(shape["stages"]):
        for j in range(repeats):
            name, s, y = f"blocks.{i}.{j}", stride if j == 0 else 1, x
            reduced, wide = max(1, int(c * .25)), c * expand
            if expand == 1:
                y = silu(b.norm(same(y, name + ".conv_dw", c, c, kernel, s, c), name + ".bn1", c, eps))
                y = excite(y, name + ".se", c, reduced)
                y = b.norm(b.conv(y, name + ".conv_pw", c, cout), name + ".bn2", cout, eps)
            else:
                y = silu(b.norm(b.conv(y, name + ".conv_pw", c, wide), name + ".bn1", wide, eps))
                y = silu(b.norm(same(y, name + ".conv_dw", wide, wide, kernel, s, wide), name + ".bn2", wide, eps))
                y = excite(y, name + ".se", wide, reduced)
                y = b.norm(b.conv(y, name + ".conv_pwl", wide, cout), name + ".bn3", cout, eps)
            x = b.node("Add", y, x) if s == 1 and c == cout else y
            c = cout
    x = silu(b.norm(b.conv(x, "conv_head", c, shape["head"]), "bn2", shape["head"], eps))
    x = b.node("Flatten", b.node("GlobalAveragePool", x), axis=1)
    return b.model(b.dense(x, classifier, shape["head"], scores), shape["size"], scores)


def ddamfn(weights, scores=10, heads=2):
    """A network after the paper's description; see the top of this file."""
    b = Builder(weights)

    def block(x, name, cin, cout, act=True, **k):
        x = b.norm(b.conv(x, name + ".conv", cin, cout, **k), name + ".bn", cout)
        return b.prelu(x, name + ".prelu", cout) if act else x

    def hard_swish(x):
        three, six = b.const("three", np.float32(3)), b.const("six", np.float32(6))
        r = b.node("Clip", b.node("Add", x, three), b.const("zero", np.float32(0)), six)
        return b.node("Mul", x, b.node("Div", r, six))

    def mixed(x, name, c, kernels, stride):
        """Depthwise with a kernel size for each share of the channels."""
        if len(kernels) == 1:
            y = b.conv(x, name + ".0", c, c, kernels[0], stride, kernels[0] // 2, c)
        else:
            each = [c // len(kernels)] * len(kernels)
            each[0] += c - sum(each)
            b.n += 1
            parts = [f"share_{b.n}_{i}" for i in range(len(each))]
            b.nodes.append(helper.make_node("Split", [x, b.const(f"shares_{b.n}", np.array(each, np.int64))], parts, name=f"split_{b.n}", axis=1))
            y = b.node("Concat", *(b.conv(p, f"{name}.{i}", n, n, k, stride, k // 2, n) for i, (p, n, k) in enumerate(zip(parts, each, kernels))), axis=1)
        return b.prelu(b.norm(y, name + ".bn", c), name + ".prelu", c)

    def directions(x, name, c, side, across):
        """Coordinate attention (Hou et al. 2021): a profile down and one across, squeezed
        together, each giving its factor. across(x, name, kernel) makes a profile."""
        down = across(x, name + ".h", (1, side))                                            # (N, C, side, 1)
        wide = b.node("Transpose", across(x, name + ".w", (side, 1)), perm=[0, 1, 3, 2])    # (N, C, side, 1)
        mid = max(8, c // 32)
        y = b.node("Concat", down, wide, axis=2)
        y = hard_swish(b.norm(b.conv(y, name + ".conv1", c, mid, bias=True), name + ".bn1", mid))
        b.n += 1
        parts = [f"profile_{b.n}_{i}" for i in range(2)]
        b.nodes.append(helper.make_node("Split", [y, b.const(f"sides_{b.n}", np.array([side, side], np.int64))], parts, name=f"split_{b.n}", axis=2))
        h = b.node("Sigmoid", b.conv(parts[0], name + ".conv2", mid, c, bias=True))
        w = b.node("Sigmoid", b.conv(b.node("Transpose", parts[1], perm=[0, 1, 3, 2]), name + ".conv3", mid, c, bias=True))
        return b.node("Mul", w, h)

    def mean(x, name, kernel):
        return b.node("ReduceMean", x, axes=[3] if kernel[0] == 1 else [2], keepdims=1)

    def linear(c):
        def run(x, name, kernel):
            return block(x, name, c, c, act=False, kernel=kernel, groups=c)
        return run

    def bottleneck(x, name, cin, cout, wide, kernels, stride, side, residual):
        y = block(x, name + ".expand", cin, wide)
        y = mixed(y, name + ".mix", wide, kernels, stride)
        y = b.node("Mul", y, directions(y, name + ".attention", wide, side, mean))
        y = block(y, name + ".project", wide, cout, act=False)
        return b.node("Add", x, y) if residual else y

    x = block("input", "conv1", 3, 64, kernel=3, stride=2, pad=1)
    x = block(x, "conv2", 64, 64, kernel=3, pad=1, groups=64)
    side = 28
    x = bottleneck(x, "down1", 64, 64, 128, (3, 5, 7), 2, side, False)
    for i in range(4):
        x = bottleneck(x, f"stage1.{i}", 64, 64, 128, (3,) if i else (3, 5), 1, side, True)
    side = 14
    x = bottleneck(x, "down2", 64, 128, 256, (3, 5, 7), 2, side, False)
    for i in range(6):
        x = bottleneck(x, f"stage2.{i}", 128, 128, 256, (3, 5) if i < 2 else (3,), 1, side, True)
    side = 7
    x = bottleneck(x, "down3", 128, 128, 512, (3, 5, 7), 2, side, False)
    for i in range(2):
        x = bottleneck(x, f"stage3.{i}", 128, 128, 256, (3, 5), 1, side, True)
    x = block(x, "conv_sep", 128, 512)
    y = None
    for i in range(heads):
        a = directions(x, f"head{i}", 512, 7, linear(512))
        y = a if y is None else b.node("Max", y, a)
    x = block(b.node("Mul", x, y), "linear", 512, 512, act=False, kernel=7, groups=512)
    return b.model(b.dense(b.node("Flatten", x, axis=1), "fc", 512, scores), 112, scores)
