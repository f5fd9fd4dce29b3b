"""The finished files through the unit's own program, on each library."""

import json
import os
import subprocess
import tempfile

BACKENDS = {"litert": "LiteRT", "tflite": "the TFLite C API 2.9.0"}


def toml(text):
    return json.dumps(text)  # a JSON text is a TOML one


def measure(mien, card, backend, seconds=2):
    """`mien bench` with the card on one library: its report, or the text of its refusal."""
    with tempfile.TemporaryDirectory() as d:
        path = os.path.join(d, "mien.toml")
        with open(path, "w") as f:
            f.write(f"[model]\ncard = {toml(os.path.abspath(card))}\nbackend = {toml(backend)}\n")
        try:
            p = subprocess.run([mien, "bench", "-json", "-config", path, "-for", f"{seconds}s"], capture_output=True, text=True, timeout=120)
        except subprocess.TimeoutExpired:
            return None, "no answer in 120 s"
    if p.returncode:
        return None, (p.stderr or p.stdout).strip() or f"exit status {p.returncode}"
    return json.loads(p.stdout), ""
