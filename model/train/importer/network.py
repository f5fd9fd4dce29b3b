"""Reads an ONNX file and finds in it what a face network has: one picture in, scores out, and the
last dense layer with the features before it."""

import os
from dataclasses import dataclass, field

import numpy as np
import onnx
from onnx import numpy_helper, shape_inference

from . import ABAW_UNITS, AFFECTNET7, AFFECTNET8, EXPRESSIONS, Refused

LIMIT = 512 << 20  # bytes of a file; the largest of EmotiEffLib's networks has 40 MB


@dataclass
class Output:
    """One tensor of scores: value names it in the graph. With weights (K, D) and bias (K,) it is
    the dense layer weights @ features + bias, features being a value of D elements."""
    value: str
    width: int
    features: str = ""
    weights: np.ndarray = None
    bias: np.ndarray = None
    softmax: bool = False  # the file ends in a softmax, which is left out: the unit applies its own
    tanh: bool = False


@dataclass
class Network:
    """An ONNX graph with a batch of one. input: name; size: (height, width); channels: 1 or 3."""
    path: str
    graph: onnx.GraphProto
    opset: int
    input: str
    size: tuple
    channels: int
    constants: dict
    outputs: list = field(default_factory=list)
    ignored: list = field(default_factory=list)
    classes: tuple = ()
    affect: bool = False   # valence and arousal are there
    units: tuple = ()      # action units that the network itself has
    thresholds: tuple = ()  # of the units, where the file states them
    stated: bool = False   # the file states the order of its expressions

    def operators(self):
        return [n.op_type for n in self.graph.node]


def load(path, size=None, classes=None):
    """The network in the ONNX file at path. size: of the square input where the file leaves it
    open; classes: names of the expressions in the file's order, instead of the usual ones.
    Refused says what is wrong with the file."""
    model = parse(path)
    graph = model.graph
    constants = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
    for node in graph.node:  # some exporters keep weights in nodes, or one tensor under two names
        if node.op_type == "Constant" and node.attribute and node.attribute[0].name == "value":
            constants[node.output[0]] = numpy_helper.to_array(node.attribute[0].t)
        elif node.op_type == "Identity" and node.input[0] in constants:
            constants[node.output[0]] = constants[node.input[0]]
    inputs = [i for i in graph.input if i.name not in constants]
    if len(inputs) != 1:
        raise Refused(f"{path}: has {len(inputs)} inputs ({', '.join(i.name for i in inputs)}): a face network has one picture")
    name, (height, width), channels = picture(path, inputs[0], size)
    opset = max((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), default=0)
    foreign = sorted({f"{n.domain}.{n.op_type}" for n in graph.node if n.domain not in ("", "ai.onnx")})
    if foreign:
        raise Refused(f"{path}: operator {foreign[0]} is none of ONNX's own: export the network without it")
    n = Network(path, graph, opset, name, (height, width), channels, constants)
    find_outputs(n, model)
    told, thresholds = stated(path, model)
    n.stated = bool(told) and not classes
    name_outputs(n, classes or told)
    if len(thresholds) == len(n.units):
        n.thresholds = thresholds
    return n


def stated(path, model):
    """(expressions in their order, thresholds of the action units) that the file's metadata states, as
    importer/paper.py writes them; () for what it does not."""
    told = {p.key: p.value for p in model.metadata_props}
    classes = tuple(c for c in told.get("mien.expressions", "").split(",") if c)
    if classes and (set(classes) - set(EXPRESSIONS) or len(set(classes)) != len(classes) or len(classes) < 2):
        raise Refused(f"{path}: its metadata states the expressions {told['mien.expressions'][:200]}: must be two or more of {', '.join(EXPRESSIONS)}, each once")
    try:
        thresholds = tuple(float(t) for t in told.get("mien.thresholds", "").split(",") if t)
    except ValueError as e:
        raise Refused(f"{path}: its metadata states thresholds that are none: {e}") from None
    if not all(0 < t < 1 for t in thresholds):
        raise Refused(f"{path}: its metadata states thresholds outside of 0 to 1")
    return classes, thresholds


