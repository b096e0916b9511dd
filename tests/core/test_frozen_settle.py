"""The cases of settling that programs in other languages test themselves with hold here, too, in whatever order the commits come."""

import itertools
import json
from typing import Any

import pytest

from fieldsync.core.commit import decode_commit
from fieldsync.core.names import strip_invisible
from fieldsync.core.state import canonical_bytes
from tests.core import frozen_settle as frozen

FOUND: dict[str, Any] = json.loads(frozen.FILE.read_text(encoding="utf-8"))


@pytest.mark.parametrize("case", frozen.cases(), ids=lambda case: case.name)
def test_each_case_holds_as_ever(case: frozen.Case) -> None:
    """The document, the conflicts, the registers and the term; and the same whatever came first."""
    stored = next(one for one in FOUND["cases"] if one["name"] == case.name)
    assert [decode_commit(bytes.fromhex(one["body"])) for one in stored["commits"]] == case.commits
    assert json.loads(json.dumps(frozen.told(case))) == stored
    for order in itertools.islice(itertools.permutations(case.commits), 24):
        again = frozen.Case(case.name, list(order))
        assert canonical_bytes(frozen.joined(again)) == canonical_bytes(frozen.joined(case))
        assert frozen.told(again) | {"commits": []} == frozen.told(case) | {"commits": []}


def test_the_cases_are_those_of_the_file() -> None:
    """None is lost, and the file says what they were settled by."""
    assert [one["name"] for one in FOUND["cases"]] == [case.name for case in frozen.cases()]
    assert FOUND["form"] == frozen.form()
    assert FOUND["compared"] == [[text, strip_invisible(text)] for text in frozen.COMPARED]
    assert sum(bool(one["conflicts"]) for one in FOUND["cases"]) > 12
