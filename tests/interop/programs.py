"""Programs that nobody here wrote, at pinned versions, to try ours against; kept in a cache outside the repository.

`package-lock.json` comes from `npm install --omit-lockfile-registry-resolved`. In `package.json` a package of a few
lines stands in for vite, which serves the Inspector's web pages and is of no use to its command line. The lists of
Python packages come from
`uv pip compile --generate-hashes --universal --no-emit-index-url --no-emit-find-links --no-annotate --no-header`.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).parent
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "marketplace-interop"
INSTALL_S = 600
START_S = 120
RUN_S = 300  # for one visit of a client, on a busy machine


def install_node_packages() -> Path:
    """The folder that holds `node_modules`. Skips the test where Node is missing, and fails in CI."""
    if not (shutil.which("node") and shutil.which("npm")):
        give_up("Node and npm are not installed: no server of theirs to try ours against")
    pins = [HERE / "package.json", HERE / "package-lock.json"]

    def fill(folder: Path) -> None:
        for pin in pins:
            shutil.copy(pin, folder)
        _run("npm", "ci", "--ignore-scripts", "--omit=dev", "--no-audit", "--no-fund", cwd=folder)

    return _install("node", pins, fill)


def install_python_packages(name: str) -> Path:
    """The Python of an environment with the packages of `name`.txt; our package `mcp` would hide theirs."""
    pin = HERE / f"{name}.txt"

    def fill(folder: Path) -> None:
        _run(sys.executable, "-m", "venv", str(folder / "venv"), cwd=folder)
        pip = [str(folder / "venv/bin/python"), "-m", "pip", "--disable-pip-version-check", "install", "-qq"]
        _run(*pip, "--no-compile", "--no-deps", "--require-hashes", "-r", str(pin), cwd=folder)

    return _install(name, [pin], fill) / "venv/bin/python"


def find_node(packages: Path) -> str:
    """A Node of its own where there is one for this machine: not every distribution's is new enough."""
    pinned = sorted(packages.glob("node_modules/node-linux-*/bin/node"))
    return str(pinned[0]) if pinned else "node"


def run_client(*command: str | Path, home: Path, said: str = "") -> subprocess.CompletedProcess:
    """Runs a program of others to its end, in a home of its own; `said` goes to its standard input."""
    options = {"capture_output": True, "text": True, "timeout": RUN_S, "cwd": home, "env": _environment(home)}
    return subprocess.run([*map(str, command)], input=said, **options)


@contextlib.contextmanager
def talking(*command: str | Path, home: Path) -> Iterator[Callable[[str, dict], dict]]:
    """A server that talks over its standard input and output: `ask(method, params)` gives its answer."""
    options = {"text": True, "cwd": home, "env": _environment(home), "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(
        [*map(str, command)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8", **options
    )
    too_late = threading.Timer(RUN_S, process.kill)
    too_late.start()

    def ask(method: str, params: dict) -> dict:
        process.stdin.write(json.dumps({"jsonrpc": "2.0", "id": method, "method": method, "params": params}) + "\n")
        process.stdin.flush()
        answers = (json.loads(line) for line in process.stdout)
        return next(answer for answer in answers if answer.get("id") == method)

    try:
        yield ask
    finally:
        too_late.cancel()
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()


def _environment(home: Path) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "HOME": str(home), "LANG": "C.UTF-8"}


def give_up(reason: str):
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@contextlib.contextmanager
def running(*command: str | Path) -> Iterator[int]:
    """The port of a server that says `port 12345` on its standard output once it listens."""
    process = subprocess.Popen([*map(str, command)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    too_late = threading.Timer(START_S, process.kill)
    too_late.start()
    try:
        said = next((line for line in process.stdout if line.startswith("port ")), None)
        too_late.cancel()
        assert said, f"{command[-2:]} did not start"
        yield int(said.split()[1])
    finally:
        too_late.cancel()
        process.kill()
        process.wait()
        process.stdout.close()


def _install(name: str, pins: list[Path], fill: Callable[[Path], None]) -> Path:
    """Once for each content of the pins, whichever test process comes first."""
    content = b"".join(pin.read_bytes() for pin in pins) + sys.version.encode()
    folder = CACHE / f"{name}-{hashlib.sha256(content).hexdigest()[:12]}"
    CACHE.mkdir(parents=True, exist_ok=True)
    with open(CACHE / f"{name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "installed").exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            fill(folder)
            (folder / "installed").touch()
    return folder


def _run(*command: str, cwd: Path) -> None:
    try:
        done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=INSTALL_S)
    except subprocess.TimeoutExpired:
        give_up(f"{command[0]} took more than {INSTALL_S} s")
    if done.returncode:
        give_up(f"{' '.join(command[:4])} failed: {(done.stderr or done.stdout)[-1000:]}")