def parse(path):
    """The checked ModelProto of a file."""
    if not os.path.isfile(path):
        raise Refused(f"{path}: there is no such file")
    size = os.path.getsize(path)
    if size == 0:
        raise Refused(f"{path}: the file is empty")
    if size > LIMIT:
        raise Refused(f"{path}: {size >> 20} MiB, the limit is {LIMIT >> 20}: this is no light face network")
    with open(path, "rb") as f:
        content = f.read()
    for head, what in ((b"PK\x03\x04", "a zip archive (a PyTorch .pt or Keras .keras file?)"), (b"\x80\x02", "a Python pickle (an old PyTorch file?)"),
                       (b"version https://git-lfs", "a git-lfs pointer: fetch the file itself"), (b"<", "a web page: the download went wrong"),
                       (b"\x89HDF", "an HDF5 file")):
        if content.startswith(head):
            raise Refused(f"{path}: is no ONNX file but {what}")
    if content[4:8] == b"TFL3":
        raise Refused(f"{path}: is a .tflite file already: write a card for it (docs/import.md)")
    model = onnx.ModelProto()
    try:
        model.ParseFromString(content)
    except Exception as e:  # protobuf's DecodeError is of another class in each of its implementations
        raise Refused(f"{path}: is no ONNX file, or is cut short ({type(e).__name__})") from None
    if not model.graph.node or not model.graph.output:
        raise Refused(f"{path}: is no ONNX file, or is cut short: it has no graph")
    if any(t.data_location == onnx.TensorProto.EXTERNAL for t in model.graph.initializer):
        raise Refused(f"{path}: its weights lie in another file: save it as one (onnx.save_model with save_as_external_data=False)")
    try:
        onnx.checker.check_model(model)
    except Exception as e:
        raise Refused(f"{path}: a damaged ONNX file: {str(e).splitlines()[0]}") from None
    return model


def picture(path, value, size):
    """Name, (height, width) and channels of the input, which must be float32 NCHW."""
    t = value.type.tensor_type
    dims = [d.dim_value if d.HasField("dim_value") else 0 for d in t.shape.dim]
    if t.elem_type != onnx.TensorProto.FLOAT:
        raise Refused(f"{path}: input {value.name} is {onnx.TensorProto.DataType.Name(t.elem_type)}: must be FLOAT (a network that is not quantised yet)")
    if len(dims) != 4:
        raise Refused(f"{path}: input {value.name} has {len(dims)} dimensions: must be a picture (batch, channels, height, width)")
    batch, channels, height, width = dims
    if channels not in (1, 3):
        way = " (batch, height, width, channels), as TensorFlow has it" if dims[3] in (1, 3) else ""
        raise Refused(f"{path}: input {value.name} is {dims}{way}: must be (batch, 3 or 1, height, width)")
    if batch > 1:
        raise Refused(f"{path}: made for a batch of {batch}: export it with a batch of 1, or an open one")
    if size and (height and height != size or width and width != size):
        raise Refused(f"{path}: its input is {width}x{height}, SIZE says {size}")
    height, width = height or size, width or size
    if not height or not width:
        raise Refused(f"{path}: leaves the size of its input open: say it with SIZE=224 (or 112, 260)")
    if not (16 <= height <= 1024 and 16 <= width <= 1024):
        raise Refused(f"{path}: an input of {width}x{height} pixels: must be 16 to 1024")
    return value.name, (height, width), channels


def find_outputs(n, model):
    """Fills outputs: each tensor of rank 2 with its dense layer, if it is one."""
    made = {o: node for node in n.graph.node for o in node.output}
    ranks = {}
    try:
        inferred = shape_inference.infer_shapes(model)
        ranks = {v.name: len(v.type.tensor_type.shape.dim) for v in list(inferred.graph.value_info) + list(inferred.graph.output)
                 if v.type.tensor_type.HasField("shape")}
    except Exception:  # inference is a help, no proof: the translation finds the shapes again
        pass
    for out in n.graph.output:
        if ranks.get(out.name, 2) != 2:
            n.ignored.append(out.name)
            continue
        n.outputs.append(dense(n, made, out.name))
    if not n.outputs:
        raise Refused(f"{n.path}: none of its outputs ({', '.join(n.ignored)}) is a list of scores")


