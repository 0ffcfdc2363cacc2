"""`docs/payments.md` names what exists: its tests, and the moves of the code."""

import ast
import re
from pathlib import Path

from checkout.models import LedgerEntry
from checkout.orders import MOVES

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "payments.md").read_text()
LISTED = {(source.value, target.value) for source, targets in MOVES.items() for target in targets}


def names_in(path: str) -> set[str]:
    tree = ast.parse((ROOT / path).read_text())
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_every_test_that_holds_a_promise_exists():
    named = re.findall(r"(tests/[\w/]+\.py)(?:::(\w+))?", TEXT)

    missing = [
        f"{path}::{name}"
        for path, name in named
        if not (ROOT / path).is_file() or (name and name not in names_in(path))
    ]

    assert len(named) > 30
    assert missing == []


def test_every_promise_names_its_test():
    table = TEXT.split("| promise | test |")[1].split("\n\n")[0]

    assert [row for row in table.splitlines()[2:] if "::test_" not in row] == []


def test_the_diagram_and_the_table_show_the_moves_of_the_code():
    drawn = re.findall(r"^    (\w+) --> (\w+)$", TEXT, re.MULTILINE)
    told = re.findall(r"^\| `(\w+)` \| `(\w+)` \| [^|]+ \| [^|]+ \|$", TEXT, re.MULTILINE)

    assert len(drawn) == len(told) == len(LISTED)
    assert set(drawn) == set(told) == LISTED


def test_the_example_of_the_ledger_uses_its_accounts_and_adds_up():
    header, _, *rows = re.search(r"(\| booking \|.+?)\n\n", TEXT, re.DOTALL)[1].splitlines()
    accounts = re.findall("`(\\w+)`", header)

    assert set(accounts) == set(LedgerEntry.Account.values)
    sums_krw = []
    for row in rows:
        cells = [cell.strip().replace("−", "-").replace(",", "") for cell in row.split("|")[2 : 2 + len(accounts)]]
        sums_krw.append(sum(int(cell or 0) for cell in cells))
    assert sums_krw == [0, 0, 0]
