"""Files that cannot be imported: a message that names the reason, an exit status, no traceback, nothing written."""

import os
import subprocess
import sys

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from importer import Refused, bring
from importer.__main__ import main

from . import clip


def save(path, nodes, scores=10, size=112, channels=3, weights=(), extra=(), **opset):
    """A small network: nodes turn `input` into `pooled` (1, channels, 1, 1); a dense layer ends it."""
    w = [numpy_helper.from_array(np.ones((scores, channels), np.float32), "w"), *weights]
    tail = [helper.make_node("Flatten", ["pooled"], ["flat"], axis=1), helper.make_node("Gemm", ["flat", "w"], ["output"], transB=1)]
    graph = helper.make_graph(nodes + tail, "g", [helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, channels, size, size])],
                              [helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, scores])], w)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17), *extra], ir_version=8), path)


POOL = [helper.make_node("GlobalAveragePool", ["input"], ["pooled"])]


@pytest.fixture
def importing(tmp_path, monkeypatch, capfd):
    """(exit status, what it said) of an import into tmp_path/out; in this process, because each new one
    loads TensorFlow. An exception that is no message fails the test as it stands."""
    def run(weights, **settings):
        for k in ("NAME", "AU", "CALIBRATION", "CLASSES", "PREPROCESSING", "TEMPLATE", "SIZE", "SANDBOX", "LICENCE", "UNITS", "VA", "COLOUR"):
            monkeypatch.delenv(k, raising=False)
        for k, v in dict({"CLASSES": "affectnet8", "VA": "1"}, **settings, WEIGHTS=str(weights), OUT=str(tmp_path / "out")).items():
            monkeypatch.setenv(k, v)
        capfd.readouterr()
        code = main()
        return code, "".join(capfd.readouterr())
    return run


@pytest.fixture
def refused(tmp_path, importing):
    def run(weights, *words, **settings):
        code, said = importing(weights, **settings)
        assert code == 1 and "import: " in said, said
        for w in words:
            assert w in said, said
        assert not (tmp_path / "out").exists()
    return run


def test_nothing_given(importing):
    code, said = importing("")
    assert code == 2 and "make import WEIGHTS=" in said


def test_missing(tmp_path, refused):
    refused(tmp_path / "none.onnx", "no such file")
    refused(tmp_path, "is a folder")


def test_pickled(tmp_path, refused):
    f = tmp_path / "enet.pt"
    f.write_bytes(b"PK\x03\x04")
    refused(f, "runs as soon as it is opened", "SANDBOX=1", "torch.onnx.export", "enet.onnx")
    refused(f, "no PyTorch file states its input", "SIZE=224", SANDBOX="1")
    g = tmp_path / "renamed.onnx"
    g.write_bytes(b"PK\x03\x04")
    refused(g, "zip archive")


@pytest.mark.parametrize("content, word", [(b"", "empty"), (b"<!DOCTYPE html>", "web page"), (b"version https://git-lfs.github.com/spec/v1\n", "git-lfs"),
                                           (b"\x00\x01\x02 no network at all", "no ONNX file"), (b"\x1c\0\0\0TFL3\0\0", ".tflite file already")])
def test_no_onnx(tmp_path, refused, content, word):
    f = tmp_path / "face.onnx"
    f.write_bytes(content)
    refused(f, word)


