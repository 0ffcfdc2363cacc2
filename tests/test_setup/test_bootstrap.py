"""`scripts/env.py`: what a person reads when something about the machine is not right; a second call is free."""

import importlib.util
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "scripts" / "env.py"


@pytest.fixture
def bootstrap(tmp_path):
    """The script as a module whose project is an empty folder with two small locks."""
    spec = importlib.util.spec_from_file_location("bootstrap", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.ROOT = str(tmp_path)
    module.VENV = str(tmp_path / ".venv")
    module.VENV_PYTHON = str(tmp_path / ".venv" / "bin" / "python")
    module.STAMP = str(tmp_path / ".venv" / "installed.txt")
    (tmp_path / "requirements").mkdir()
    for name in ("base", "dev"):
        (tmp_path / "requirements" / f"{name}.txt").write_text(f"# {name}\n")
    return module


@pytest.fixture
def commands(bootstrap, monkeypatch):
    """The programs that the script starts; each succeeds, and making the environment leaves a Python in it."""
    started = []

    def call(command, **options):
        started.append(command)
        python = Path(bootstrap.VENV_PYTHON)
        if "-c" in command:  # does it work?
            return 0 if python.exists() else 1
        if "venv" in command:
            python.parent.mkdir(parents=True)
            python.touch()
        return 0

    monkeypatch.setattr(bootstrap.subprocess, "call", call)
    return started


@pytest.mark.parametrize(
    ("version", "named"), [((2, 7, 18), "2.7"), ((3, 6, 15), "3.6"), ((3, 9, 1), "3.9"), ((3, 10, 13), "3.10")]
)
def test_an_old_python_is_told_which_one_is_needed(bootstrap, capsys, version, named):
    with pytest.raises(SystemExit) as stopped:
        bootstrap.check_python(version, "/usr/bin/python3")

    assert stopped.value.code == 2
    assert capsys.readouterr().err == (
        f"error: Python 3.11 or newer is needed, this is {named} (/usr/bin/python3). "
        "Point to another one with: make PYTHON=/path/to/python3 ...\n"
    )


@pytest.mark.parametrize("version", [(3, 11, 0), (3, 14, 1), (4, 0, 0)])
def test_a_new_enough_python_is_welcome(bootstrap, version):
    bootstrap.check_python(version, "/usr/bin/python3")


@pytest.mark.parametrize("name", ["python2.7", "python3.6", "python3.8", "python3.9", "python3.10"])
def test_a_real_old_python_prints_the_sentence_and_no_traceback(name):
    old = _find_python(name)
    if old is None:
        pytest.skip(f"{name} is not on this machine")

    done = subprocess.run([old, SCRIPT, "base"], capture_output=True, text=True, check=False)

    assert done.returncode == 2
    assert done.stderr.startswith("error: Python 3.11 or newer is needed, this is ")
    assert done.stderr.count("\n") == 1


def test_the_script_keeps_to_words_that_python_2_can_read():
    """There is rarely a Python 2 to try it with, so what it could not parse or import is looked for by name."""
    import ast

    tree = ast.parse(SCRIPT.read_text(encoding="utf-8"))
    newer = (ast.JoinedStr, ast.AnnAssign, ast.NamedExpr, ast.AsyncFunctionDef, ast.Nonlocal, ast.Match, ast.YieldFrom)
    assert [node.lineno for node in ast.walk(tree) if isinstance(node, newer)] == []
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    assert [f.name for f in functions if f.args.kwonlyargs or f.returns or any(a.annotation for a in f.args.args)] == []
    assert SCRIPT.read_bytes().isascii()
    top = {name.name for node in tree.body if isinstance(node, ast.Import) for name in node.names}
    assert top <= {"hashlib", "io", "os", "socket", "subprocess", "sys"}


def test_a_taken_port_is_named_with_the_next_free_one():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        done = subprocess.run([sys.executable, SCRIPT, "port", str(port)], capture_output=True, text=True, check=False)

    assert done.returncode == 2
    assert done.stderr.startswith(f"error: port {port} is in use or not allowed. Choose another: make run PORT=")
    other = int(done.stderr.strip().rpartition("=")[2])
    assert other > port
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("port", ["", "web", "0", "65536", "-1", "80.5"])
def test_something_that_is_no_port_is_refused(bootstrap, capsys, port):
    with pytest.raises(SystemExit) as stopped:
        bootstrap.check_port(port)

    assert stopped.value.code == 2
    assert "is not a port" in capsys.readouterr().err


def test_a_free_port_passes(bootstrap, capsys):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]

    bootstrap.check_port(str(port))

    assert capsys.readouterr().err == ""


