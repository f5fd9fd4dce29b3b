"""Reads an ONNX file and finds in it what a face network has: one picture in, scores out, and the
last dense layer with the features before it."""

import os
from dataclasses import dataclass, field

import numpy as np
import onnx
from onnx import numpy_helper, shape_inference

from . import ABAW_UNITS, AFFECTNET7, AFFECTNET8, EXPRESSIONS, VALENCE_AROUSAL, Refused

FEATURES = 64      # an output of more numbers than that is no list of scores
LIMIT = 512 << 20  # bytes of a file; the largest of EmotiEffLib's networks has 40 MB


def _log_softmax(x):
    x = x - x.max(1, keepdims=True)
    return x - np.log(np.exp(x).sum(1, keepdims=True))


ENDS = {"Softmax": lambda x: np.exp(_log_softmax(x)), "LogSoftmax": _log_softmax, "Sigmoid": lambda x: 1 / (1 + np.exp(-x)), "Tanh": np.tanh,
        "Clip": lambda x: np.clip(x, -1, 1)}


@dataclass
class Output:
    """One tensor of scores: value names it in the graph. With weights (K, D) and bias (K,) it is
    the dense layer weights @ features + bias, features being a value of D elements."""
    value: str
    width: int
    features: str = ""
    weights: np.ndarray = None
    bias: np.ndarray = None
    ends: tuple = ()  # what the file ends in, from the scores on, which is left out: the unit applies its own
    parts: list = field(default_factory=list)  # [(name, first, behind the last)] of the scores

    def shown(self, scores):
        """Scores (N, width) as the file would give them."""
        for end in self.ends:
            scores = ENDS[end](scores)
        return scores


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
    affect: tuple = ()     # valence and arousal, in the file's order
    units: tuple = ()      # action units that the network itself has
    thresholds: tuple = ()  # of the units, where the file states them
    stated: bool = False   # the file states the order of its expressions
    last: bool = False     # the input is (batch, height, width, channels)
    bgr: bool = False      # the input's channels are blue, green, red
    content: bytes = b""   # the file, made of single-precision numbers and in one piece

    def has(self, name):
        return any(part[0] == name for o in self.outputs for part in o.parts)

    def operators(self):
        return [n.op_type for n in self.graph.node]


def load(path, size=None, classes=(), units=(), affect=(), bgr=False):
    """The network in the ONNX file at path. size: of the square input where the file leaves it
    open; classes, units, affect: what its scores mean, each in the file's order. Refused says what
    is wrong with the file, or what has to be told."""
    model = single(parse(path))
    scores_of_choices(model)
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
    name, (height, width), channels, last = picture(path, inputs[0], size)
    opset = max((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), default=0)
    foreign = sorted({f"{n.domain}.{n.op_type}" for n in graph.node if n.domain not in ("", "ai.onnx")})
    if foreign:
        raise Refused(f"{path}: operator {foreign[0]} is none of ONNX's own: export the network without it")
    quantised = next((x for x in graph.node if x.op_type in ("QuantizeLinear", "QLinearConv")), None)
    if quantised is not None:
        raise Refused(f"{path}: is quantised already (operator {quantised.op_type}): give the network of single-precision numbers that it was made of")
    n = Network(path, graph, opset, name, (height, width), channels, constants, last=last, bgr=bgr and channels == 3, content=model.SerializeToString())
    find_outputs(n, model)
    told, thresholds = stated(path, model)
    n.stated = bool(told) and not classes
    if told:  # importer/paper.py wrote it
        name_outputs(n, classes or told, units or ABAW_UNITS, affect or VALENCE_AROUSAL, every=False)
    else:
        name_outputs(n, classes, units, affect)
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
    beside(path, model)
    try:
        onnx.checker.check_model(model)
    except Exception as e:
        raise Refused(f"{path}: a damaged ONNX file: {str(e).splitlines()[0]}") from None
    return model


def beside(path, model):
    """Reads the weights from a file beside it, and from no other place."""
    folder, limit = os.path.dirname(os.path.abspath(path)), LIMIT
    for t in model.graph.initializer:
        if t.data_location != onnx.TensorProto.EXTERNAL:
            continue
        told = {e.key: e.value for e in t.external_data}
        name = told.get("location", "")
        file = os.path.join(folder, name)
        if not name or os.path.basename(name) != name or not os.path.isfile(file) or os.path.islink(file):
            raise Refused(f"{path}: its weights are in {name[:100]!r}, which is no file beside it: put it there, or save both as one (onnx.save_model with save_as_external_data=False)")
        try:
            first, count = int(told.get("offset", 0)), int(told.get("length", os.path.getsize(file)))
        except ValueError:
            raise Refused(f"{path}: where its weights are in {name} is no number") from None
        limit -= count
        if first < 0 or count < 0 or first + count > os.path.getsize(file) or limit < 0:
            raise Refused(f"{path}: its weights are not whole in {name}, or have more than {LIMIT >> 20} MiB")
        with open(file, "rb") as f:
            f.seek(first)
            t.raw_data = f.read(count)
        t.data_location = onnx.TensorProto.DEFAULT
        del t.external_data[:]


