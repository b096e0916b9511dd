"""Every row of the offices' requirements is covered by types, fields, choices, commands and reports."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from fieldsync.cli import COMMANDS
from fieldsync.commands.support.lazy_tree import GroupSpec
from fieldsync.schema import load

ROWS: dict[str, dict[str, Any]] = tomllib.loads(
    (Path(__file__).parent / "who_asked_for_what.toml").read_text(encoding="utf-8")
)
SCHEMA = load.load_texts(load.shipped_texts())
REPORTS = {path.stem for path in (Path(__file__).parents[2] / "schemas" / "reports").glob("*.sql")}


def test_no_row_is_missing() -> None:
    """Five articles: 16 rows, 5, 9, 17 and 10."""
    counted = {letter: sum(name.startswith(f"{letter}.") for name in ROWS) for letter in "ABCDE"}
    assert counted == {"A": 16, "B": 5, "C": 9, "D": 17, "E": 10}


@pytest.mark.parametrize("name", ROWS)
def test_every_row_is_covered(name: str) -> None:
    """By records, or by the program as a whole; by commands; and everything it names exists."""
    row = ROWS[name]
    assert row["commands"]
    assert re.search("[\u0600-\u06ff]", row["ar"])
    for path in row["fields"]:
        of_type, _, rest = path.partition(".")
        kind = SCHEMA.types[of_type]
        field, _, choice = rest.partition("=")
        if field:
            assert not kind.fields[field].retired
        if choice:
            assert choice in kind.fields[field].codes
    for words in row["commands"]:
        node: Any = COMMANDS
        for word in words.split():
            assert isinstance(node, GroupSpec)
            node = node.commands[word]
    assert REPORTS.issuperset(row["reports"])


def test_every_type_and_report_has_a_requirement() -> None:
    """Nothing is shipped without a request."""
    named = {path.partition(".")[0] for row in ROWS.values() for path in row["fields"]}
    assert SCHEMA.types.keys() == named
    assert {report for row in ROWS.values() for report in row["reports"]} == REPORTS
