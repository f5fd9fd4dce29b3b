"""What a pickled file may do inside the sandbox: nothing to us. The files here are written to do harm."""

import os
import pickle
import shutil
import socket
import subprocess
import sys
import textwrap

import pytest

from importer import Refused, sandbox
from importer.__main__ import ROOT, main

TORCH = os.path.join(ROOT, ".venv-torch", "bin", "python")


def works():
    try:
        return subprocess.run(["bwrap", "--unshare-all", "--ro-bind", "/", "/", "true"], capture_output=True).returncode == 0
    except FileNotFoundError:
        return False


pytestmark = pytest.mark.skipif(not works(), reason="bubblewrap is not installed, or this kernel lets no user make namespaces")


class Code:
    """Pickles to a call of exec."""

    def __init__(self, text):
        self.text = textwrap.dedent(text)

    def __reduce__(self):
        return exec, (self.text, {})


@pytest.fixture
def run(tmp_path):
    """What came out of a pickled file whose code is text, opened by plain pickle."""
    script = tmp_path / "script.py"
    script.write_text("import pickle, sys\npickle.load(open(sys.argv[1], 'rb'))\n")

    def opened(text, **k):
        weights = tmp_path / "evil.pt"
        weights.write_bytes(pickle.dumps(Code(text)))
        return sandbox.opened(str(weights), sys.executable, 224, script=str(script), **k)
    return opened


def test_code_runs_and_its_bytes_come_out(run):
    assert run("import sys; sys.stdout.buffer.write(bytes(range(256)) + sys.argv[2].encode())") == bytes(range(256)) + b"224"