def single(model):
    """The model with numbers of half precision made single."""
    half, whole = onnx.TensorProto.FLOAT16, onnx.TensorProto.FLOAT
    constants = [t for t in model.graph.initializer] + [a.t for n in model.graph.node for a in n.attribute if a.type == onnx.AttributeProto.TENSOR]
    for t in constants:
        if t.data_type == half:
            t.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(t).astype(np.float32), t.name))
    for v in [*model.graph.input, *model.graph.output, *model.graph.value_info]:
        if v.type.tensor_type.elem_type == half:
            v.type.tensor_type.elem_type = whole
    for n in model.graph.node:
        for a in n.attribute:
            if n.op_type == "Cast" and a.name == "to" and a.i == half:
                a.i = whole
    return model


def scores_of_choices(model):
    """Outputs that name the largest score alone are left out; where there are no others, the scores take
    their place."""
    made = {o: n for n in model.graph.node for o in n.output}
    chosen = [o for o in model.graph.output if o.name in made and made[o.name].op_type in ("ArgMax", "TopK")]
    for o in chosen:
        model.graph.output.remove(o)
    if not model.graph.output:
        for name in dict.fromkeys(made[o.name].input[0] for o in chosen):
            model.graph.output.append(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None))


def picture(path, value, size):
    """Name, (height, width) and channels of the input, a picture of float32, and whether its channels
    come last."""
    t = value.type.tensor_type
    dims = [d.dim_value if d.HasField("dim_value") else 0 for d in t.shape.dim]
    if t.elem_type != onnx.TensorProto.FLOAT:
        raise Refused(f"{path}: input {value.name} is {onnx.TensorProto.DataType.Name(t.elem_type)}: must be FLOAT (a network that is not quantised yet)")
    if len(dims) != 4:
        raise Refused(f"{path}: input {value.name} has {len(dims)} dimensions: must be a picture (batch, channels, height, width)")
    batch, channels, height, width = dims
    last = channels not in (1, 3) and dims[3] in (1, 3)  # as TensorFlow has it
    if last:
        batch, height, width, channels = dims
    if channels not in (1, 3):
        raise Refused(f"{path}: input {value.name} is {dims}: must be (batch, 3 or 1, height, width), or (batch, height, width, 3 or 1)")
    if batch > 1:
        raise Refused(f"{path}: made for a batch of {batch}: export it with a batch of 1, or an open one")
    if size and (height and height != size or width and width != size):
        raise Refused(f"{path}: its input is {width}x{height}, SIZE says {size}")
    height, width = height or size, width or size
    if not height or not width:
        raise Refused(f"{path}: leaves the size of its input open: say it with SIZE=224 (or 112, 260)")
    if not (16 <= height <= 1024 and 16 <= width <= 1024):
        raise Refused(f"{path}: an input of {width}x{height} pixels: must be 16 to 1024")
    return value.name, (height, width), channels, last


def find_outputs(n, model):
    """Fills outputs: each tensor of rank 2 with its dense layer, if it is one."""
    made = {o: node for node in n.graph.node for o in node.output}
    shapes = {}
    try:
        inferred = shape_inference.infer_shapes(model)
        shapes = {v.name: [d.dim_value for d in v.type.tensor_type.shape.dim] for v in list(inferred.graph.value_info) + list(inferred.graph.output)
                  if v.type.tensor_type.HasField("shape")}
    except Exception:  # inference is a help, no proof: the translation finds the shapes again
        pass
    for out in n.graph.output:
        if len(shapes.get(out.name, [0, 0])) != 2:
            n.ignored.append(out.name)
            continue
        o = scores(n, made, out.name)
        if not o.width and 0 < shapes.get(o.value, [0, 0])[-1] <= FEATURES:
            # No dense layer, such as the mean of a convolution's channels: they are the scores.
            k = shapes[o.value][-1]
            o.width, o.features, o.weights, o.bias = k, o.value, np.eye(k, dtype=np.float32), np.zeros(k, np.float32)
        if not o.width or o.width > FEATURES:
            n.ignored.append(out.name)
            continue
        n.outputs.append(o)
    if not n.outputs:
        raise Refused(f"{n.path}: none of its outputs ({', '.join(n.ignored)}) is a list of at most {FEATURES} scores")


