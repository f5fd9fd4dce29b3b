"""ONNX graph -> TensorFlow function, for the operators of light face networks.

A picture is kept as TensorFlow Lite wants it (batch, height, width, channels) although the graph
says (batch, channels, height, width): a Value knows which of the two its tensor is, and turns only
where an operator asks for the other. What depends on constants alone is computed at once, so that
shapes that an exporter left for later vanish.

Operators are written so that both libraries run them quantised and fast: no PRELU (slope * x +
relu(x * (1 - slope))), no grouped convolutions (sums of depthwise ones), no MAXIMUM, no dense layers
(1x1 convolutions).
"""

import numpy as np
import onnx
import tensorflow as tf
from onnx.reference import ReferenceEvaluator

from . import Refused


class Value:
    """A computed tensor. last: it is stored (N, H, W, C) where the graph has (N, C, H, W). layer: of
    a convolution, (make, weights, bias): make computes it with others. pick: computes chosen channels
    in a chosen order, where that costs no more than computing them."""

    def __init__(self, t, last=False, layer=None, pick=None):
        self.t, self.last, self.layer, self.pick = t, last, layer, pick

    @property
    def shape(self):
        s = self.t.shape.as_list()
        return [s[0], s[3], s[1], s[2]] if self.last else s


def turned(t, perm):
    """tf.transpose, but a reshape where only dimensions of 1 move."""
    shape = t.shape.as_list()
    perm = list(perm)
    if perm == list(range(len(perm))):
        return t
    if [p for p in perm if shape[p] != 1] == sorted(p for p in perm if shape[p] != 1):
        return tf.reshape(t, [shape[p] for p in perm])
    if len(perm) > 4:
        return turned_wide(t, shape, perm)
    return tf.transpose(t, perm)


def turned_wide(t, shape, perm):
    """Above 4 dimensions, which the libraries do not turn: without those of 1, or slice by slice."""
    keep = [i for i in range(len(shape)) if shape[i] != 1]
    target = [shape[p] for p in perm]
    if len(keep) <= 4:
        order = [keep.index(p) for p in perm if shape[p] != 1]
        return tf.reshape(tf.transpose(tf.reshape(t, [shape[i] for i in keep]), order), target)
    axis = min(keep, key=lambda i: shape[i])
    rest = [p - (p > axis) for p in perm if p != axis]
    parts = [turned(tf.squeeze(tf.slice(t, [i if k == axis else 0 for k in range(len(shape))],
             [1 if k == axis else n for k, n in enumerate(shape)]), axis), rest) for i in range(shape[axis])]
    return tf.stack(parts, perm.index(axis))


def last(v):
    """The tensor as (N, H, W, C)."""
    return v.t if v.last else turned(v.t, (0, 2, 3, 1))


def plain(v):
    """The tensor as the graph has it."""
    return turned(v.t, (0, 3, 1, 2)) if v.last else v.t


