"""Folders of pictures that hold what is none."""

import os
import struct
import zlib

import cv2
import numpy as np

from importer import faces


def png_head(side):
    """The start of a PNG of side x side pixels of 64 bits."""
    head = b"IHDR" + struct.pack(">IIBBBBB", side, side, 16, 6, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + head + struct.pack(">I", zlib.crc32(head)) + bytes(64)


def test_only_pictures_of_a_size_are_read(tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "a.png")  # opened, it would be waited for
    (tmp_path / "b.png").write_bytes(png_head(12000))
    (tmp_path / "c.jpg").write_bytes(b"no picture")
    cv2.imwrite(str(tmp_path / "d.png"), np.zeros((8, 8, 3), np.uint8))
    read = [faces.read(str(tmp_path / n), cv2.IMREAD_COLOR) for n in sorted(os.listdir(tmp_path))]
    assert [r is None for r in read] == [True, True, True, False]
    monkeypatch.setattr(faces, "LARGEST", 10)
    assert faces.read(str(tmp_path / "d.png"), cv2.IMREAD_COLOR) is None
