"""Make the environment in .venv from a locked list of packages; `make` calls it.

    python3 scripts/env.py base          what the site needs to run
    python3 scripts/env.py dev           the same, and the tests and tools
    python3 scripts/env.py port 8000     refuse with a sentence when the port is taken

It uses the standard library only, and its syntax is one that Python 2.7 can read, so that an old Python gets a sentence
and not a traceback. A second call compares a stamp in .venv and does nothing. Exit status: 0, or 2 with a sentence.
"""

from __future__ import print_function

import hashlib
import io
import os
import socket
import subprocess
import sys

OLDEST_PYTHON = (3, 11)
SETS = {"base": ["base"], "dev": ["base", "dev"]}  # what a lock contains: the dev lock pins everything of base as well
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
VENV = os.path.join(ROOT, ".venv")
VENV_PYTHON = os.path.join(VENV, "Scripts", "python.exe") if os.name == "nt" else os.path.join(VENV, "bin", "python")
STAMP = os.path.join(VENV, "installed.txt")


def fail(sentence):
    print("error: " + sentence, file=sys.stderr)
    sys.exit(2)


def check_python(version, executable):
    """Refuse a Python that the locked packages do not support."""
    if tuple(version[:2]) < OLDEST_PYTHON:
        needed = ".".join(str(number) for number in OLDEST_PYTHON)
        found = ".".join(str(number) for number in version[:2])
        fail(
            "Python %s or newer is needed, this is %s (%s). Point to another one with: make PYTHON=/path/to/python3 ..."
            % (needed, found, executable)
        )


def check_port(port):
    """Refuse a port that somebody listens on, or that is none; names the next free one."""
    if not port.isdigit() or not 0 < int(port) < 65536:
        fail("%r is not a port. Choose a number from 1024 to 65535: make run PORT=8000" % str(port))
    if not is_port_free(int(port)):
        free = next((other for other in range(int(port) + 1, 65536) if is_port_free(other)), None)
        fail("port %s is in use or not allowed. Choose another: make run PORT=%s" % (port, free or 8000))


def is_port_free(port):
    probe = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        if os.name != "nt":
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port just left by a server is free
        probe.bind(("127.0.0.1", port))
    except (socket.error, OverflowError):
        return False
    finally:
        probe.close()
    return True


def lock_path(name):
    return os.path.join(ROOT, "requirements", name + ".txt")


def lock_hash(name):
    with io.open(lock_path(name), "rb") as lock:
        return hashlib.sha256(lock.read()).hexdigest()


def read_stamp():
    """What .venv holds, as {"python": "3.11", "base": hash, "dev": hash}; empty when it must be made anew."""
    try:
        with io.open(STAMP, encoding="ascii") as stamp:
            return dict(line.split() for line in stamp.read().splitlines() if line)
    except (IOError, OSError, ValueError):
        return {}


def write_stamp(stamp):
    with io.open(STAMP, "w", encoding="ascii") as out:
        out.write("".join("%s %s\n" % (key, stamp[key]) for key in sorted(stamp)))


def running_python():
    return "%d.%d" % tuple(sys.version_info[:2])


def venv_works():
    """Whether .venv has a Python of this version with a pip; False after an interrupted start or a removed Python."""
    code = "import pip, sys; sys.exit('%d.%d' % sys.version_info[:2] != sys.argv[1])"
    try:
        with open(os.devnull, "w") as devnull:
            return subprocess.call([VENV_PYTHON, "-c", code, running_python()], stdout=devnull, stderr=devnull) == 0
    except OSError:
        return False


def make_venv():
    try:
        import ensurepip  # noqa: F401  Debian and Ubuntu keep it in a package of its own
        import venv  # noqa: F401
    except ImportError:
        fail(
            "this Python cannot make environments. On Debian and Ubuntu install its missing part: "
            "apt-get install python%s-venv" % running_python()
        )
    print("Making the environment in .venv ...")
    sys.stdout.flush()
    if subprocess.call([sys.executable, "-m", "venv", "--clear", VENV]) != 0:
        fail("the environment could not be made in %s. Is the disk full, or the folder read-only?" % VENV)


def ensure_set(name):
    """Bring .venv to what the lock `name` says. Does nothing, and needs no network, when it is there already."""
    wanted = dict((part, lock_hash(part)) for part in SETS[name])
    wanted["python"] = running_python()
    stamp = read_stamp()
    if os.path.exists(VENV_PYTHON) and all(stamp.get(key) == wanted[key] for key in wanted):
        return

    if not venv_works():
        make_venv()
        stamp = {}
    print("Installing the packages of requirements/%s.txt (once, about 20 seconds) ..." % name)
    sys.stdout.flush()
    install = [VENV_PYTHON, "-m", "pip", "--disable-pip-version-check", "install", "-qq", "--require-hashes"]
    if subprocess.call(install + ["-r", lock_path(name)]) != 0:
        fail("installing failed; is a package index reachable? Run the same command again to continue.")
    stamp.update(wanted)
    write_stamp(stamp)


def main(arguments):
    check_python(sys.version_info, sys.executable)
    if len(arguments) == 2 and arguments[0] == "port":
        check_port(arguments[1])
    elif len(arguments) == 1 and arguments[0] in SETS:
        ensure_set(arguments[0])
    else:
        fail("usage: env.py base | env.py dev | env.py port NUMBER")


if __name__ == "__main__":
    main(sys.argv[1:])