def scores(n, made, name):
    """The Output behind value name: walks back over what the unit does itself and what changes nothing."""
    ends = []
    value, scale, shift = name, 1., 0.
    while value in made:
        node = made[value]
        first = node.input[0] if node.input else ""
        if node.op_type in ("Identity", "Dropout"):
            value = first
        elif node.op_type in ENDS and np.isscalar(scale) and (node.op_type != "Clip" or clips(n, node)):
            value, ends = first, [node.op_type, *ends]
        elif node.op_type == "BatchNormalization" and np.isscalar(scale):
            g, b, mean, var = (n.constants[i].astype(np.float64) for i in node.input[1:5])
            eps = next((a.f for a in node.attribute if a.name == "epsilon"), 1e-5)
            scale = g / np.sqrt(var + eps)
            shift = b - mean * scale
            value = first
        else:
            break
    node = made.get(value)
    bias = None
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
            return Output(value, len(w), node.input[0], w.astype(np.float32), (bias * scale + shift).astype(np.float32), tuple(ends))
    return Output(value, 0, ends=tuple(ends))


def clips(n, node):
    """Whether a Clip is to -1..1, as the unit clips valence and arousal itself."""
    given = [n.constants.get(i) for i in node.input[1:3]] or [next((np.float32(a.f) for a in node.attribute if a.name == k), None) for k in ("min", "max")]
    return [None if v is None else float(np.ravel(v)[0]) for v in given] == [-1., 1.]


# What each kind of scores may end in.
ENDED = {"expression": {(), ("Softmax",), ("LogSoftmax",)}, "valence_arousal": {(), ("Tanh",), ("Clip",), ("Tanh", "Clip")}, "action_units": {(), ("Sigmoid",)}}
ASK = """nothing in the file says what its scores mean, and a wrong guess is not noticed later: say it.
  CLASSES=affectnet8        eight expressions in AffectNet's order, as in HSEmotion's networks; or others, by name: CLASSES=neutral,anger,...
  VA=1                      valence, then arousal, behind them or as an output of their own; VA=arousal,valence if they are the other way round
  UNITS=abaw                the 12 action units of ABAW; or others, by FACS number: UNITS=1,2,4,12
  HSEmotion's networks of 10 scores are CLASSES=affectnet8 VA=1, those of 8 CLASSES=affectnet8, of 7 CLASSES=affectnet7"""


def name_outputs(n, classes, units, affect, every=True):
    """Gives each output its parts, by what was told. every: all that was told has to be there."""
    widths = [o.width for o in n.outputs]
    told = [("expression", tuple(classes)), ("valence_arousal", tuple(affect)), ("action_units", tuple(units))]
    told = [(name, what) for name, what in told if what]
    if not told:
        raise Refused(f"{n.path}: its outputs have {widths} scores: {ASK}")
    for o in n.outputs:
        fits = [[name] for name, what in told if len(what) == o.width]
        if classes and affect and o.width == len(classes) + len(affect):
            fits.append(["expression", "valence_arousal"])
        fits = [names for names in fits if not any(n.has(name) for name in names)]
        if len(fits) != 1:
            names = ", ".join(f"{setting} names {len(what)}" for setting, what in (("CLASSES", classes), ("VA", affect), ("UNITS", units)) if what)
            raise Refused(f"{n.path}: its outputs have {widths} scores, {names}: output {o.value} of {o.width} {'may be one or another' if fits else 'is none of it'}: {ASK}")
        first = 0
        for name in fits[0]:
            o.parts.append((name, first, first + len(dict(told)[name])))
            first = o.parts[-1][2]
        if not all(o.ends in ENDED[name] for name in fits[0]):
            raise Refused(f"{n.path}: output {o.value} ends in {', '.join(o.ends)} over {' and '.join(fits[0])}: export it without")
    for name, what in told:
        if every and not n.has(name):
            raise Refused(f"{n.path}: its outputs have {widths} scores: none is the {name.replace('_', ' ')} that was told ({len(what)} scores)")
    n.classes, n.affect, n.units = (tuple(dict(told).get(k, ())) if n.has(k) else () for k in ("expression", "valence_arousal", "action_units"))


def clean(name):
    """A name as a file may have it."""
    return "".join(c if c.isalnum() or c in "-_." else "-" for c in name).strip("-.") or "network"
