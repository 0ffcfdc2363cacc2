"""Collect the texts of code and templates into locale/, and compile the translations.

    python scripts/messages.py            collect, then compile (needs the gettext programs)
    python scripts/messages.py --check    change nothing; exit 1 when a text lacks its translation, is fuzzy, has other
                                          placeholders, or when the compiled file is older than its source

The compiled files are kept in the repository, so whoever only runs the site needs no gettext. polib compiles, always to
the same bytes. Without gettext the check cannot tell whether code has new texts, says so, and looks at the rest.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import polib

ROOT = Path(__file__).resolve().parent.parent
LANGUAGES = ["ko"]  # the source texts are English
FOLDERS = ["accounts", "catalog", "checkout", "marketplace", "mcp", "sellers", "templates"]
INSTALL = "gettext is not here. Install it with: apt-get install gettext (or brew install gettext)"
METADATA = {
    "Project-Id-Version": "promptjang",
    "MIME-Version": "1.0",
    "Content-Type": "text/plain; charset=UTF-8",
    "Content-Transfer-Encoding": "8bit",
    "Plural-Forms": "nplurals=1; plural=0;",
}
PLACEHOLDER = re.compile(r"%\(\w+\)[sd]|%[sd]|(?<!\{)\{\w*\}(?!\})")  # {{variable}} is text that sellers type


def po_path(language: str, root: Path = ROOT) -> Path:
    return root / "locale" / language / "LC_MESSAGES" / "django.po"


def has_gettext() -> bool:
    return all(shutil.which(program) for program in ("xgettext", "msgmerge", "msguniq", "msgattrib"))


def collect(root: Path) -> None:
    """Write what code and templates under `root` say into its .po files. Known translations stay."""
    for language in LANGUAGES:
        po_path(language, root).parent.mkdir(parents=True, exist_ok=True)
    # django-admin without settings: it looks at files only, so it works in a copy and without a SECRET_KEY.
    code = "import sys; from django.core.management import execute_from_command_line as run; run(sys.argv)"
    options = ["--no-location", "--no-obsolete", "--extension", "py,html,txt,xml"]
    command = [sys.executable, "-c", code, "makemessages", *options]
    for language in LANGUAGES:
        command += ["--locale", language]
    for name in sorted(path.name for path in root.iterdir() if path.is_dir()):
        if name not in FOLDERS and name != "locale":
            command += ["--ignore", name]
    environment = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
    made = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)
    if made.returncode:
        sys.exit(made.stdout + made.stderr)


def normalise(path: Path, language: str) -> polib.POFile:
    """Bring a collected file to its one form: sorted, without guesses, with a header that does not change daily."""
    po = polib.pofile(str(path), wrapwidth=100)
    po.header = ""
    po.metadata = {"Language": language} | METADATA
    po.metadata_is_fuzzy = False
    for entry in po:
        if entry.fuzzy:  # a guess from a similar text is worse than none
            entry.flags.remove("fuzzy")
            entry.msgstr = ""
            entry.msgstr_plural = {}
        entry.previous_msgid = entry.previous_msgid_plural = entry.previous_msgctxt = None
        if entry.msgid_plural:
            entry.msgstr_plural = {0: entry.msgstr_plural.get(0, "")}
    po.sort(key=lambda entry: (entry.msgid, entry.msgctxt or ""))
    return po


def key(entry: polib.POEntry) -> tuple:
    return entry.msgctxt, entry.msgid, entry.msgid_plural


def translation(entry: polib.POEntry) -> str:
    return entry.msgstr_plural.get(0, "") if entry.msgid_plural else entry.msgstr


def find_faults(path: Path) -> list[str]:
    """What is wrong with one .po file and the .mo beside it, a line each."""
    if not path.exists():
        return [f"{path.relative_to(ROOT)} is missing; run: make messages"]
    faults = []
    po = polib.pofile(str(path))
    for entry in po:
        if entry.obsolete:
            faults.append(f"no longer used: {entry.msgid!r}")
        elif entry.fuzzy:
            faults.append(f"fuzzy: {entry.msgid!r}")
        elif not translation(entry):
            faults.append(f"without a translation: {entry.msgid!r}")
        else:
            named = set(PLACEHOLDER.findall(translation(entry)))
            # The one form that Korean has is read for every number, so it holds what the plural does.
            if named != set(PLACEHOLDER.findall(entry.msgid_plural or entry.msgid)):
                faults.append(f"other placeholders than the source: {entry.msgid!r}")
    compiled = path.with_suffix(".mo")
    if not compiled.exists() or compiled.read_bytes() != po.to_binary():
        faults.append(f"{compiled.relative_to(compiled.parents[3])} is not what the .po says; run: make messages")
    return faults


def find_uncollected(language: str) -> list[str]:
    """Texts that the code has and the .po lacks, or the other way round; collected in a copy of the sources."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        for name in FOLDERS:
            if (ROOT / name).exists():
                shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__", "migrations"))
        for name in LANGUAGES:
            po_path(name, copy).parent.mkdir(parents=True)
            shutil.copy(po_path(name), po_path(name, copy))
        collect(copy)
        now = {key(entry) for entry in polib.pofile(str(po_path(language, copy)))}
    kept = {key(entry) for entry in polib.pofile(str(po_path(language)))}
    return [f"not collected yet; run make messages: {msgid!r}" for _, msgid, _ in sorted(now - kept, key=str)] + [
        f"in no source file; run make messages: {msgid!r}" for _, msgid, _ in sorted(kept - now, key=str)
    ]


def check() -> int:
    gettext = has_gettext()
    if not gettext:
        print("note: new texts are not looked for. " + INSTALL)
    count = 0
    for language in LANGUAGES:
        faults = find_faults(po_path(language))
        if gettext and po_path(language).exists():
            faults += find_uncollected(language)
        for fault in faults:
            print(f"{language}: {fault}")
        count += len(faults)
    return 1 if count else 0


def write() -> int:
    if not has_gettext():
        print("error: " + INSTALL, file=sys.stderr)
        return 2
    collect(ROOT)
    for language in LANGUAGES:
        path = po_path(language)
        po = normalise(path, language)
        po.save(str(path))
        path.with_suffix(".mo").write_bytes(po.to_binary())
        missing = [entry.msgid for entry in po if not translation(entry)]
        print(f"{language}: {len(po)} texts, {len(missing)} without a translation")
        for msgid in missing:
            print(f"  {msgid!r}")
    return 0


if __name__ == "__main__":
    sys.exit(check() if sys.argv[1:] == ["--check"] else write())
