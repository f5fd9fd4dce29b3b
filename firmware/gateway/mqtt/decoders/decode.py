"""Reads payloads with pysparkplug, one a line: kind and hexadecimal digits, and
writes what it found as JSON, one a line. Data is read by the newest birth."""
import json
import sys

import pysparkplug

birth = None
for line in sys.stdin:
    kind, digits = line.split()
    raw = bytes.fromhex(digits)
    if kind == "NBIRTH":
        payload = birth = pysparkplug.NBirth.decode(raw)
    elif kind == "NDATA":
        payload = pysparkplug.NData.decode(raw, birth=birth)
    elif kind == "NDEATH":
        payload = pysparkplug.NDeath.decode(raw)
    elif kind == "NCMD":
        payload = pysparkplug.NCmd.decode(raw)
    else:
        sys.exit("no such kind: " + kind)
    if hasattr(payload, "metrics"):
        metrics = [
            {"name": m.name, "type": int(m.datatype), "value": m.value, "at": m.timestamp, "alias": m.alias or 0,
             "historical": m.is_historical, "null": m.is_null} for m in payload.metrics
        ]
    else:  # of a death it gives the number alone
        metrics = [{"name": "bdSeq", "value": payload.bd_seq_metric.value}]
    print(json.dumps({"at": payload.timestamp, "seq": getattr(payload, "seq", -1), "metrics": metrics}))
