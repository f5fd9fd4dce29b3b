"""Opens what is pickled: code that runs when it is read. It runs under bubblewrap (Linux namespaces):
no network, no process of ours, no file but the weights and the programs that read them, all of them
read-only, no capability, no namespace of its own, limits of time and memory. It is one process with its
threads (calls.py), so that the limit of a process is the limit of all. What comes out is a stream of
bytes, and is taken for an ONNX file of a stranger's."""

import os
import resource
import shutil
import subprocess
import sys
import tempfile
import threading

from .. import Refused
from . import calls

SECONDS = 300           # for all of it, and of one core
MEMORY = 8 << 30        # bytes it may write to, all of it
LARGEST = 512 << 20     # bytes of ONNX taken from it
SCRATCH = 1 << 30       # bytes of its /tmp, which is memory


def command(bwrap, python, script, weights, arguments, filter):
    """What is run: bwrap's settings, then python with script, the weights as /weights. filter is the
    descriptor that the filter of system calls is read from."""
    c = [bwrap, "--unshare-all", "--seccomp", str(filter), "--die-with-parent", "--new-session", "--cap-drop", "ALL", "--clearenv",
         "--setenv", "PATH", "/usr/bin:/bin", "--setenv", "HOME", "/tmp", "--setenv", "LANG", "C.UTF-8", "--setenv", "OMP_NUM_THREADS", "1",
         "--proc", "/proc", "--dev", "/dev", "--remount-ro", "/dev", "--size", str(SCRATCH), "--tmpfs", "/tmp"]
    for d in ("/usr", "/bin", "/lib", "/lib64", "/etc/ld.so.cache"):
        if os.path.islink(d):
            c += ["--symlink", os.readlink(d), d]
        elif os.path.exists(d):
            c += ["--ro-bind", d, d]
    home = os.path.dirname(os.path.dirname(os.path.abspath(python)))  # of its virtual environment
    for d in dict.fromkeys((home, sys.base_prefix)):
        if not d.startswith("/usr/") and d != "/usr":
            c += ["--ro-bind", d, d]
    return c + ["--ro-bind", script, "/opened.py", "--ro-bind", os.path.abspath(weights), "/weights",
                "--chdir", "/tmp", os.path.abspath(python), "-I", "/opened.py", "/weights", *arguments]


def _limits():
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_FSIZE, (SCRATCH, SCRATCH))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def opened(weights, python, side, script=os.path.join(os.path.dirname(__file__), "opened.py"), seconds=SECONDS):
    """The ONNX file, as bytes, that script makes of the pickled network for pictures of side x side
    pixels. Refused if there is no sandbox, or nothing came out of it."""
    bwrap = shutil.which("bwrap")
    if not bwrap:
        raise Refused(f"{weights}: a pickled file is opened in a sandbox alone, and there is none: install bubblewrap (sudo apt-get install bubblewrap)")
    program = calls.program()
    if program is None:
        raise Refused(f"{weights}: the sandbox knows no filter of system calls for this machine ({os.uname().machine}): open it on a PC or an arm64 board")
    with tempfile.TemporaryFile() as said, tempfile.TemporaryFile() as filter:
        filter.write(program)
        filter.seek(0)
        p = subprocess.Popen(command(bwrap, python, script, weights, [str(side)], filter.fileno()), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=said,
                             pass_fds=[filter.fileno()], preexec_fn=_limits)
        end = threading.Timer(seconds, p.kill)  # --die-with-parent takes all that is inside along
        end.start()
        content = p.stdout.read(LARGEST + 1)
        late = not end.is_alive()
        if len(content) > LARGEST:
            p.kill()
        p.stdout.close()
        code = p.wait()
        late = late or not end.is_alive()
        end.cancel()
        size = said.seek(0, os.SEEK_END)
        said.seek(max(0, size - 4096))
        lines = [l for l in said.read().decode(errors="replace").splitlines() if l.strip()]
    if len(content) > LARGEST:
        raise Refused(f"{weights}: more than {LARGEST >> 20} MiB came out of it: this is no light face network")
    if late:
        raise Refused(f"{weights}: did not end within {seconds} s in the sandbox")
    if code or not content:
        why = "".join(ch for ch in (lines or ["it said nothing"])[-1] if ch.isprintable())[:300]  # a stranger's words: no control characters
        raise Refused(f"{weights}: the sandbox ended with status {code}: {why}")
    return content
