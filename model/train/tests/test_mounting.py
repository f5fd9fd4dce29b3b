"""Scenes of a camera's mounting, without the head's data: what the tables count."""

from affect import mounting


def row(file, **what):
    return {"file": file, "found": "true", "reason": "", "width": "120", "yaw": "-4", "pitch": "1", "luma": "100", "covered": "0", "au4": "0.1", **what}


def test_table_counts_what_was_read():
    n = next(i for i, (_, name, _) in enumerate(mounting.SCENES) if name == "mask")
    rows = [row(f"{n:03d}-000.jpg", au4="0.6", covered="2"), row(f"{n:03d}-001.jpg", au4="", covered="1"),
            row(f"{n:03d}-002.jpg", reason="face too small", au4=""), row(f"{n:03d}-003.jpg", found="false", reason="no face in view", au4="")]
    line = next(l for l in mounting.table(rows, {"au4": .47}, {1, 2}).splitlines() if l.startswith("| mask |"))
    cells = [c.strip() for c in line.strip("|").split("|")]
    assert cells[1:3] == ["3 of 4", "2 of 4"]
    assert cells[3] == "1" and "face too small 1" in cells[4] and "no face in view 1" in cells[4]
    assert cells[5:] == ["120", "4, 1", "100", "1, 1", "1 of 1"]


def test_rows_have_names_of_their_own():
    names = [s[:2] for s in mounting.SCENES]
    assert len(names) == len(set(names)) < 1000
