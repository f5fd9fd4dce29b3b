import csv

import numpy as np
import pytest

from affect import labelled, paper

HEAD = "image,valence,arousal,expression,AU1,AU2,AU4,AU6,AU7,AU10,AU12,AU15,AU23,AU24,AU25,AU26\n"


def write(path, text):
    path.write_text(text)
    return str(path)


def test_aff_wild2_marks_missing_labels(tmp_path):
    f = write(tmp_path / "train.txt", HEAD
              + "video1/00001.jpg,0.5,-0.25,4,1,0,0,0,-1,0,1,0,0,0,1,0\n"
              + "video1/00002.jpg,-5,-5,-1," + ",".join(["0"] * 12) + "\n"
              + "video2/00001.jpg,-5,-5,3," + ",".join(["-1"] * 12) + "\n"
              + "video2/00009.jpg,-5,-5,-1," + ",".join(["-1"] * 12) + "\n")
    l = labelled.aff_wild2(f, "/pictures")
    assert l.paths == ["/pictures/video1/00001.jpg", "/pictures/video1/00002.jpg", "/pictures/video2/00001.jpg"]  # the empty row is gone
    assert l.group == ["video1", "video1", "video2"]
    assert l.expression.tolist() == [4, -1, 3]
    np.testing.assert_allclose(l.va[0], [.5, -.25])
    assert np.isnan(l.va[1:]).all()
    assert np.isnan(l.units[0, 4]) and l.units[0, 0] == 1
    assert (l.units[1] == 0).all() and np.isnan(l.units[2]).all()


@pytest.mark.parametrize("row, what", [
    ("a/1.jpg,0.5,0.5,1,0,0\n", "columns"),
    ("a/1.jpg,1.5,0.5,1," + ",".join(["0"] * 12) + "\n", "out of -1..1"),
    ("a/1.jpg,0.5,0.5,9," + ",".join(["0"] * 12) + "\n", "expression 9"),
    ("a/1.jpg,0.5,0.5,1," + ",".join(["2"] * 12) + "\n", "action unit"),
    ("a/1.jpg,x,0.5,1," + ",".join(["0"] * 12) + "\n", "line 2"),
    ("a/1.jpg,0.5,0.5,inf," + ",".join(["0"] * 12) + "\n", "line 2: 'inf' is no whole number"),
    ("a/1.jpg,0.5,0.5,1," + ",".join(["0.5"] * 12) + "\n", "line 2: '0.5' is no whole number"),
])
def test_aff_wild2_refuses(tmp_path, row, what):
    with pytest.raises(labelled.LayoutError, match=what):
        labelled.aff_wild2(write(tmp_path / "train.txt", HEAD + row), "x")


def test_aff_wild2_refuses_files(tmp_path):
    with pytest.raises(labelled.LayoutError, match="No such file"):
        labelled.aff_wild2(str(tmp_path / "none.txt"), "x")
    (tmp_path / "train.txt").write_bytes(b"\xff\xfe\x00rubbish")
    with pytest.raises(labelled.LayoutError, match="is no text"):
        labelled.aff_wild2(str(tmp_path / "train.txt"), "x")


def marks():
    l = np.zeros((68, 2), np.float32)
    l[36:42], l[42:48] = (30, 40), (60, 42)
    return l


def test_affectnet_npy(tmp_path):
    for d in ("images", "annotations"):
        (tmp_path / "train_set" / d).mkdir(parents=True)
    for n, e, v, a in (("7", "1", "0.8", "0.3"), ("12", "9", "-2", "-2")):
        (tmp_path / "train_set/images" / f"{n}.jpg").write_bytes(b"")
        for k, x in (("exp", e), ("val", v), ("aro", a)):
            np.save(tmp_path / "train_set/annotations" / f"{n}_{k}.npy", np.array(x))
        np.save(tmp_path / "train_set/annotations" / f"{n}_lnd.npy", marks().ravel())
    l = labelled.affectnet(str(tmp_path))
    assert sorted(l.expression.tolist()) == [-1, 1]
    i = l.expression.tolist().index(1)
    np.testing.assert_allclose(l.va[i], [.8, .3], rtol=1e-6)
    assert np.isnan(l.va[1 - i]).all()
    np.testing.assert_allclose(l.eyes()[i], [[30, 40], [60, 42]])
    assert np.isnan(l.units).all()


@pytest.mark.parametrize("kind, content, what", [
    ("val", None, "val.npy: No such file"), ("aro", b"\x93NUMPY cut", "aro.npy"), ("lnd", np.zeros(7), "7 numbers, want 136"), ("exp", np.array("happy"), "exp.npy")])
