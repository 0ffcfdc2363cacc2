"""Everything that must pass before a commit, except for the tests; `make check` and `make lint` call it.

    .venv/bin/python scripts/check.py                every step
    .venv/bin/python scripts/check.py lint           those that look at style only
    .venv/bin/python scripts/check.py deploy         the named step (lint, migrations, system, deploy, messages)

Prints a line for each step and what a failing one said. Exit status: 0, or 1 when a step failed.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
MAX_LINES = 60  # of a failing step
LOCAL = {"DEBUG": "1", "LOG_LEVEL": "ERROR"}
# What a careful operator would set; `check --deploy` must have nothing to say about it.
PRODUCTION = {
    "DEBUG": "0",
    "LOG_LEVEL": "ERROR",
    "SECRET_KEY": "check-only-" + "0123456789abcdefghijklmnopqrstuvwxyz" * 2,
    "SITE_URL": "https://shop.example",
    "ALLOWED_HOSTS": "shop.example",
    "TRUSTED_PROXY_COUNT": "1",
    "EMAIL_URL": "smtp+tls://user:password@mail.example:587",
    "DEFAULT_FROM_EMAIL": "shop@shop.example",
    "TOSS_CLIENT_KEY": "live_ck_example",
    "TOSS_SECRET_KEY": "live_sk_example",
    "BUSINESS_NAME": "Shop",
    "BUSINESS_REPRESENTATIVE": "Kim",
    "BUSINESS_ADDRESS": "Seoul",
    "BUSINESS_PHONE": "02-000-0000",
    "BUSINESS_EMAIL": "shop@shop.example",
    "BUSINESS_REGISTRATION_NUMBER": "000-00-00000",
    "BUSINESS_REPORT_NUMBER": "2026-Seoul-0000",
    "BUSINESS_HOST": "Shop",
    "BUSINESS_PRIVACY_OFFICER": "Kim",
}


def templates() -> list[str]:
    return sorted(str(path.relative_to(ROOT)) for path in ROOT.glob("templates/**/*.html"))


def steps() -> dict[str, list[tuple[str, list, dict]]]:
    """{group: [(what it does, command, environment)]}"""
    manage = [sys.executable, "manage.py"]
    return {
        "lint": [
            ("ruff check", [BIN / "ruff", "check", "--quiet", "--output-format", "concise", "."], {}),
            ("ruff format", [BIN / "ruff", "format", "--quiet", "--check", "--output-format", "concise", "."], {}),
            ("djade", [BIN / "djade", "--target-version", "5.2", "--check", *templates()], {}),
        ],
        "migrations": [("makemigrations --check", [*manage, "makemigrations", "--check", "--dry-run"], LOCAL)],
        "system": [("check", [*manage, "check", "--fail-level", "WARNING"], LOCAL)],
        "deploy": [("check --deploy", [*manage, "check", "--deploy", "--fail-level", "WARNING"], PRODUCTION)],
        "messages": [("translations", [sys.executable, "scripts/messages.py", "--check"], {})],
    }


def passes(name: str, command: list, environment: dict) -> bool:
    started = time.monotonic()
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    verdict = "ok" if done.returncode == 0 else "FAILED"
    print(f"{name:<26}{verdict:<8}{time.monotonic() - started:5.1f} s", flush=True)
    if done.returncode or "note:" in done.stdout:
        lines = done.stdout.strip().splitlines()
        if len(lines) > MAX_LINES:
            lines[MAX_LINES // 2 : -MAX_LINES // 2] = [f"... {len(lines) - MAX_LINES} lines more ..."]
        print("\n".join(["", *lines, ""]), flush=True)
    return done.returncode == 0


def main(wanted: list[str]) -> int:
    groups = steps()
    unknown = set(wanted) - set(groups)
    if unknown:
        print(f"error: no step {', '.join(sorted(unknown))}; there are {', '.join(groups)}", file=sys.stderr)
        return 2
    chosen = [step for group in (wanted or groups) for step in groups[group]]
    verdicts = [passes(*step) for step in chosen]  # every one runs, so that one call shows all there is to mend
    return 0 if all(verdicts) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