class Translation:
    """Runs the graph's nodes on TensorFlow tensors, inside a tf.function."""

    def __init__(self, network):
        self.network = network
        self.used = self.reached()

    def reached(self):
        """Numbers of the nodes that the outputs need."""
        made = {o: i for i, node in enumerate(self.network.graph.node) for o in node.output}
        todo, seen = [o.features for o in self.network.outputs], set()
        while todo:
            i = made.get(todo.pop())
            if i is not None and i not in seen:
                seen.add(i)
                todo += list(self.network.graph.node[i].input)
        return seen

    def missing(self):
        """The operators that cannot be translated, each once, with the name of a node."""
        out = {}
        for i in sorted(self.used):
            node = self.network.graph.node[i]
            if node.op_type not in OPERATORS and node.op_type not in FOLDED:
                out.setdefault(node.op_type, node.name or node.output[0])
        return out

    def check(self):
        for op, name in self.missing().items():
            raise Refused(f"{self.network.path}: operator {op} (node {name}) cannot be imported: the libraries on the unit have nothing for it, or no face network had it yet")

    def features(self, picture):
        """{value name: Value} of every output's features, for picture (1, H, W, C)."""
        values = dict(self.network.constants)
        if self.network.bgr:
            picture = tf.concat(tf.split(picture, 3, 3)[::-1], 3)
        values[self.network.input] = Value(picture, not self.network.last)
        wanted = {o.features for o in self.network.outputs}
        for i, node in enumerate(self.network.graph.node):
            if i not in self.used:
                continue
            try:
                self.step(node, values)
            except Refused:
                raise
            except Exception as e:
                raise Refused(f"{self.network.path}: operator {node.op_type} (node {node.name or node.output[0]}): {str(e).splitlines()[0]}") from e
        return {w: values[w] for w in wanted}

    def step(self, node, values):
        inputs = [values[i] if i else None for i in node.input]
        attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
        if node.op_type == "Shape" and isinstance(inputs[0], Value):
            shape = inputs[0].shape
            results = [np.array(shape[attributes.get("start", 0):attributes.get("end", len(shape))], np.int64)]
        elif all(i is None or isinstance(i, np.ndarray) for i in inputs):
            results = self.fold(node, values)
        else:
            results = OPERATORS[node.op_type](Call(node, inputs, attributes, self.network.opset))
            results = results if isinstance(results, (list, tuple)) else [results]
        values.update(zip(node.output, results))

    def fold(self, node, values):
        """A node that depends on constants alone, computed by ONNX's own reference."""
        feeds = {i: values[i] for i in node.input if i}
        graph = onnx.helper.make_graph([node], "fold", [onnx.helper.make_tensor_value_info(k, onnx.helper.np_dtype_to_tensor_dtype(v.dtype), v.shape) for k, v in feeds.items()],
                                       [onnx.helper.make_empty_tensor_value_info(o) for o in node.output if o])
        model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", self.network.opset)], ir_version=10)
        return [np.asarray(r) for r in ReferenceEvaluator(model).run(None, feeds)]


class Call:
    """One node: its inputs (Value or constant) and attributes."""

    def __init__(self, node, inputs, attributes, opset):
        self.node, self.inputs, self.attributes, self.opset = node, inputs, attributes, opset

    def get(self, name, default=None):
        return self.attributes.get(name, default)

    def constant(self, k, name="", default=None):
        """Input k as an array, or the attribute that older opsets had instead."""
        if k < len(self.inputs) and self.inputs[k] is not None:
            if isinstance(self.inputs[k], Value):
                raise Refused(f"operator {self.node.op_type} (node {self.node.name or self.node.output[0]}): its input {k} is computed, must be constant")
            return self.inputs[k]
        v = self.attributes.get(name)
        return default if v is None else np.asarray(v)

    def value(self, k=0):
        """Input k as a Value."""
        v = self.inputs[k]
        return v if isinstance(v, Value) else Value(tf.constant(v))


def elementwise(f):
    """An operator of two tensors that broadcasts."""
    def run(c):
        a, b = c.inputs[:2]
        ranks = [len(v.shape) for v in (a, b)]
        if any(isinstance(v, Value) and v.last for v in (a, b)) and max(ranks) == 4:
            return Value(f(as_last(a), as_last(b)), True)
        flat = [plain(v) if isinstance(v, Value) else tf.constant(v) for v in (a, b)]
        return Value(f(*flat))
    return run


def as_last(v):
    shape = list(v.shape)
    lead = [1] * (4 - len(shape))
    if isinstance(v, Value):
        return last(v) if len(shape) == 4 else turned(tf.reshape(v.t, lead + shape), (0, 2, 3, 1))
    return tf.constant(np.transpose(np.reshape(v, lead + shape), (0, 2, 3, 1)).astype(np.float32))


def unary(f):
    def run(c):
        v = c.value()
        return Value(f(v.t), v.last)
    return run


def divide(c):
    if isinstance(c.inputs[1], np.ndarray):  # a product is quantised better than a quotient
        c.inputs[1] = (1 / c.inputs[1].astype(np.float64)).astype(np.float32)
        return elementwise(tf.multiply)(c)
    return elementwise(tf.divide)(c)


def power(c):
    e = float(c.constant(1).ravel()[0])
    v = c.value()
    if e == 2:
        return Value(v.t * v.t, v.last)
    if e == .5:
        return Value(tf.sqrt(v.t), v.last)
    return Value(tf.pow(v.t, e), v.last)


