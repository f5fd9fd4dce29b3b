"""Keras -> full int8 TFLite, inputs and outputs int8, weights per channel."""

import numpy as np
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from .align import SIZE


def convert(model, calibration=None):
    """The .tflite bytes. calibration: (N, 112, 112, 1) crops in [-1, 1]; without it a float file."""
    f = tf.function(lambda x: model(x, training=False))
    cf = f.get_concrete_function(tf.TensorSpec((1, SIZE, SIZE, 1), tf.float32, name="crop"))
    # Keras 3: unless variables are frozen first, calibration stops at READ_VARIABLE.
    conv = tf.lite.TFLiteConverter.from_concrete_functions([convert_variables_to_constants_v2(cf)])
    if calibration is not None:
        ends = np.stack([np.full((SIZE, SIZE, 1), v, np.float32) for v in (-1, 1)])
        conv.optimizations = [tf.lite.Optimize.DEFAULT]
        conv.representative_dataset = lambda: ([x[None]] for x in np.concatenate([ends, calibration]).astype(np.float32))
        conv.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        conv.inference_input_type = conv.inference_output_type = tf.int8
    return conv.convert()


class Runner:
    """A .tflite file through LiteRT with XNNPACK, as the unit runs it."""

    def __init__(self, content, threads=1):
        from ai_edge_litert.interpreter import Interpreter
        self.it = Interpreter(model_content=content, num_threads=threads)
        self.it.allocate_tensors()
        self.input = self.it.get_input_details()[0]
        self.outputs = self.it.get_output_details()

    def raw(self, x):
        """Output tensors of one input tensor of the file's own type and shape."""
        self.it.set_tensor(self.input["index"], x)
        self.it.invoke()
        return [self.it.get_tensor(o["index"]).copy() for o in self.outputs]

    def __call__(self, crops):
        """Dequantised outputs for crops (N, 112, 112) of 0..255 values."""
        from .align import tensor
        out = [[] for _ in self.outputs]
        for c in crops:
            if self.input["dtype"] == np.int8:
                s, z = self.input["quantization"]
                x = tensor(np.asarray(c, np.float32), s, z).reshape(self.input["shape"])
            else:
                x = ((np.asarray(c, np.float32) - 127.5) / 127.5).reshape(self.input["shape"])
            for i, (o, v) in enumerate(zip(self.outputs, self.raw(x))):
                if o["dtype"] == np.int8:
                    s, z = o["quantization"]
                    v = (v.astype(np.float32) - z) * s
                out[i].append(v[0])
        return [np.array(o) for o in out]


def lcg(n, seed=1):
    """n pseudo-random bytes as int8: x = x*1664525 + 1013904223 (32 bits), byte = x >> 24."""
    x, out = seed, np.empty(n, np.uint8)
    for i in range(n):
        x = (x * 1664525 + 1013904223) & 0xFFFFFFFF
        out[i] = x >> 24
    return out.view(np.int8)


def known_answer(content):
    """What the int8 file answers, byte for byte, to lcg:1."""
    r = Runner(content)
    return [v.ravel().astype(int).tolist() for v in r.raw(lcg(SIZE * SIZE).reshape(r.input["shape"]))]