def test_cut_short(tmp_path, refused):
    f = tmp_path / "face.onnx"
    big = numpy_helper.from_array(np.zeros(50_000, np.float32), "unused")
    save(f, POOL, weights=[big])
    whole = f.read_bytes()
    for n in (7, 90, len(whole) // 2, len(whole) - 3):
        f.write_bytes(whole[:n])
        refused(f, str(f), "cut short")


def test_unknown_operator(tmp_path, refused):
    f = tmp_path / "face.onnx"
    size = numpy_helper.from_array(np.array([1., 1., 2., 2.], np.float32), "scales")
    save(f, [helper.make_node("Resize", ["input", "", "scales"], ["big"], name="grow"), helper.make_node("GlobalAveragePool", ["big"], ["pooled"])], weights=[size])
    refused(f, "Resize", "grow")
    save(f, [helper.make_node("Attention3D", ["input"], ["pooled"], domain="lab.example")], extra=[helper.make_opsetid("lab.example", 1)])
    refused(f, "lab.example.Attention3D")


@pytest.mark.parametrize("scores", [1, 5, 11, 60])
def test_class_counts(tmp_path, refused, scores):
    f = tmp_path / "face.onnx"
    save(f, POOL, scores=scores)
    refused(f, f"[{scores}]", "CLASSES=")


def test_meaning_is_asked_for(tmp_path, refused):
    """What scores mean is never guessed, be there as many as HSEmotion has."""
    f = tmp_path / "face.onnx"
    for scores in (2, 7, 8, 10, 12):
        save(f, POOL, scores=scores)
        refused(f, f"[{scores}]", "nothing in the file says", "CLASSES=affectnet8 VA=1", CLASSES="", VA="")
    refused(f, "none is the expression that was told", CLASSES="affectnet8", VA="1", UNITS="abaw")
    save(f, POOL, scores=8)
    refused(f, "may be one or another", CLASSES="affectnet8", VA="", UNITS="1,2,4,6,9,12,15,25")
    refused(f, "valence arousal that was told", CLASSES="affectnet8", VA="1")


def test_class_names(tmp_path, refused):
    f = tmp_path / "face.onnx"
    save(f, POOL, scores=5)
    refused(f, "CLASSES names 8", CLASSES="affectnet8")
    refused(f, "CLASSES=joy,anger", CLASSES="joy,anger")


def test_input(tmp_path, refused):
    f = tmp_path / "face.onnx"
    save(f, POOL, channels=4)
    refused(f, "(batch, 3 or 1, height, width)")
    save(f, POOL, size=8)
    refused(f, "8x8 pixels")


def test_settings(tmp_path, refused):
    f = tmp_path / "face.onnx"
    save(f, POOL)
    refused(f, "PREPROCESSING=bright", PREPROCESSING="bright")
    refused(f, "PREPROCESSING=1/0", PREPROCESSING="1/0")
    refused(f, "COLOUR=grey", COLOUR="grey")
    refused(f, "VA=valence", VA="valence")
    refused(f, "UNITS=brows", UNITS="brows")
    refused(f, "UNITS=1,1", UNITS="1,1")
    refused(f, "TEMPLATE=1,2", TEMPLATE="1,2")
    refused(f, "outside", TEMPLATE="30,40,300,40")
    refused(f, "SIZE=large", SIZE="large")
    refused(f, "AU=yes", AU="yes")


def test_pictures(tmp_path, refused):
    f = tmp_path / "face.onnx"
    save(f, POOL)
    refused(f, "no such folder", CALIBRATION=str(tmp_path / "none"))
    empty = tmp_path / "empty"
    empty.mkdir()
    refused(f, "no picture in it", CALIBRATION=str(empty))
    import cv2
    cv2.imwrite(str(empty / "grey.png"), np.full((64, 64, 3), 99, np.uint8))
    (empty / "broken.jpg").write_bytes(b"\xff\xd8\xff no")
    refused(f, "0 faces found in 2 pictures", "1 files could not be read, 1 have no face", CALIBRATION=str(empty))


def test_program(tmp_path):
    """The program itself: status and no traceback, from a folder that is not the project's."""
    f = tmp_path / "face.onnx"
    f.write_bytes(b"\x00\x01\x02 no network at all")
    env = dict(os.environ, WEIGHTS="face.onnx", PYTHONPATH=os.path.join(clip.ROOT, "model", "train"))
    p = subprocess.run([sys.executable, "-m", "importer"], env=env, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert p.returncode == 1 and p.stderr == "import: face.onnx: is no ONNX file, or is cut short (DecodeError)\n", p.stderr


def test_no_pictures_at_all(tmp_path):
    """Without ../shared/data and without a folder of the user's."""
    with pytest.raises(Refused, match="CALIBRATION=folder"):
        bring.pictures({"calibration": "", "shared": str(tmp_path / "faces144.npz")}, None, None, None)
