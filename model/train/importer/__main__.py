"""make import: settings come as environment variables, because file names may hold anything."""

import os
import sys
import tempfile

from . import EXPRESSIONS, ORDERS, UNITS, VALENCE_AROUSAL, Refused, sandbox

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "..", ".."))
LARGEST = 1 << 30  # bytes of the weights
PICKLED = (".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".bin")
EXPORT = '''{path}: is a PyTorch file: pickled Python code, which runs as soon as it is opened. Two ways:

make import WEIGHTS={path} SIZE=224 SANDBOX=1
  opens it here, in a sandbox without network and without your files (bubblewrap). It bounds what a bad file
  can do, as far as the kernel keeps its word. SIZE: 224 for EfficientNet-B0, 260 for B2, 112 for MobileFaceNet
  and DDAMFN. The first call fetches PyTorch, some 5 GB.

Or turn it into ONNX where you would run a stranger's program, with PyTorch and timm 0.9:
  import torch
  m = torch.load("{base}", map_location="cpu", weights_only=False).eval()
  torch.onnx.export(m, torch.zeros(1, 3, 224, 224), "{stem}.onnx", input_names=["input"],
                    output_names=["output"], opset_version=17, dynamo=False)
and then  make import WEIGHTS={stem}.onnx'''


def main():
    here = os.path.join(os.path.dirname(__file__), "usage.txt")
    given = os.environ.get("WEIGHTS", "")
    if not given:
        print(open(here).read(), end="")
        return 2
    try:
        path = os.path.expanduser(given)
        early(path)
        s = settings(path)
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")  # else it talks about itself, twice
        with tempfile.TemporaryDirectory() as d:
            if pickled(path):
                s["weights"] = exported(path, s, d)
            from . import bring  # TensorFlow takes seconds to load: a wrong name is reported before
            bring.run(s, say)
    except Refused as e:
        print(f"import: {e}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("import: stopped; nothing was written", file=sys.stderr)
        return 130
    return 0


def say(text):
    print(text, flush=True)


def early(path):
    """Refuses what needs no library to be refused."""
    if not os.path.isfile(path):
        what = "is a folder, must be an .onnx file" if os.path.isdir(path) else "is not a file" if os.path.exists(path) else "there is no such file"
        raise Refused(f"{path}: {what}")
    if os.path.getsize(path) > LARGEST:
        raise Refused(f"{path}: has {os.path.getsize(path) >> 20} MiB, the limit is {LARGEST >> 20}: this is no light face network")
    if pickled(path) and os.environ.get("SANDBOX", "").strip() != "1":
        base = os.path.basename(path)
        raise Refused(EXPORT.format(path=path, base=base, stem=os.path.splitext(base)[0]))


def pickled(path):
    return path.lower().endswith(PICKLED)


def exported(path, s, folder):
    """The ONNX file, in folder, that the sandbox makes of a pickled network."""
    if s["size"] is None:
        raise Refused(f"{path}: no PyTorch file states its input: say it with SIZE=224 (EfficientNet-B0), 260 (B2) or 112 (MobileFaceNet, DDAMFN)")
    if not os.path.isfile(s["torch"]):
        raise Refused(f"{path}: PyTorch is not here yet: make import WEIGHTS=... SANDBOX=1 fetches it")
    say(f"WARNING: {path} holds code of whoever made it, which runs now, in a sandbox without network and files of yours")
    content = sandbox.opened(path, s["torch"], s["size"])
    out = os.path.join(folder, os.path.splitext(os.path.basename(path))[0] + ".onnx")
    with open(out, "wb") as f:
        f.write(content)
    say(f"an ONNX file of {len(content)} bytes came out of it")
    return out


def settings(path):
    """{name: value} of what was asked for, checked as far as the network need not be known."""
    get = lambda name: os.environ.get(name, "").strip()
    out = {
        "weights": path, "source": path, "name": get("NAME") or os.path.splitext(os.path.basename(path))[0],
        "out": os.path.expanduser(get("OUT")) or os.path.dirname(os.path.abspath(path)),
        "calibration": os.path.expanduser(get("CALIBRATION")), "licence": get("LICENCE") or "as the weights' own; not known to mien",
        "classes": (), "units": (), "affect": (), "bgr": False, "size": None, "template": None, "preprocessing": "",
        "shared": os.path.join(ROOT, "..", "shared", "data", "faces144.npz"), "work": os.path.join(ROOT, ".train"),
        "libraries": os.path.join(ROOT, ".deps", "lib"), "mien": os.path.join(ROOT, "bin", "mien"),
        "torch": os.path.join(ROOT, ".venv-torch", "bin", "python"),
    }
    if get("AU") not in ("", "0", "1"):
        raise Refused(f"AU={get('AU')}: must be 1 or left out")
    out["au"] = get("AU") == "1"
    out["preprocessing"] = preprocessing(get("PREPROCESSING"))
    if get("COLOUR").lower() not in ("", "rgb", "bgr"):
        raise Refused(f"COLOUR={get('COLOUR')}: must be rgb or bgr, the order of the input's channels")
    out["bgr"] = get("COLOUR").lower() == "bgr"
    out["affect"] = {"": (), "0": (), "1": VALENCE_AROUSAL}.get(get("VA"), tuple(n.strip().lower() for n in get("VA").split(",")))
    if out["affect"] and sorted(out["affect"]) != sorted(VALENCE_AROUSAL):
        raise Refused(f"VA={get('VA')}: must be 1 (valence, arousal), or arousal,valence, or left out")
    if get("UNITS"):
        given = get("UNITS").lower()
        try:
            out["units"] = UNITS.get(given) or tuple(int(u) for u in given.split(","))
        except ValueError:
            raise Refused(f"UNITS={get('UNITS')}: must be {', '.join(UNITS)}, or FACS numbers in the file's order, such as 1,2,4,12") from None
        if len(set(out["units"])) != len(out["units"]) or not all(1 <= u <= 64 for u in out["units"]):
            raise Refused(f"UNITS={get('UNITS')}: must be FACS numbers of 1 to 64, each once")
    if get("CLASSES"):
        names = [n.strip().lower() for n in get("CLASSES").split(",")]
        out["classes"] = ORDERS[names[0]] if len(names) == 1 and names[0] in ORDERS else tuple(names)
        wrong = [n for n in out["classes"] if n not in EXPRESSIONS]
        if wrong or len(set(out["classes"])) != len(out["classes"]) or len(out["classes"]) < 2:
            raise Refused(f"CLASSES={get('CLASSES')}: must be one of {', '.join(ORDERS)}, or two or more of {', '.join(EXPRESSIONS)}, each once")
    try:
        out["size"] = int(get("SIZE")) if get("SIZE") else None
        out["template"] = [float(v) for v in get("TEMPLATE").split(",")] if get("TEMPLATE") else None
    except ValueError as e:
        raise Refused(f"SIZE={get('SIZE')} TEMPLATE={get('TEMPLATE')}: {e}") from None
    if out["template"] and (len(out["template"]) != 4 or out["template"][2] - out["template"][0] < 4):
        raise Refused(f"TEMPLATE={get('TEMPLATE')}: must be x,y of the person's right eye, then x,y of the left one, which is at least 4 pixels further right")
    return out


def preprocessing(given):
    """"", the name of a usual one, or ((means), (deviations)) of 0..255 values."""
    if given in ("", "half", "imagenet", "none", "unit"):
        return given
    try:
        mean, std = ([float(v) for v in part.split(",")] for part in given.split("/"))
        mean, std = (v * 3 if len(v) == 1 else v for v in (mean, std))
        if len(mean) == len(std) == 3 and all(0 <= v <= 255 for v in mean) and all(0 < v <= 255 for v in std):
            return tuple(mean), tuple(std)
    except ValueError:
        pass
    raise Refused(f"PREPROCESSING={given}: must be half, imagenet, none (0..255), unit (0..1), or means/deviations of 0..255 values, "
                  "such as 127.5/128 or 103.9,116.8,123.7/57,57,58, in the order red, green, blue")


if __name__ == "__main__":
    sys.exit(main())
