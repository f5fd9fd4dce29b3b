"""The card of an imported network: what model/affect reads beside the .tflite file."""

import hashlib
import json
import os

LIMITS = [
    "Not a safety function: no SIL or PL is claimed; an aid to monitoring.",
    "Not for judging character, truthfulness, health, performance or identity.",
    "Imported: mien does not know what the network was trained on nor how good it is. Measure it with tools/evaluate on your own labelled pictures before an alarm depends on it.",
    "The EU AI Act, Art. 5(1)(f), bans inferring emotions of people at work except for medical or safety reasons.",
]


def make(name, content, source, network, index, known, preprocessing, template, head, scores, licence, note):
    """The card as a dict. index: {output name: number of the tensor}; known: its known answer;
    note: what else people must know, a list."""
    mean, std = preprocessing
    outputs = {}
    if network.classes:
        outputs["expression"] = {"index": index["expression"], "kind": "logits", "classes": list(network.classes)}
    if network.affect:
        affect = next(o for o in network.outputs for part in o.parts if part[0] == "valence_arousal")
        outputs["valence_arousal"] = {"index": index["valence_arousal"], "kind": "raw" if "Tanh" in affect.ends else "linear", "order": list(network.affect), "derived": False}
    if head is not None:
        outputs["action_units"] = {"index": index["action_units"], "kind": "logits", "units": list(head.units), "thresholds": head.thresholds, "weak": head.weak()}
    elif network.units:
        outputs["action_units"] = {"index": index["action_units"], "kind": "logits", "units": list(network.units), "thresholds": list(network.thresholds) or [.5] * len(network.units), "weak": [u for u in (15, 23, 24) if u in network.units]}
    digest = hashlib.sha256(open(source, "rb").read()).hexdigest()
    data = [{"name": "imported weights", "licence": licence, "note": f"{os.path.basename(source)}, SHA-256 {digest}"}]
    if head is not None:
        data.append({"name": "faces144", "licence": "repository Apache-2.0; rights in the pictures unclear",
                     "note": "head for action units, fitted on the frozen features; labels by MediaPipe's blendshapes, no FACS coder's"})
    c = {
        "schema": 1, "name": name, "version": digest[:12], "file": name + ".tflite", "sha256": hashlib.sha256(content).hexdigest(), "licence": licence,
        "description": "Imported by make import from " + os.path.basename(source) + ".",
        "input": {"index": 0, "width": network.size[1], "height": network.size[0], "channels": network.channels, "colour": "rgb" if network.channels == 3 else "grey",
                  "mean": list(mean), "std": list(std), "template": {"right_eye": list(template[0]), "left_eye": list(template[1])}},
        "outputs": outputs, "data": data, "scores": scores, "limits": LIMITS + note,
    }
    c["known_answer"] = {"input": "lcg:1", "outputs": known}
    return c


def write(folder, name, content, card):
    """Both files, each whole or not at all. Returns the card's path."""
    os.makedirs(folder, exist_ok=True)
    for end, data in ((".tflite", content), (".json", (json.dumps(card, indent=1) + "\n").encode())):
        path = os.path.join(folder, name + end)
        with open(path + ".part", "wb") as f:
            f.write(data)
        os.replace(path + ".part", path)
    return os.path.join(folder, name + ".json")
