"""Network -> .tflite, float32 or int8 in and out, and the two compared."""

import contextlib
import os
import warnings

import numpy as np
import onnx
import tensorflow as tf

from . import Refused, translate


def function(network, heads):
    """The network as a concrete function of a picture (1, H, W, C). heads: [(name, features' value,
    function of features (1, D))]; the outputs come in that order."""
    plan = translate.Translation(network)
    plan.check()

    def run(x):
        found = plan.features(x)
        out = {}
        for name, value, head in heads:
            f = translate.plain(found[value])
            out[name] = head(tf.reshape(f, [1, -1]))
        return out

    shape = (1, *network.size, network.channels)
    return tf.function(run, autograph=False).get_concrete_function(tf.TensorSpec(shape, tf.float32, name="face"))


def linear(weights, bias, activation=None):
    """A head that is one dense layer, or with activation the first of two."""
    def head(f):
        y = translate.dense(f, weights, bias)
        return activation(y) if activation else y
    return head


@contextlib.contextmanager
def quiet():
    """Nothing on stderr meanwhile: the converter, part of it C++, warns of what people cannot change."""
    kept, null = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(null)


def convert(concrete, pictures=None, log=lambda s: None):
    """The .tflite bytes: int8 in and out, calibrated on pictures (N, H, W, C) as the network takes
    them; float32 without."""
    with quiet():
        c = tf.lite.TFLiteConverter.from_concrete_functions([concrete])
    if pictures is not None:
        def samples():
            for i, x in enumerate(pictures):
                if i and i % 50 == 0:
                    log(f"  calibration: picture {i} of {len(pictures)}")
                yield [x[None]]
        c.optimizations = [tf.lite.Optimize.DEFAULT]
        c.representative_dataset = samples
        c.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        c.inference_input_type = c.inference_output_type = tf.int8
        # The older library computes dense layers with a scale for each row wrongly.
        c._experimental_disable_per_channel_quantization_for_dense_layers = True
    try:
        with quiet():
            return c.convert()
    except Exception as e:
        text = " ".join(str(e).split())
        raise Refused(f"TensorFlow's converter refuses the network: {text[:400]}") from None


class Runner:
    """A .tflite file through LiteRT with XNNPACK, one thread, as the unit runs it."""

    def __init__(self, content):
        from ai_edge_litert.interpreter import Interpreter
        self.it = Interpreter(model_content=content, num_threads=1)
        self.it.allocate_tensors()
        self.input = self.it.get_input_details()[0]
        self.outputs = self.it.get_output_details()

    def raw(self, x):
        """Output tensors of one input tensor of the file's own type and shape."""
        self.it.set_tensor(self.input["index"], x)
        self.it.invoke()
        return [self.it.get_tensor(o["index"]).copy() for o in self.outputs]

    def __call__(self, pictures):
        """Real values of every output, [(N, K)], for pictures (N, H, W, C) as the network takes them."""
        out = [[] for _ in self.outputs]
        for x in pictures:
            if self.input["dtype"] == np.int8:
                s, z = self.input["quantization"]
                x = np.clip(np.floor(x / s + z + .5), -128, 127).astype(np.int8)
            for i, (o, v) in enumerate(zip(self.outputs, self.raw(x[None].astype(self.input["dtype"])))):
                if o["dtype"] == np.int8:
                    s, z = o["quantization"]
                    v = (v.astype(np.float32) - z) * np.float32(s)
                out[i].append(v.ravel())
        return [np.array(o) for o in out]

    def index(self, width):
        """Number of the output with so many scores."""
        fits = [i for i, o in enumerate(self.outputs) if int(o["shape"][-1]) == width]
        if len(fits) != 1:
            raise Refused(f"{len(fits)} outputs of {width} scores: cannot be told apart")
        return fits[0]


def lcg(n, seed=1):
    """n pseudo-random bytes as int8: x = x*1664525 + 1013904223 (32 bits), byte = x >> 24; the unit makes the same."""
    x, out = seed, np.empty(n, np.uint8)
    for i in range(n):
        x = (x * 1664525 + 1013904223) & 0xFFFFFFFF
        out[i] = x >> 24
    return out.view(np.int8)


def known_answer(runner):
    """What an int8 file answers, byte for byte, to lcg:1."""
    shape = runner.input["shape"]
    return [v.ravel().astype(int).tolist() for v in runner.raw(lcg(int(np.prod(shape))).reshape(shape))]


def cosines(a, b):
    """Cosine of each row of a with that of b."""
    return (a * b).sum(1) / np.maximum(np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1), 1e-12)


def tapped(content, value):
    """The file's content with one of its inner values as a further output."""
    model = onnx.load_from_string(content)
    if value not in [o.name for o in model.graph.output]:
        model.graph.output.append(onnx.helper.make_tensor_value_info(value, onnx.TensorProto.FLOAT, None))
    return model.SerializeToString()


class Reference:
    """The ONNX file through onnxruntime: what the network is meant to answer, or with inner the value
    of that name inside it."""

    def __init__(self, path, network, inner=None):
        import onnxruntime
        onnxruntime.set_default_logger_severity(3)
        o = onnxruntime.SessionOptions()
        o.intra_op_num_threads = o.inter_op_num_threads = 1
        try:
            self.session = onnxruntime.InferenceSession(tapped(network.content, inner) if inner else network.content, o, providers=["CPUExecutionProvider"])
        except Exception as e:
            raise Refused(f"{path}: onnxruntime does not take it: {str(e).splitlines()[0]}") from None
        self.network = network
        self.names = [inner] if inner else [o.name for o in self.session.get_outputs() if o.name not in network.ignored]

    def __call__(self, pictures):
        """All scores of each picture, (N, sum of widths), as the file gives them."""
        rows = []
        for x in pictures:
            x = x[..., ::-1] if self.network.bgr else x
            x = np.ascontiguousarray(x[None] if self.network.last else x[None].transpose(0, 3, 1, 2))
            try:
                rows.append(np.concatenate([v.ravel() for v in self.session.run(self.names, {self.network.input: x})]))
            except Exception as e:
                raise Refused(f"{self.network.path}: onnxruntime cannot run it: {str(e).splitlines()[0]}") from None
        return np.array(rows)
