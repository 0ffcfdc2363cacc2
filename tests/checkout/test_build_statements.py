"""`manage.py build_statements`: one line, the right exit status, safe twice and beside itself."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from checkout.management.commands import build_statements as command
from checkout.models import Statement
from tests.checkout.test_statements import IN_OCTOBER, sell, tamper
from tests.factories import make_seller

pytestmark = pytest.mark.django_db

ROOT = Path(__file__).resolve().parents[2]
SELLERS, PROCESSES = 12, 4


@pytest.fixture(autouse=True)
def _december(time_machine, request):
    if "database_url" not in request.fixturenames:
        time_machine.move_to(datetime(2026, 12, 8, 3, 0, tzinfo=UTC), tick=False)


def run(capsys, *arguments):
    call_command("build_statements", *arguments)
    return capsys.readouterr().out


def test_every_finished_month_is_built_and_told_in_one_line(capsys):
    seller = make_seller()
    sell(9_999, seller=seller, now=IN_OCTOBER)
    sell(5_000, seller=seller)

    assert run(capsys) == (
        "2 statements built for 2026-10, 2026-11, 13,500 won payable, 13,500 won due, 0 sums that do not tie\n"
    )
    assert run(capsys) == "0 statements built, 0 won payable, 0 won due, 0 sums that do not tie\n"
    assert Statement.objects.count() == 2


def test_one_month_is_built_when_it_is_named(capsys):
    seller = make_seller()
    sell(9_999, seller=seller, now=IN_OCTOBER)
    sell(5_000, seller=seller)

    assert run(capsys, "--month", "2026-10").startswith("1 statements built for 2026-10, 9,000 won payable")
    assert Statement.objects.get().month.month == 10


def test_a_dry_run_tells_the_same_and_writes_nothing(capsys):
    sell(9_999, seller=make_seller(), now=IN_OCTOBER)

    foreseen = run(capsys, "--dry-run")

    assert not Statement.objects.exists()
    assert foreseen == "would be: " + run(capsys)


def test_the_result_comes_as_json(capsys):
    sell(9_999, seller=make_seller(), now=IN_OCTOBER)

    month = {"month": "2026-10", "statement_count": 1, "entry_count": 2, "payable_krw": 9_000, "due_krw": 9_000}
    assert json.loads(run(capsys, "--json", "--dry-run")) == {"dry_run": True, "months": [month], "untied": []}
    assert json.loads(run(capsys, "--json")) == {"dry_run": False, "months": [month], "untied": []}


@pytest.mark.parametrize("month", ["2026-12", "2027-01", "october", "2026-13", "2026-1"])
@pytest.mark.parametrize("options", [[], ["--dry-run"]])
def test_a_month_that_is_none_or_not_over_is_wrong_use(month, options):
    with pytest.raises(CommandError) as refused:
        call_command("build_statements", "--month", month, *options)
    assert refused.value.returncode == 2


def test_a_month_before_which_another_is_to_be_built_is_wrong_use():
    sell(9_999, seller=make_seller(), now=IN_OCTOBER)

    with pytest.raises(CommandError, match="Before 2026-11 the statements of 2026-10") as refused:
        call_command("build_statements", "--month", "2026-11")
    assert refused.value.returncode == 2


@pytest.mark.parametrize("options", [[], ["--dry-run"], ["--json"]])
def test_sums_that_do_not_tie_are_named_and_end_with_one(capsys, options):
    sell(9_999, seller=make_seller(name="Anna"))
    call_command("build_statements")
    tamper("UPDATE payments SET amount_krw = amount_krw + 1")
    capsys.readouterr()

    with pytest.raises(CommandError, match="1 sums do not tie") as problem:
        call_command("build_statements", *options)

    assert problem.value.returncode == 1
    told = capsys.readouterr().out
    assert "the charges of the ledger are not the payments" in told
    assert "-json" in str(options) or "does not tie: -:" in told


def test_the_help_has_examples(capsys):
    with pytest.raises(SystemExit):
        command.Command().create_parser("manage.py", "build_statements").parse_args(["--help"])
    assert "manage.py build_statements --month 2026-10" in capsys.readouterr().out


@pytest.mark.slow
def test_runs_at_once_put_each_entry_on_one_statement_while_sales_go_on(database_url, tmp_path):
    environment = os.environ | {"DATABASE_URL": database_url}

    runs = subprocess.run(
        [sys.executable, "-m", "tests.checkout.building", str(SELLERS), str(PROCESSES)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
    )

    assert runs.returncode == 0, runs.stderr
    report = json.loads(runs.stdout)
    assert report == {
        "errors": [],
        "built": report["statements"],
        "statements": SELLERS * 2,
        "twice": 0,
        "placed": True,
        "entries": 2 * (SELLERS * 2 + 20),
        "left": 0,
        "untied": [],
    }