def between(x, lo, hi):
    """Clipped; by RELU6 where it can be, which is fused into what comes before."""
    if lo == 0 and hi == np.inf:
        return tf.nn.relu(x)
    if lo == 0 and np.isfinite(hi):
        return tf.nn.relu6(x) if hi == 6 else tf.nn.relu6(x * np.float32(6 / hi)) * np.float32(hi / 6)
    return tf.clip_by_value(x, lo, hi)


def clip(c):
    v = c.value()
    lo, hi = c.constant(1, "min", np.float32(-np.inf)), c.constant(2, "max", np.float32(np.inf))
    return Value(between(v.t, float(lo), float(hi)), v.last)


def hard_sigmoid(c):
    v, a, b = c.value(), c.get("alpha", .2), c.get("beta", .5)
    return Value(tf.nn.relu6(v.t * np.float32(6 * a) + np.float32(6 * b)) * np.float32(1 / 6), v.last)


def hard_swish(c):
    v = c.value()
    return Value(v.t * (tf.nn.relu6(v.t + np.float32(3)) * np.float32(1 / 6)), v.last)


def prelu(c):
    v, slope = c.value(), c.constant(1).astype(np.float32)
    if len(v.shape) != 4:
        return Value(bent(plain(v), slope))
    if slope.size not in (1, v.shape[1]):
        raise Refused(f"operator PRelu (node {c.node.name}): {slope.size} slopes for {v.shape[1]} channels")
    slope = np.broadcast_to(slope.ravel(), (v.shape[1],))
    if v.layer and np.all(slope <= 1):
        # Twice the convolution, each with a scale of its own per channel, costs less than PRELU's
        # plain kernel and loses less than products of what is rounded already.
        make, w, b = v.layer

        def part(i):
            k = slope[i]
            one = lambda k: make(w[i] * k.reshape(-1, 1, 1, 1), b[i] * k)
            return one(k) + tf.nn.relu(one(1 - k))
        return Value(part(slice(None)), True, pick=v.pick and part)
    return Value(bent(last(v), slope), True)


def bent(x, slope):
    """max(x, 0) + slope * min(x, 0), in products and sums."""
    if np.all(slope <= 1):
        return x * slope + tf.nn.relu(x * (1 - slope))
    return x * slope + tf.nn.relu(x) * (1 - slope)


def leaky(c):
    v, a = c.value(), np.float32(c.get("alpha", .01))
    return Value(bent(v.t, a), v.last)


def larger(a, b):
    return a + tf.nn.relu(b - a)


def smaller(a, b):
    return a - tf.nn.relu(a - b)


def several(f):
    """Max, Min, Sum of one or more tensors."""
    def run(c):
        out = c.inputs[0]
        for b in c.inputs[1:]:
            out = elementwise(f)(Call(c.node, [out, b], {}, c.opset))
        return out
    return run


