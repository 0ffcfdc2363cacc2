"""Bring the database up to date, load the demo catalogue into an empty one, and start the site; `make run` calls it.

.venv/bin/python scripts/start.py 8000     and serve http://localhost:8000
.venv/bin/python scripts/start.py          stop there, for a database to work with
"""

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def prepare() -> None:
    """Migrate, make the table of the shared cache, and fill an empty catalogue. Safe to repeat."""
    import django
    from django.core.management import call_command

    django.setup()
    from catalog.models import Prompt

    call_command("migrate", verbosity=0)
    call_command("createcachetable", verbosity=0)
    if not Prompt.objects.exists():
        call_command("load_demo")


def print_welcome(port: str) -> None:
    from accounts.models import User
    from catalog.management.commands import load_demo

    print(f"\n  http://localhost:{port}\n")
    accounts = [account for account in load_demo.ACCOUNTS if User.objects.filter(email=account["email"]).exists()]
    if accounts:
        print("  Demo accounts (password: " + load_demo.PASSWORD + ")")
        for account in accounts:
            print(f"    {account['email']:<28}{account['role']}")
        print()
    print("  Mails appear in this window. Stop with Ctrl-C.\n", flush=True)


def main(arguments: list[str]) -> None:
    os.chdir(ROOT)
    sys.path.insert(0, str(ROOT))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "marketplace.settings")
    port = arguments[0] if arguments else ""
    is_reloaded = os.environ.get("RUN_MAIN") == "true"  # runserver starts this script again in its child
    if port:
        os.environ.setdefault("SITE_URL", f"http://localhost:{port}")
        os.environ.setdefault("DJANGO_RUNSERVER_HIDE_WARNING", "true")  # the README says it
    if not is_reloaded:
        prepare()
    if port:
        from django.core.management import execute_from_command_line

        if not is_reloaded:
            print_welcome(port)
        execute_from_command_line(["manage.py", "runserver", "--skip-checks", f"localhost:{port}"])


if __name__ == "__main__":
    main(sys.argv[1:])