def test_files(run, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("mine")
    before = (tmp_path / "script.py").read_bytes()
    got = run(f"""
        import os
        def tried(name, act):
            try:
                act()
                print(name)
            except OSError:
                pass
        tried("read a file of the user's", lambda: open({str(secret)!r}).read())
        tried("read passwords", lambda: open("/etc/passwd").read())
        for p in ({str(secret)!r}, "/weights", "/opened.py", "/usr/mien-was-here", {sys.executable!r}):
            tried("wrote " + p, lambda: open(p, "r+b").write(b"x"))
        tried("made a file of the user's", lambda: open({str(tmp_path / "new")!r}, "w"))
        tried("made a device", lambda: os.mknod("/tmp/sda", 0o60600, os.makedev(8, 0)))
        known = ("/usr", "/proc", "/dev", "/bin", "/lib", "/lib64", {sys.prefix!r}, {sys.base_prefix!r})
        seen = []
        for folder, folders, files in os.walk("/"):
            folders[:] = [d for d in folders if os.path.join(folder, d) not in known]
            seen += [os.path.join(folder, f) for f in files]
        print("files", sorted(seen))
        print("environment", sorted(k for k in os.environ if k not in ("PATH", "HOME", "LANG", "OMP_NUM_THREADS", "PWD", "LC_CTYPE")))
    """).decode()
    assert got.splitlines() == ["files ['/etc/ld.so.cache', '/opened.py', '/weights']", "environment []"]
    assert secret.read_text() == "mine" and (tmp_path / "script.py").read_bytes() == before and not (tmp_path / "new").exists()


def test_network_and_processes(run, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(socket.AF_UNIX) as own:
        own.bind(str(tmp_path / "own.sock"))
        own.listen()
        got = run(f"""
            import os, socket
            for name, family, address in (("loopback", socket.AF_INET, ("127.0.0.1", {server.getsockname()[1]})), ("a name server", socket.AF_INET, ("9.9.9.9", 53)),
                                          ("a socket of the user's", socket.AF_UNIX, {str(tmp_path / "own.sock")!r})):
                try:
                    socket.socket(family).connect(address)
                    print("reached", name)
                except OSError:
                    pass
            try:
                os.kill({os.getpid()}, 0)
                print("found a process of ours")
            except OSError:
                pass
            print("processes", sum(p.isdigit() for p in os.listdir("/proc")) < 4)
        """).decode()
    assert got.splitlines() == ["processes True"]


def test_one_process(run):
    """It starts no other, shares no memory, makes no namespace, has no way to the kernel that it needs not."""
    got = run("""
        import ctypes, mmap, os, subprocess, threading
        def tried(name, act):
            try:
                act()
                print(name)
            except OSError:
                pass
        libc = ctypes.CDLL(None, use_errno=True)
        def call(*arguments):
            if libc.syscall(*arguments) < 0:
                raise OSError(ctypes.get_errno(), "")
        def forked():
            if os.fork() == 0:
                os._exit(0)
        machine = os.uname().machine
        tried("forked", forked)
        tried("ran a program", lambda: subprocess.run(["/usr/bin/true"]))
        tried("spawned a program", lambda: os.posix_spawn("/usr/bin/true", ["true"], {}))
        tried("shared memory", lambda: mmap.mmap(-1, 4096))
        tried("made a file of memory", lambda: os.memfd_create("x"))
        for flag, name in ((0x10000000, "user"), (0x20000, "mount"), (0x40000000, "network"), (0x20000000, "process")):
            tried(name + " namespace", lambda: call({"x86_64": 272, "aarch64": 97}[machine], flag))
        tried("clone3", lambda: call(435, 0, 0))
        tried("io_uring", lambda: call(425, 1, ctypes.create_string_buffer(200)))
        tried("mounted", lambda: libc.mount(b"none", b"/tmp", b"tmpfs", 0, None) and call(-1))
        for d in ("/dev", "/dev/shm"):
            tried("wrote to " + d, lambda: open(d + "/x", "w"))
        t = threading.Thread(target=lambda: print("a thread"))
        t.start()
        t.join()
        print(len(mmap.mmap(-1, 4096, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)), "bytes of its own")
    """).decode()
    assert got.splitlines() == ["a thread", "4096 bytes of its own"]


def test_limits(run, monkeypatch):
    with pytest.raises(Refused, match="did not end within 1 s"):
        run("while True: pass", seconds=1)
    with pytest.raises(Refused, match="did not end within 1 s"):  # its output closed, it goes on
        run("import os, time\nprint('x', flush=True)\nos.close(1)\ntime.sleep(60)", seconds=1)
    monkeypatch.setattr(sandbox, "LARGEST", 1 << 20)
    with pytest.raises(Refused, match="more than 1 MiB"):
        run("import os\nwhile True: os.write(1, bytes(65536))")
    monkeypatch.setattr(sandbox, "MEMORY", 256 << 20)
    with pytest.raises(Refused, match="MemoryError"):
        run("bytearray(1 << 30)")
    monkeypatch.setattr(sandbox, "SCRATCH", 8 << 20)
    with pytest.raises(Refused, match="OSError|status"):
        run("for i in range(9): open(f'/tmp/{i}', 'wb').write(bytes(4 << 20))")


def test_what_it_says(run):
    with pytest.raises(Refused, match=r"evil.pt: the sandbox ended with status 1: ValueError: \[31mred"):
        run("raise ValueError('\\x1b[31mred')")
    with pytest.raises(Refused, match="it said nothing"):
        run("pass")


def test_no_sandbox(run, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(Refused, match="apt-get install bubblewrap"):
        run("print('opened all the same')")


MADE = """
import sys, timm, torch
torch.manual_seed(3)
m = timm.create_model("tf_efficientnet_b0", num_classes=10)
m.classifier = torch.nn.Sequential(torch.nn.Linear(1280, 10))
# As in a trained network the norms know their pictures, residual branches are small, and the last layer tells the pictures apart.
x = sum(torch.nn.functional.interpolate(torch.randn(48, 3, k, k), size=(224, 224), mode="bicubic") for k in (1, 3, 9, 30, 224)) / 2
for name, l in m.named_modules():
    if isinstance(l, torch.nn.BatchNorm2d):
        l.momentum = None
        l.weight.data.fill_(.5 if name.endswith("bn3") else 1.)
with torch.no_grad():
    m.train()(x)
    m.eval()
    f = m.forward_head(m.forward_features(x), pre_logits=True)
    u, s, v = torch.linalg.svd(f - f.mean(0), full_matrices=False)
    w = v[:10] * (2 * 48 ** .5 / s[:10])[:, None]
    m.classifier[0].weight.copy_(w)
    m.classifier[0].bias.copy_(-(w @ f.mean(0)))
torch.save(m, sys.argv[1] + "/enet.pt")
torch.save(m.state_dict(), sys.argv[1] + "/weights.pt")
"""


@pytest.mark.skipif(not os.path.exists(TORCH), reason="PyTorch (5 GB) is not here: make .venv-torch/.pinned")
def test_pytorch(tmp_path, monkeypatch, capfd):
    subprocess.run([TORCH, "-c", MADE, str(tmp_path)], check=True)
    (tmp_path / "other.pt").write_bytes(b"nothing of PyTorch's")
    shutil.copy(tmp_path / "enet.pt", tmp_path / "kept")
    for k, v in dict(OUT=str(tmp_path / "out"), SIZE="224", SANDBOX="1", CLASSES="affectnet8", VA="1").items():
        monkeypatch.setenv(k, v)
    for name, word in (("weights.pt", "weights without their network (OrderedDict)"), ("other.pt", "UnpicklingError")):
        monkeypatch.setenv("WEIGHTS", str(tmp_path / name))
        assert main() == 1 and word in "".join(capfd.readouterr())
    assert not (tmp_path / "out").exists()
    monkeypatch.setenv("WEIGHTS", str(tmp_path / "enet.pt"))
    code = main()
    said = "".join(capfd.readouterr())
    assert code == 0 and "holds code of whoever made it" in said and "mean cosine 1.0000" in said, said
    assert "enet.pt, SHA-256" in (tmp_path / "out/enet.json").read_text()
    assert (tmp_path / "enet.pt").read_bytes() == (tmp_path / "kept").read_bytes()