def dense(n, made, name):
    """The Output behind value name: walks back over what changes no order of scores."""
    softmax = tanh = False
    value, scale, shift = name, 1., 0.
    while value in made:
        node = made[value]
        first = node.input[0] if node.input else ""
        if node.op_type in ("Identity", "Dropout"):
            value = first
        elif node.op_type == "Softmax" and not (softmax or tanh) and np.isscalar(scale):
            value, softmax = first, True
        elif node.op_type == "Tanh" and not (softmax or tanh) and np.isscalar(scale):
            value, tanh = first, True
        elif node.op_type == "BatchNormalization" and np.isscalar(scale):
            g, b, mean, var = (n.constants[i].astype(np.float64) for i in node.input[1:5])
            eps = next((a.f for a in node.attribute if a.name == "epsilon"), 1e-5)
            scale = g / np.sqrt(var + eps)
            shift = b - mean * scale
            value = first
        else:
            break
    node = made.get(value)
    bias, last = None, None
    if node is not None and node.op_type == "Add":  # MatMul and Add
        for a, b in (tuple(node.input), tuple(node.input)[::-1]):
            if b in n.constants and n.constants[b].ndim == 1 and a in made and made[a].op_type == "MatMul":
                node, bias = made[a], n.constants[b]
    if node is not None and node.op_type in ("Gemm", "MatMul") and len(node.input) > 1 and node.input[1] in n.constants:
        attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
        w = n.constants[node.input[1]].astype(np.float64)
        if w.ndim == 2 and not attributes.get("transA"):
            w = (w if attributes.get("transB") else w.T) * attributes.get("alpha", 1.)
            if node.op_type == "Gemm" and len(node.input) > 2:
                bias = n.constants.get(node.input[2])
                bias = None if bias is None else bias * attributes.get("beta", 1.)
            bias = np.zeros(len(w)) if bias is None else np.broadcast_to(bias.astype(np.float64).ravel(), (len(w),))
            w = w * np.reshape(scale, (-1, 1))
            return Output(value, len(w), node.input[0], w.astype(np.float32), (bias * scale + shift).astype(np.float32), softmax, tanh)
    return Output(name, 0)


def name_outputs(n, classes):
    """Which tensor is what: by their widths, as HSEmotion has them."""
    widths = [o.width for o in n.outputs if o.width]
    rest = []
    for o in n.outputs:
        if not o.width:
            raise Refused(f"{n.path}: output {o.value} does not end in a dense layer (Gemm, or MatMul and Add): is this a classifier of faces?")
        k = o.width
        # Expressions, and valence and arousal behind them or not.
        count = len(classes) if classes else 8 if k in (8, 10) else 7
        if not n.classes and k in (count, count + 2):
            n.classes, n.affect = tuple(classes or (AFFECTNET8 if count == 8 else AFFECTNET7)), n.affect or k == count + 2
        elif k == 2 and not n.affect:
            n.affect = True
        elif k == len(ABAW_UNITS) and not n.units:
            n.units = ABAW_UNITS
        else:
            rest.append(o)
    if rest or not n.classes:
        if classes:
            raise Refused(f"{n.path}: its outputs have {widths} scores, CLASSES names {len(classes)}: there must be as many, or two more (valence, arousal)")
        raise Refused(f"{n.path}: its outputs have {widths} scores: HSEmotion's networks have 8 or 7 expressions, then valence and arousal or not (10, 9); "
                      "name others in their order with CLASSES=neutral,anger,...")
    affected = [o for o in n.outputs if o.width == 2 or o.width == len(n.classes) + 2]
    if len(affected) > 1:
        raise Refused(f"{n.path}: valence and arousal are there twice")


def clean(name):
    """A name as a file may have it."""
    return "".join(c if c.isalnum() or c in "-_." else "-" for c in name).strip("-.") or "network"
