"""Writes the small models of the tests and goldens.json beside this file.

Python 3.11 with tensorflow-cpu 2.21.0, keras 3.15.1, ai-edge-litert 2.3.0:
    python make_models.py [FOLDER WITH THE FACE DETECTORS]

The weights are random from a fixed seed: the tests ask whether a backend
computes what the file says, not whether it says anything.
"""

import json
import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

import keras
import numpy as np
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter
from tensorflow.lite.python import schema_py_generated as schema
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2
import flatbuffers

HERE = os.path.dirname(os.path.abspath(__file__))
L = keras.layers


def lcg(seed, n):
    """The bytes of tflite.Fill."""
    x, out = seed, np.empty(n, np.uint8)
    for i in range(n):
        x = (x * 1664525 + 1013904223) & 0xFFFFFFFF
        out[i] = x >> 24
    return out


def net(size=16, heads="conv", kind="plain"):
    """A network of the kind mien runs: convolutions with ReLU6, a residual, pooling, heads."""
    keras.utils.set_random_seed(7)
    x = inp = keras.Input((size, size, 1), batch_size=1, name="picture")
    x = L.Conv2D(8, 3, strides=2, padding="same", activation="relu6")(x)
    y = L.DepthwiseConv2D(3, padding="same", activation="relu6")(x)
    y = L.Conv2D(8, 1, padding="same")(y)
    x = L.Add()([x, y])
    x = L.MaxPool2D(2)(x)
    if kind == "grouped":
        x = L.Conv2D(16, 3, padding="same", groups=4, activation="relu6")(x)
    else:
        x = L.Conv2D(16, 3, padding="same", activation="relu6")(x)
    x = L.AveragePooling2D(size // 4)(x)
    outs = []
    # Two outputs of one shape, named against their order: a backend that
    # mixes them up gives the wrong numbers.
    for name, n in (("second", 8), ("first", 8), ("third", 2)):
        if heads == "dense":
            o = L.Dense(n)(L.Flatten()(x))
        else:
            o = L.Reshape((n,))(L.Conv2D(n, 1)(x))
        outs.append(L.Activation("linear", name=name)(o))
    model = keras.Model(inp, outs)
    rng = np.random.default_rng(3)
    for w in model.trainable_weights:
        if len(w.shape) == 1:
            w.assign(rng.normal(0, 0.1, w.shape).astype(np.float32))
    return model


def wide():
    """Convolutions and residuals with an answer of 512 numbers, enough to tell one library's rounding from another's."""
    keras.utils.set_random_seed(13)
    x = inp = keras.Input((16, 16, 1), batch_size=1, name="picture")
    x = L.Conv2D(16, 3, strides=2, padding="same", activation="relu6")(x)
    for _ in range(2):
        y = L.DepthwiseConv2D(3, padding="same", activation="relu6")(x)
        x = L.Add()([x, L.Conv2D(16, 1)(y)])
    x = L.Conv2D(32, 3, strides=2, padding="same")(x)
    outs = [L.Activation("linear", name=n)(o) for n, o in (("a", x), ("b", L.Conv2D(4, 1)(x)), ("c", L.GlobalAveragePooling2D(keepdims=True)(x)))]
    return keras.Model(inp, outs)


def convert(model, size=16, quantise=True, kind=tf.int8):
    names = [o.name for o in model.outputs]

    @tf.function(input_signature=[tf.TensorSpec((1, size, size, 1), tf.float32, name="picture")])
    def serve(picture):
        return {l.name: y for l, y in zip(model.layers[-3:], model(picture))}

    concrete = convert_variables_to_constants_v2(serve.get_concrete_function())
    c = tf.lite.TFLiteConverter.from_concrete_functions([concrete])
    if quantise:
        rng = np.random.default_rng(5)

        def pictures():
            for _ in range(64):
                yield [rng.uniform(-1, 1, (1, size, size, 1)).astype(np.float32)]

        c.optimizations = [tf.lite.Optimize.DEFAULT]
        c.representative_dataset = pictures
        c.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        c.inference_input_type = c.inference_output_type = kind
    return c.convert()


def operators(quantise):
    """The operators that tflite.Check lets in, but those of activations(), in one network."""
    rng = np.random.default_rng(11)

    def weights(*shape):
        return tf.constant(rng.normal(0, 0.4, shape).astype(np.float32))

    w1, w2, w3, slopes = weights(3, 3, 4, 8), weights(3, 3, 8, 2), weights(16, 6), tf.constant(rng.uniform(0.1, 0.3, (1, 1, 8)).astype(np.float32))

    @tf.function(input_signature=[tf.TensorSpec((1, 8, 8, 4), tf.float32, name="picture")])
    def serve(x):
        x = tf.pad(x, [[0, 0], [1, 1], [2, 0], [0, 0]])
        x = tf.nn.conv2d(x, w1, 1, "VALID")  # 8x8x8
        x = tf.nn.relu(x)
        x = x - tf.constant(rng.normal(0, 0.2, (8,)).astype(np.float32))
        a = tf.nn.leaky_relu(x, 0.1)
        b = tf.nn.relu(x) - slopes * tf.nn.relu(-x)
        c, d = tf.split(x, 2, axis=3)
        d = tf.slice(tf.tanh(d), [0, 0, 0, 1], [1, 8, 8, 3])
        c = tf.sigmoid(c)[:, :, :, 0:3]
        e = tf.concat([c, d], 3)  # 8x8x6
        e = tf.image.resize(e, (4, 4), "bilinear")
        e = tf.compat.v1.image.resize_nearest_neighbor(e, (8, 8))
        f = tf.nn.depth_to_space(tf.nn.depthwise_conv2d(x, w2, [1, 1, 1, 1], "SAME"), 2)  # 16x16x4
        f = tf.nn.avg_pool2d(f, 2, 2, "SAME")
        f = tf.nn.max_pool2d(f, 3, 1, "SAME")
        f = tf.transpose(f, [0, 2, 1, 3]) * tf.nn.relu6(f)
        g = x * tf.nn.relu6(x + 3.0) * (1 / 6)
        g = tf.clip_by_value(g, -1.0, 1.0)
        out = tf.reduce_mean(tf.concat([a, b, e, f, g], 3), [1, 2])  # 1x34
        s = tf.reduce_sum(tf.reshape(out[:, :32], (1, 2, 16)), 1)
        s = tf.nn.softmax(tf.matmul(s, w3))
        if not quantise:
            h = tf.expand_dims(tf.squeeze(out, [0]), 0)
            h = tf.exp(-tf.abs(h)) + tf.sqrt(tf.square(h) + 1.0) + tf.math.rsqrt(tf.square(h) + 2.0)
            h = tf.math.squared_difference(h, out) / (tf.maximum(h, out) + 4.0) + tf.nn.elu(tf.minimum(h, out))
            m = tf.reshape(out[:, 2:], (1, 8, 4))
            m = tf.matmul(m, m, transpose_b=True)
            m = tf.reduce_mean(tf.pad(m, [[0, 0], [1, 0], [0, 1]], constant_values=0.5), 2)
            m = tf.stack([m, m * 0.5], 1)
            return {"b": s, "a": h, "c": tf.reshape(m, (1, 18))}
        return {"b": s, "a": out}

    concrete = convert_variables_to_constants_v2(serve.get_concrete_function())
    c = tf.lite.TFLiteConverter.from_concrete_functions([concrete])
    if quantise:

        def pictures():
            for _ in range(64):
                yield [rng.uniform(-1, 1, (1, 8, 8, 4)).astype(np.float32)]

        c.optimizations = [tf.lite.Optimize.DEFAULT]
        c.representative_dataset = pictures
        c._experimental_disable_per_channel_quantization_for_dense_layers = True
        c.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        c.inference_input_type = c.inference_output_type = tf.int8
    return c.convert()


def activations():
    """PRELU, HARD_SWISH and GELU, in float."""
    keras.utils.set_random_seed(9)
    x = inp = keras.Input((8, 8, 2), batch_size=1, name="picture")
    x = L.Conv2D(4, 3)(x)
    x = L.PReLU(alpha_initializer=keras.initializers.RandomUniform(0.1, 0.4), shared_axes=[1, 2])(x)
    x = L.Activation("hard_silu")(x)
    x = L.Activation("gelu")(L.Conv2D(4, 3)(x))
    model = keras.Model(inp, L.Dense(3)(L.Flatten()(x)))

    @tf.function(input_signature=[tf.TensorSpec((1, 8, 8, 2), tf.float32, name="picture")])
    def serve(picture):
        return model(picture)

    return tf.lite.TFLiteConverter.from_concrete_functions([convert_variables_to_constants_v2(serve.get_concrete_function())]).convert()


def zero_heads(blob):
    """Clears the weights of the 1x1 convolutions of the heads: every answer is the bias."""
    m = schema.ModelT.InitFromObj(schema.Model.GetRootAs(blob, 0))
    g = m.subgraphs[0]
    for op in g.operators:
        w = g.tensors[op.inputs[1]] if op.builtinOptionsType == schema.BuiltinOptions.Conv2DOptions else None
        if w is not None and list(w.shape[1:]) == [1, 1, 16]:
            m.buffers[w.buffer].data = np.zeros_like(m.buffers[w.buffer].data)
    return pack(m)


def signed(blob):
    """Adds a signature that names the outputs in an order that is neither the graph's nor the alphabet's."""
    m = schema.ModelT.InitFromObj(schema.Model.GetRootAs(blob, 0))
    g = m.subgraphs[0]

    def entry(name, index):
        t = schema.TensorMapT()
        t.name, t.tensorIndex = name, int(index)
        return t

    sig = schema.SignatureDefT()
    sig.signatureKey, sig.subgraphIndex = "serving_default", 0
    sig.inputs = [entry("picture", g.inputs[0])]
    sig.outputs = [entry("b", g.outputs[2]), entry("c", g.outputs[0]), entry("a", g.outputs[1])]
    m.signatureDefs = [sig]
    return pack(m)


def any_batch(blob):
    """Leaves the batch size open, as a plain Keras export does."""
    m = schema.ModelT.InitFromObj(schema.Model.GetRootAs(blob, 0))
    g = m.subgraphs[0]
    for i, t in enumerate(g.tensors):
        if i in g.inputs or any(i in op.outputs for op in g.operators):
            t.shapeSignature = [-1] + list(t.shape[1:])
    return pack(m)


def pack(m):
    b = flatbuffers.Builder(1024)
    b.Finish(m.Pack(b), file_identifier=b"TFL3")
    return bytes(b.Output())


def custom(name):
    """int8 [1,8,8,1] -> one custom operator -> int8 [1,4], as edgetpu_compiler writes."""
    m = schema.ModelT()
    m.version = 3
    m.description = "one custom operator"
    code = schema.OperatorCodeT()
    code.deprecatedBuiltinCode = code.builtinCode = schema.BuiltinOperator.CUSTOM
    code.customCode, code.version = name, 1
    m.operatorCodes = [code]
    m.buffers = [schema.BufferT()]
    g = schema.SubGraphT()
    g.name = "main"
    g.tensors = []
    for tname, shape in (("picture", [1, 8, 8, 1]), ("scores", [1, 4])):
        t = schema.TensorT()
        t.name, t.shape, t.type, t.buffer = tname, shape, schema.TensorType.INT8, 0
        t.quantization = schema.QuantizationParametersT()
        t.quantization.scale, t.quantization.zeroPoint = [1 / 128], [0]
        g.tensors.append(t)
    op = schema.OperatorT()
    op.opcodeIndex, op.inputs, op.outputs = 0, [0], [1]
    op.customOptions = [1, 2, 3, 4]
    g.operators, g.inputs, g.outputs = [op], [0], [1]
    m.subgraphs = [g]
    return pack(m)


def by_hand():
    """float [1,8,8,1] -> SQUEEZE -> EXPAND_DIMS -> RELU_N1_TO_1, which the converter writes differently."""
    m = schema.ModelT()
    m.version, m.operatorCodes, m.buffers = 3, [], [schema.BufferT(), schema.BufferT()]
    m.buffers[1].data = np.array([3, 0, 0, 0], np.uint8)
    g = schema.SubGraphT()
    g.name, g.tensors, g.operators = "main", [], []
    for tname, shape, kind, buffer in (
        ("picture", [1, 8, 8, 1], schema.TensorType.FLOAT32, 0),
        ("flat", [1, 8, 8], schema.TensorType.FLOAT32, 0),
        ("axis", [1], schema.TensorType.INT32, 1),
        ("deep", [1, 8, 8, 1], schema.TensorType.FLOAT32, 0),
        ("clipped", [1, 8, 8, 1], schema.TensorType.FLOAT32, 0),
    ):
        t = schema.TensorT()
        t.name, t.shape, t.type, t.buffer = tname, shape, kind, buffer
        g.tensors.append(t)
    squeeze, expand = schema.SqueezeOptionsT(), schema.ExpandDimsOptionsT()
    squeeze.squeezeDims = [3]
    for k, (number, inputs, outputs, kind, options) in enumerate((
        (schema.BuiltinOperator.SQUEEZE, [0], [1], schema.BuiltinOptions.SqueezeOptions, squeeze),
        (schema.BuiltinOperator.EXPAND_DIMS, [1, 2], [3], schema.BuiltinOptions.ExpandDimsOptions, expand),
        (schema.BuiltinOperator.RELU_N1_TO_1, [3], [4], schema.BuiltinOptions.NONE, None),
    )):
        code = schema.OperatorCodeT()
        code.deprecatedBuiltinCode = code.builtinCode = number
        code.version = 1
        m.operatorCodes.append(code)
        op = schema.OperatorT()
        op.opcodeIndex, op.inputs, op.outputs = k, inputs, outputs
        op.builtinOptionsType, op.builtinOptions = kind, options
        g.operators.append(op)
    g.inputs, g.outputs = [0], [4]
    m.subgraphs = [g]
    return pack(m)


def steep():
    """int8 [1,8,8,1] of -512..510 -> LOGISTIC and TANH, whose results have the scales that they must have."""
    m = schema.ModelT()
    m.version, m.operatorCodes, m.buffers = 3, [], [schema.BufferT()]
    g = schema.SubGraphT()
    g.name, g.tensors, g.operators = "main", [], []
    for tname, scale, zero in (("picture", 4.0, 0), ("sigmoid", 1 / 256, -128), ("tanh", 1 / 128, 0)):
        t = schema.TensorT()
        t.name, t.shape, t.type, t.buffer = tname, [1, 8, 8, 1], schema.TensorType.INT8, 0
        t.quantization = schema.QuantizationParametersT()
        t.quantization.scale, t.quantization.zeroPoint = [scale], [zero]
        g.tensors.append(t)
    for k, number in enumerate((schema.BuiltinOperator.LOGISTIC, schema.BuiltinOperator.TANH)):
        code = schema.OperatorCodeT()
        code.deprecatedBuiltinCode = code.builtinCode = number
        code.version = 2
        m.operatorCodes.append(code)
        op = schema.OperatorT()
        op.opcodeIndex, op.inputs, op.outputs = k, [0], [k + 1]
        g.operators.append(op)
    g.inputs, g.outputs = [0], [1, 2]
    m.subgraphs = [g]
    return pack(m)


def behind(blob):
    """Moves the weights behind the flatbuffer, as ai-edge-quantizer does."""
    m = schema.ModelT.InitFromObj(schema.Model.GetRootAs(blob, 0))
    tail = b""
    for b in m.buffers[1:]:
        if b.data is not None and len(b.data):
            tail += bytes(-len(tail) % 16)
            b.offset, b.size = 2 + len(tail), len(b.data)  # patched below
            tail += bytes(np.asarray(b.data, np.uint8))
            b.data = None
    head = pack(m)
    head += bytes(-len(head) % 16)
    for b in m.buffers[1:]:
        if b.size:
            b.offset += len(head) - 2
    return pack(m).ljust(len(head), b"\0") + tail


def golden(blob):
    """What LiteRT with XNNPACK answers to lcg:1, in the order of the graph's outputs."""
    it = Interpreter(model_content=blob, num_threads=1)
    it.allocate_tensors()
    for k, d in enumerate(it.get_input_details()):
        raw = lcg(1 + k, int(np.prod(d["shape"])))
        if d["dtype"] == np.float32:
            value = (raw.astype(np.float32) / np.float32(127.5) - np.float32(1)).reshape(d["shape"])
        else:
            value = raw.view(d["dtype"]).reshape(d["shape"])
        it.set_tensor(d["index"], value)
    it.invoke()
    outs = []
    g = schema.ModelT.InitFromObj(schema.Model.GetRootAs(blob, 0)).subgraphs[0]
    for i in g.outputs:
        v = it.get_tensor(int(i)).ravel()
        step = max(1, v.size // 32)  # of a long float output, every step-th
        if v.dtype == np.float32:
            outs.append({"name": g.tensors[i].name.decode(), "step": step, "float": [round(float(f), 6) for f in v[::step]]})
        else:
            outs.append({"name": g.tensors[i].name.decode(), "step": 1, "int": v.astype(int).tolist()})
    return outs


def main():
    models = {
        "int8.tflite": convert(net()),
        "uint8.tflite": convert(net(), kind=tf.uint8),
        "int8_wide.tflite": convert(wide()),
        "float.tflite": convert(net(), quantise=False),
        "int8_24.tflite": convert(net(24), 24),
        "dense_per_channel.tflite": convert(net(heads="dense")),
        "grouped.tflite": convert(net(kind="grouped")),
    }
    models["operators_float.tflite"] = operators(False)
    models["operators_int8.tflite"] = operators(True)
    models["activations_float.tflite"] = activations()
    models["by_hand.tflite"] = by_hand()
    models["steep.tflite"] = steep()
    models["constant.tflite"] = zero_heads(models["int8.tflite"])
    models["signature.tflite"] = signed(models["int8.tflite"])
    models["any_batch.tflite"] = any_batch(models["int8.tflite"])
    models["behind.tflite"] = behind(models["int8.tflite"])
    models["edgetpu.tflite"] = custom("edgetpu-custom-op")
    models["custom.tflite"] = custom("NobodysOperator")
    goldens = {}
    for name, blob in models.items():
        with open(os.path.join(HERE, name), "wb") as f:
            f.write(blob)
        if name not in ("behind.tflite", "edgetpu.tflite", "custom.tflite", "constant.tflite"):
            goldens[name] = golden(blob)
        print(name, len(blob))
    faces = sys.argv[1] if len(sys.argv) > 1 else os.path.join(HERE, "../../../.deps/lib")
    for name in ("face_detection_short_range.tflite", "face_detection_full_range.tflite"):
        with open(os.path.join(faces, name), "rb") as f:
            goldens[name] = golden(f.read())
    with open(os.path.join(HERE, "goldens.json"), "w") as f:
        f.write("{\n" + ",\n".join(f" {json.dumps(k)}: {json.dumps(v)}" for k, v in goldens.items()) + "\n}\n")


if __name__ == "__main__":
    main()