def test_affectnet_npy_refuses(tmp_path, kind, content, what):
    for d in ("images", "annotations"):
        (tmp_path / "train_set" / d).mkdir(parents=True)
    (tmp_path / "train_set/images/7.jpg").write_bytes(b"")
    for k, x in (("exp", np.array("1")), ("val", np.array("0")), ("aro", np.array("0")), ("lnd", marks().ravel())):
        x = content if k == kind else x
        if isinstance(x, bytes):
            (tmp_path / "train_set/annotations" / f"7_{k}.npy").write_bytes(x)
        elif x is not None:
            np.save(tmp_path / "train_set/annotations" / f"7_{k}.npy", x)
    with pytest.raises(labelled.LayoutError, match=what):
        labelled.affectnet(str(tmp_path))


def test_affectnet_without_annotations(tmp_path):
    (tmp_path / "val_set" / "images").mkdir(parents=True)
    with pytest.raises(labelled.LayoutError, match="annotations: No such file"):
        labelled.affectnet(str(tmp_path), "val")


def test_affectnet_validation_list_has_no_heading(tmp_path):
    lists = tmp_path / "Manually_Annotated_file_lists"
    lists.mkdir()
    pts = ";".join(str(v) for v in marks().ravel())
    (lists / "validation.csv").write_text(f"1/a.jpg,0,0,9,9,{pts},3,.2,.9\n2/b.JPG,0,0,9,9,{pts},0,0,.1\n")
    l = labelled.affectnet(str(tmp_path), "val")
    assert l.expression.tolist() == [3, 0] and l.paths[1] == str(tmp_path / "Manually_Annotated_Images" / "2/b.JPG")
    np.testing.assert_allclose(l.va[0], [.2, .9], rtol=1e-6)
    (lists / "validation.csv").write_text("1/a.jpg,0,0,9,9,1;2,3\n")
    with pytest.raises(labelled.LayoutError, match="line 1: 7 columns, want 9"):
        labelled.affectnet(str(tmp_path), "val")


def test_affectnet_csv(tmp_path):
    cols = ["subDirectory_filePath", "face_x", "face_y", "face_width", "face_height", "facial_landmarks", "expression", "valence", "arousal"]
    pts = ";".join(str(v) for v in marks().ravel())
    with open(tmp_path / "training.csv", "w", newline="") as f:
        w = csv.writer(f)
        w.writerow(cols)
        w.writerow(["1/a.jpg", 0, 0, 9, 9, pts, 3, .2, .9])
        w.writerow(["1/b.jpg", 0, 0, 9, 9, pts, 10, -2, -2])  # not a face
        w.writerow(["2/c.jpg", 0, 0, 9, 9, pts, 8, -2, -2])   # a face without expression
    l = labelled.affectnet(str(tmp_path))
    assert l.expression.tolist() == [3, -1]
    assert l.paths[0].endswith("Manually_Annotated_Images/1/a.jpg")


def test_affectnet_refuses(tmp_path):
    with pytest.raises(labelled.LayoutError, match="neither"):
        labelled.affectnet(str(tmp_path))
    (tmp_path / "training.csv").write_text("subDirectory_filePath,expression\n1/a.jpg,2\n")
    with pytest.raises(labelled.LayoutError, match="no column facial_landmarks"):
        labelled.affectnet(str(tmp_path))


def made_set(n, seed):
    """Features whose first columns decide the labels, two thirds of them unlabelled by turns."""
    r = np.random.default_rng(seed)
    f = r.normal(size=(n, 24)).astype(np.float32)
    scores = np.concatenate([f[:, :8] * .5, np.tanh(f[:, 8:10])], 1)
    l = labelled.Labels([""] * n)
    l.expression = f[:, :8].argmax(1)
    l.va = np.tanh(f[:, 8:10]).astype(np.float32)
    l.units = (f[:, 10:22] > .6).astype(np.float32)
    third = np.arange(n) % 3
    l.expression[third == 0] = -1
    l.va[third == 1] = np.nan
    l.units[third == 2] = np.nan
    return np.concatenate([f, scores], 1), l


def test_heads_learn_through_the_masks():
    x, l = made_set(1500, 1)
    xt, lt = made_set(600, 2)
    model, history = paper.train(x, l, epochs=12, rate=3e-3)
    total, (ccc, expression, units) = paper.score(model, xt, lt)
    assert history[-1] < .6 * history[0]
    assert ccc > .8 and expression > .7 and units > .7
    assert abs(total - (ccc + expression + units)) < 1e-9
    thr = paper.best_thresholds(model, xt, lt)
    assert len(thr) == 12 and all(.1 <= t <= .9 for t in thr)


def test_class_weights_of_one_class_only():
    w = paper.class_weights(np.array([2, 2, -1]), 8)
    assert w[2] == 1 and w.sum() == 1
    assert np.isfinite(paper.unit_weights(np.full((3, 12), np.nan))).all()
