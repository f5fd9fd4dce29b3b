"""What both peers share: the raw frames, and the measure."""

import mmap
import resource

import numpy as np


class Frames:
    """Raw YUYV frames, one after another in a file, mapped into memory."""

    def __init__(self, path, width, height):
        with open(path, "rb") as f:
            self.map = mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ)
        self.all = np.frombuffer(self.map, np.uint8).reshape(-1, height, width, 2)

    def __getitem__(self, n):
        return self.all[n % len(self.all)]

    def drop(self):
        """Takes the frames out of resident memory: a camera's are not kept."""
        self.map.madvise(mmap.MADV_DONTNEED)


def cpu():
    """Processor time of this process so far, in seconds."""
    u = resource.getrusage(resource.RUSAGE_SELF)
    return u.ru_utime + u.ru_stime


def resident_mb():
    """Resident memory in MB."""
    with open("/proc/self/status") as f:
        for line in f:
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
    raise RuntimeError("no VmRSS in /proc/self/status")