def test_the_first_call_makes_and_fills_the_environment(bootstrap, commands):
    bootstrap.ensure_set("base")

    _asked, made, installed = commands
    assert made == [sys.executable, "-m", "venv", "--clear", bootstrap.VENV]
    assert installed[1:] == [
        *["-m", "pip", "--disable-pip-version-check", "install", "-qq", "--require-hashes", "-r"],
        bootstrap.lock_path("base"),
    ]


def test_the_second_call_starts_nothing(bootstrap, commands):
    bootstrap.ensure_set("base")
    commands.clear()

    bootstrap.ensure_set("base")

    assert commands == []


def test_the_tests_environment_serves_the_site_too(bootstrap, commands):
    bootstrap.ensure_set("dev")
    commands.clear()

    bootstrap.ensure_set("base")

    assert commands == []


def test_the_sites_environment_does_not_serve_the_tests(bootstrap, commands):
    bootstrap.ensure_set("base")
    commands.clear()

    bootstrap.ensure_set("dev")

    assert commands[-1][-1] == bootstrap.lock_path("dev")


def test_a_changed_lock_is_installed_again(bootstrap, commands):
    bootstrap.ensure_set("base")
    commands.clear()
    Path(bootstrap.lock_path("base")).write_text("# other versions\n")

    bootstrap.ensure_set("base")

    assert commands[-1][-1] == bootstrap.lock_path("base")


def test_another_python_makes_the_environment_anew(bootstrap, commands, monkeypatch):
    bootstrap.ensure_set("base")
    commands.clear()
    monkeypatch.setattr(bootstrap, "running_python", lambda: "3.99")
    monkeypatch.setattr(bootstrap, "venv_works", lambda: False)
    monkeypatch.setattr(bootstrap.subprocess, "call", lambda command, **options: commands.append(command) or 0)

    bootstrap.ensure_set("base")

    assert commands[0] == [sys.executable, "-m", "venv", "--clear", bootstrap.VENV]


def test_a_failed_install_says_what_to_do_and_leaves_no_stamp(bootstrap, commands, monkeypatch, capsys):
    succeed = bootstrap.subprocess.call
    monkeypatch.setattr(
        bootstrap.subprocess, "call", lambda command, **o: succeed(command, **o) or int("pip" in command)
    )

    with pytest.raises(SystemExit) as stopped:
        bootstrap.ensure_set("base")

    assert stopped.value.code == 2
    assert capsys.readouterr().err == (
        "error: installing failed; is a package index reachable? Run the same command again to continue.\n"
    )
    assert bootstrap.read_stamp() == {}


def test_a_python_without_its_venv_part_names_the_package(bootstrap, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "ensurepip", None)
    monkeypatch.setattr(bootstrap, "running_python", lambda: "3.11")

    with pytest.raises(SystemExit) as stopped:
        bootstrap.make_venv()

    assert stopped.value.code == 2
    assert "apt-get install python3.11-venv" in capsys.readouterr().err


def test_a_real_install_without_a_package_index_ends_in_the_sentence(bootstrap, tmp_path, monkeypatch, capfd):
    (tmp_path / "requirements" / "base.txt").write_text("nothing-there==1.0 --hash=sha256:" + "0" * 64 + "\n")
    monkeypatch.setattr(bootstrap, "venv_works", lambda: True)
    monkeypatch.setattr(bootstrap, "VENV_PYTHON", sys.executable)
    os.makedirs(bootstrap.VENV)
    for name, value in {"PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": os.devnull, "PIP_FIND_LINKS": str(tmp_path)}.items():
        monkeypatch.setenv(name, value)

    with pytest.raises(SystemExit):
        bootstrap.ensure_set("base")

    assert "error: installing failed; is a package index reachable?" in capfd.readouterr().err


def _find_python(name: str) -> str | None:
    """An interpreter of that name that really starts; version managers keep shims that do not."""
    homes = [Path(path) for path in os.environ.get("PATH", "").split(os.pathsep)]
    homes += sorted(Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"), "versions").glob("*/bin"))
    for home in homes:
        found = home / name
        if found.exists() and subprocess.run([found, "-c", ""], capture_output=True, check=False).returncode == 0:
            return str(found)
    return None