def pads_of(c, shape, kernel, strides, dilations):
    """((top, bottom), (left, right))."""
    auto = c.get("auto_pad", b"NOTSET").decode()
    if auto in ("SAME_UPPER", "SAME_LOWER"):
        out = []
        for n, k, s, d in zip(shape, kernel, strides, dilations):
            total = max((-(-n // s) - 1) * s + (k - 1) * d + 1 - n, 0)
            small, large = total // 2, total - total // 2
            out.append((small, large) if auto == "SAME_UPPER" else (large, small))
        return out
    p = list(c.get("pads", [0] * 4))
    return [(p[0], p[2]), (p[1], p[3])]


def same(pads, shape, kernel, strides, dilations):
    """Whether TensorFlow's SAME is this padding."""
    for (a, b), n, k, s, d in zip(pads, shape, kernel, strides, dilations):
        total = max((-(-n // s) - 1) * s + (k - 1) * d + 1 - n, 0)
        if (a, b) != (total // 2, total - total // 2):
            return False
    return True


def padded(x, pads, value=None):
    if not any(map(any, pads)):
        return x
    widths = [(0, 0), *pads, (0, 0)]
    return tf.pad(x, widths) if value is None else tf.pad(x, widths, constant_values=value)


def conv(c):
    v, w = c.value(), c.constant(1).astype(np.float32)
    if w.ndim != 4:
        raise Refused(f"operator Conv (node {c.node.name}): works on {w.ndim - 2} dimensions, must be 2")
    x, groups = last(v), c.get("group", 1)
    bias = c.inputs[2] if len(c.inputs) > 2 else None
    kernel, strides, dilations = list(w.shape[2:]), list(c.get("strides", [1, 1])), list(c.get("dilations", [1, 1]))
    shape = x.shape.as_list()[1:3]
    pads = pads_of(c, shape, kernel, strides, dilations)
    padding = "VALID"
    if same(pads, shape, kernel, strides, dilations):
        padding = "SAME" if any(map(any, pads)) else "VALID"
    else:
        x = padded(x, pads)
    bias = np.zeros(len(w), np.float32) if bias is None else np.asarray(bias, np.float32)
    stride = dict(strides=strides, padding=padding, dilations=dilations)
    if groups == 1:
        return layered(lambda w, b: biased(tf.nn.conv2d(x, w.transpose(2, 3, 1, 0), **stride), b), w, bias, free=True)
    if w.shape[1] == 1 and strides[0] == strides[1]:
        return layered(lambda w, b: biased(by_channel(x, w, **stride), b), w, bias)
    if groups <= 4 or strides[0] != strides[1]:
        n = x.shape[3] // groups
        parts = [x[..., i * n:(i + 1) * n] for i in range(groups)]
        return layered(lambda w, b: biased(tf.concat([tf.nn.conv2d(p, k.transpose(2, 3, 1, 0), **stride) for p, k in zip(parts, np.split(w, groups))], 3), b), w, bias)
    # Many small groups: the older library has no grouped convolution, the newer one no fast one. The
    # i-th inputs of all groups, each as often as its group has outputs, go through a depthwise
    # layer; the sum of these layers is the grouped one.
    times, each = len(w) // groups, w.shape[1]
    chosen = [np.repeat(np.arange(groups) * each + i, times) for i in range(each)]
    if v.pick and padding == "SAME":
        sides = [v.pick(i) for i in chosen]
    elif v.pick:
        sides = [padded(v.pick(i), pads) for i in chosen]
    else:
        one = np.eye(x.shape[3], dtype=np.float32)
        sides = [tf.nn.conv2d(x, one[:, i][None, None], 1, "VALID") for i in chosen]
    return layered(lambda w, b: biased(sum_of([by_channel(s, w[:, i:i + 1], **stride) for i, s in enumerate(sides)]), b), w, bias)


def layered(make, w, bias, free=False):
    return Value(make(w, bias), True, (make, w, bias), (lambda i: make(w[i], bias[i])) if free else None)


def biased(y, b):
    return tf.nn.bias_add(y, b) if np.any(b) else y


def by_channel(x, w, strides, padding, dilations):
    """Depthwise: weights (C * times, 1, h, w) on C channels."""
    n = x.shape[3]
    k = w.reshape(n, len(w) // n, *w.shape[2:]).transpose(2, 3, 0, 1)
    return tf.nn.depthwise_conv2d(x, k, [1, *strides, 1], padding, dilations=dilations)


def sum_of(list_):
    out = list_[0]
    for t in list_[1:]:
        out = out + t
    return out


def batch_norm(c):
    v = c.value()
    g, b, mean, var = (c.constant(k).astype(np.float64) for k in range(1, 5))
    scale = g / np.sqrt(var + c.get("epsilon", 1e-5))
    shift = (b - mean * scale).astype(np.float32)
    scale = scale.astype(np.float32)
    if v.layer:
        make, w, bias = v.layer
        w, bias = w * scale.reshape(-1, 1, 1, 1), bias * scale + shift
        return layered(make, w, bias, bool(v.pick))
    if len(v.shape) == 4:
        return Value(last(v) * scale + shift, True)
    if len(v.shape) == 2:
        return Value(v.t * scale + shift)
    raise Refused(f"operator BatchNormalization on {len(v.shape)} dimensions")


def dense(x, w, bias):
    """x (N, D) through weights (K, D), as a 1x1 convolution: dense layers with a scale for each row
    are computed wrongly by the older library."""
    y = tf.nn.conv2d(tf.reshape(x, [x.shape[0], 1, 1, x.shape[1]]), w.T[None, None].astype(np.float32), 1, "VALID")
    y = tf.reshape(y, [x.shape[0], w.shape[0]])
    return y if bias is None else y + np.asarray(bias, np.float32).reshape(1, -1)


def gemm(c):
    if c.get("transA") or isinstance(c.inputs[1], Value):
        raise Refused(f"operator Gemm (node {c.node.name}): its weights are computed")
    w = c.constant(1) * np.float32(c.get("alpha", 1.))
    bias = c.constant(2)
    w = w if c.get("transB") else w.T
    return Value(dense(plain(c.value()), w, None if bias is None else np.broadcast_to(bias * np.float32(c.get("beta", 1.)), (1, len(w)))))


def matmul(c):
    a, b = c.inputs
    if isinstance(b, np.ndarray) and b.ndim == 2:
        x = plain(a)
        shape = x.shape.as_list()
        rows = int(np.prod(shape[:-1]))
        y = tf.nn.conv2d(tf.reshape(x, [1, rows, 1, shape[-1]]), b[None, None].astype(np.float32), 1, "VALID")
        return Value(tf.reshape(y, shape[:-1] + [b.shape[1]]))
    return Value(tf.matmul(plain(c.value(0)), plain(c.value(1))))


def pool(kind):
    def run(c):
        v = c.value()
        x = last(v)
        if c.get("ceil_mode"):
            raise Refused(f"operator {c.node.op_type} (node {c.node.name}): ceil_mode")
        kernel, strides = list(c.get("kernel_shape")), list(c.get("strides", [1, 1]))
        shape = x.shape.as_list()[1:3]
        pads = pads_of(c, shape, kernel, strides, [1, 1])
        if kind == "MAX":
            x, padding = (x, "SAME") if same(pads, shape, kernel, strides, [1, 1]) else (padded(x, pads, float(-1e30) if any(map(any, pads)) else None), "VALID")
            if any(map(any, pads)) and padding == "VALID":
                raise Refused(f"operator MaxPool (node {c.node.name}): pads of {pads} cannot be quantised")
            return Value(tf.nn.max_pool2d(x, kernel, strides, padding), True)
        if not any(map(any, pads)):
            return Value(tf.nn.avg_pool2d(x, kernel, strides, "VALID"), True)
        if c.get("count_include_pad"):
            return Value(tf.nn.avg_pool2d(padded(x, pads), kernel, strides, "VALID"), True)
        if same(pads, shape, kernel, strides, [1, 1]):
            return Value(tf.nn.avg_pool2d(x, kernel, strides, "SAME"), True)
        raise Refused(f"operator AveragePool (node {c.node.name}): pads of {pads} that are not counted")
    return run


def global_pool(c):
    return Value(tf.reduce_mean(last(c.value()), [1, 2], keepdims=True), True)


def reduce(f):
    def run(c):
        v = c.value()
        rank = len(v.shape)
        axes = c.constant(1, "axes")
        axes = sorted(int(a) % rank for a in (range(rank) if axes is None else np.ravel(axes)))
        keep = bool(c.get("keepdims", 1))
        if v.last and (keep or axes == [2, 3]):
            y = f(v.t, sorted({0: 0, 1: 3, 2: 1, 3: 2}[a] for a in axes), keep)
            return Value(y, keep)
        return Value(f(plain(v), axes, keep))
    return run


def reshape(c):
    v = c.value()
    want = [int(d) for d in np.ravel(c.constant(1, "shape"))]
    shape = v.shape
    want = [shape[i] if d == 0 and not c.get("allowzero") else d for i, d in enumerate(want)]
    return Value(tf.reshape(plain(v), want))


def flatten(c):
    v = c.value()
    axis = c.get("axis", 1)
    shape = v.shape
    return Value(tf.reshape(plain(v), [int(np.prod(shape[:axis])), int(np.prod(shape[axis:]))]))


def squeeze(c):
    v = c.value()
    shape, axes = v.shape, c.constant(1, "axes")
    axes = [i for i, n in enumerate(shape) if n == 1] if axes is None else [int(a) % len(shape) for a in np.ravel(axes)]
    return Value(tf.reshape(plain(v), [n for i, n in enumerate(shape) if i not in axes]))


def unsqueeze(c):
    v = c.value()
    shape = list(v.shape)
    axes = [int(a) for a in np.ravel(c.constant(1, "axes"))]
    for a in sorted(a % (len(shape) + len(axes)) for a in axes):
        shape.insert(a, 1)
    t = plain(v)
    # (N, C) to (N, C, 1, 1) is a picture of one pixel.
    if len(shape) == 4 and shape[2:] == [1, 1]:
        return Value(tf.reshape(t, [shape[0], 1, 1, shape[1]]), True)
    return Value(tf.reshape(t, shape))


def transpose(c):
    v, perm = c.value(), list(c.get("perm", range(len(c.inputs[0].shape))[::-1]))
    if v.last and perm[:2] == [0, 1]:
        return Value(v.t if perm[2] == 2 else turned(v.t, (0, 2, 1, 3)), True)
    if v.last and perm == [0, 2, 3, 1]:
        return Value(v.t)
    if not v.last and perm == [0, 3, 1, 2]:
        return Value(v.t, True)
    return Value(turned(plain(v), perm))


def axis_of(c, v, default=None):
    """The tensor, its axis in storage, and whether it is stored channels last."""
    axis = int(c.get("axis", default)) % len(v.shape)
    return ({0: 0, 1: 3, 2: 1, 3: 2}[axis] if v.last else axis)


def concat(c):
    values = [c.value(i) for i in range(len(c.inputs))]
    if any(v.last for v in values):
        values = [Value(last(v), True) for v in values]
    return Value(tf.concat([v.t for v in values], axis_of(c, values[0], 1)), values[0].last)


def cut(v, axis, begin, size):
    shape = v.t.shape.as_list()
    return Value(tf.slice(v.t, [begin if i == axis else 0 for i in range(len(shape))], [size if i == axis else n for i, n in enumerate(shape)]), v.last)


def split(c):
    v = c.value()
    axis = axis_of(c, v, 0)
    total, parts = v.t.shape[axis], c.constant(1, "split")
    if parts is None:
        k = len(c.node.output)
        each = -(-total // k)
        parts = [min(each, total - i * each) for i in range(k)]
    at = np.concatenate([[0], np.cumsum(np.ravel(parts))])
    return [cut(v, axis, int(a), int(n)) for a, n in zip(at, np.ravel(parts))]


def slice_(c):
    v = c.value()
    shape = v.shape
    starts, ends = np.ravel(c.constant(1, "starts")), np.ravel(c.constant(2, "ends"))
    axes, steps = c.constant(3, "axes"), c.constant(4)
    axes = range(len(starts)) if axes is None else np.ravel(axes)
    steps = [1] * len(starts) if steps is None else np.ravel(steps)
    x = Value(plain(v)) if not v.last else v
    where = {0: 0, 1: 3, 2: 1, 3: 2}
    index = [slice(None)] * len(shape)
    for a, b, e, s in zip(axes, starts, ends, steps):
        a = int(a) % len(shape)
        if s < 1:
            raise Refused(f"operator Slice (node {c.node.name}): goes backwards")
        b, e, s = (int(np.clip(q, -2**31 + 1, 2**31 - 1)) for q in (b, e, s))
        lo, hi, _ = slice(b, e, s).indices(shape[a])
        index[where[a] if v.last else a] = slice(lo, hi, s)
    return Value(x.t[tuple(index)], v.last)


def gather(c):
    v, index = c.value(), c.constant(1)
    if index.ndim == 0:
        axis = int(c.get("axis", 0)) % len(v.shape)
        x = Value(plain(v))
        one = cut(x, axis, int(index) % x.shape[axis], 1)
        return Value(tf.squeeze(one.t, axis))
    raise Refused(f"operator Gather (node {c.node.name}): picks several elements of what is computed")


def pad(c):
    v = c.value()
    if c.get("mode", b"constant") != b"constant":
        raise Refused(f"operator Pad (node {c.node.name}): mode {c.get('mode').decode()}")
    p = np.ravel(c.constant(1, "pads")).astype(int)
    axes, value = c.constant(3), c.constant(2, "value", np.float32(0))
    rank = len(v.shape)
    full = np.zeros((2, rank), int)
    full[:, list(range(rank) if axes is None else np.ravel(axes))] = p.reshape(2, -1)
    if float(np.ravel(value)[0]) != 0 or (full < 0).any():
        raise Refused(f"operator Pad (node {c.node.name}): by {p.tolist()} with {value}: must be zeros")
    widths = full.T.tolist()
    if v.last:
        widths = [widths[i] for i in (0, 2, 3, 1)]
    return Value(tf.pad(v.t, widths), v.last)


def expand(c):
    v = c.value()
    want = [int(d) for d in np.ravel(c.constant(1))]
    shape = np.broadcast_shapes(tuple(v.shape), tuple(want))
    if tuple(v.shape) == shape:
        return v
    # What follows broadcasts by itself, as long as the rank is right.
    return Value(tf.broadcast_to(last(v), [shape[i] for i in (0, 2, 3, 1)]), True) if v.last and len(shape) == 4 else Value(tf.broadcast_to(plain(v), shape))


def softmax(c):
    v = c.value()
    axis = int(c.get("axis", -1 if c.opset >= 13 else 1)) % len(v.shape)
    if v.last and axis == 1:
        return Value(tf.nn.softmax(v.t), True)
    x = plain(v)
    if axis != len(v.shape) - 1:
        raise Refused(f"operator Softmax (node {c.node.name}): over axis {axis} of {len(v.shape)}")
    return Value(tf.nn.softmax(x))


def layer_norm(c):
    v = c.value()
    x = plain(v)
    axis = int(c.get("axis", -1))
    if axis not in (-1, len(v.shape) - 1):
        raise Refused(f"operator LayerNormalization (node {c.node.name}): over several axes")
    mean = tf.reduce_mean(x, -1, keepdims=True)
    d = x - mean
    y = d * tf.math.rsqrt(tf.reduce_mean(d * d, -1, keepdims=True) + np.float32(c.get("epsilon", 1e-5))) * c.constant(1)
    bias = c.constant(2)
    return Value(y if bias is None else y + bias)


def cast(c):
    if c.get("to") != onnx.TensorProto.FLOAT:
        raise Refused(f"operator Cast (node {c.node.name}): of what is computed, to {onnx.TensorProto.DataType.Name(c.get('to'))}")
    return c.value()


OPERATORS = {
    "Conv": conv, "BatchNormalization": batch_norm, "Gemm": gemm, "MatMul": matmul,
    "Relu": unary(tf.nn.relu), "Clip": clip, "PRelu": prelu, "LeakyRelu": leaky, "Sigmoid": unary(tf.sigmoid), "Tanh": unary(tf.tanh),
    "HardSigmoid": hard_sigmoid, "HardSwish": hard_swish, "Softmax": softmax, "Sqrt": unary(tf.sqrt), "Exp": unary(tf.exp), "Erf": unary(tf.math.erf),
    "Neg": unary(tf.negative), "Abs": unary(tf.abs), "Elu": unary(tf.nn.elu), "Reciprocal": unary(tf.math.reciprocal),
    "Add": elementwise(tf.add), "Sub": elementwise(tf.subtract), "Mul": elementwise(tf.multiply), "Div": divide, "Pow": power,
    "Max": several(larger), "Min": several(smaller), "Sum": several(tf.add),
    "MaxPool": pool("MAX"), "AveragePool": pool("AVERAGE"), "GlobalAveragePool": global_pool,
    "ReduceMean": reduce(tf.reduce_mean), "ReduceSum": reduce(tf.reduce_sum), "LayerNormalization": layer_norm,
    "Reshape": reshape, "Flatten": flatten, "Squeeze": squeeze, "Unsqueeze": unsqueeze, "Transpose": transpose,
    "Concat": concat, "Split": split, "Slice": slice_, "Gather": gather, "Pad": pad, "Expand": expand,
    "Identity": lambda c: c.value(), "Dropout": lambda c: c.value(), "Cast": cast,
}
# What only ever works on shapes and constants.
FOLDED = {"Shape", "Constant", "ConstantOfShape", "Range", "Floor", "Ceil", "Equal", "Where", "Not", "Less", "Greater", "Mod", "Size", "Tile", "Gather", "Cast"}
