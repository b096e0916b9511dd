"""Formulas with lookups of other records: their values, and their faults."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fieldsync import errors
from fieldsync.schema import load
from fieldsync.schema.expressions import lookups, parser
from tests.schema.test_loading import CHOICES, VISIT

TODAY = "2026-11-25"
STEP = """\
version = 1
label = { en = "Step", ar = "خطوة" }
plural = { en = "Steps", ar = "خطوات" }
belongs_to = "visit"
title = ["n"]

[fields.visit]
type = "ref"
to = ["visit"]
merge = "once"
sensitivity = 1
label = { en = "Visit", ar = "زيارة" }

[fields.n]
type = "int"
merge = "once"
sensitivity = 1
label = { en = "Number", ar = "رقم" }
"""
TOTAL = """
[fields.total]
type = "int"
merge = "derived"
sensitivity = 1
formula = "FORMULA"
label = { en = "Total", ar = "المجموع" }
"""


class Finder:
    """Has what a test gives it."""

    def __init__(self, children: Iterable[Mapping[str, object]]) -> None:
        self._children = list(children)

    def child_documents(self, type: str) -> list[Mapping[str, object]]:
        """Return them all."""
        assert type == "step"
        return self._children

    def find_document(self, ref: object) -> Mapping[str, object] | None:
        """Return the one that has the name."""
        return next((one for one in self._children if one.get("name") == ref), None)


CHILD = st.fixed_dictionaries(
    {},
    optional={
        "n": st.none() | st.integers(-99, 99),
        "on": st.none() | st.dates().map(str),
        "open": st.booleans(),
        "who": st.sampled_from("abc"),
    },
)


@given(st.lists(CHILD))
def test_lookups_agree_with_plain_python(children: list[dict[str, object]]) -> None:
    """Counts, sums and the newest of any records; without a finder the value is unknown."""

    def value(text: str) -> object:
        compiled = parser.compile_expression(text)
        assert compiled.evaluate({}, TODAY) is None
        assert not compiled.names  # the others' fields are not this record's
        return compiled.evaluate({lookups.FINDER: Finder(children)}, TODAY)

    opened = [one for one in children if one.get("open")]
    assert value("count(step where open)") == len(opened)
    assert value("count(step.who where open)") == len({one["who"] for one in opened if "who" in one})
    known = [one["n"] for one in opened if one.get("n") is not None]
    assert value("sum(step.n where open = true())") == (sum(known) if known else None)  # type: ignore[arg-type]
    dated = [one for one in children if one.get("on") and one.get("n") is not None]
    newest = max((str(one["on"]) for one in dated), default=None)
    assert value("newest(step.n by on)") in ([one["n"] for one in dated if one["on"] == newest] or [None])


def test_a_reference_is_followed() -> None:
    """`of` gives a field of the record that is named, and nothing where it is not there."""
    text = parser.compile_expression("coalesce(of(visit.n), 0) + 1")
    finder = Finder([{"name": "x", "n": 4}])
    assert text.evaluate({"visit": "x", lookups.FINDER: finder}, TODAY) == 5
    assert text.evaluate({"visit": "y", lookups.FINDER: finder}, TODAY) == 1
    assert text.names == set()


@pytest.mark.parametrize(
    ("formula", "code"),
    [
        ("sum(stop.n)", "unknown_type"),
        ("sum(step.m)", "unknown_field"),
        ("count(step where m = 1)", "unknown_field"),
        ("newest(step.n by m)", "unknown_field"),
        ("count(step where count(step where n) = 1)", "bad_expression"),
        ("newest(step.n)", "bad_expression"),
        ("sum(step)", "bad_expression"),
        ("of(place.n)", "unknown_field"),
        ("count(visit where place)", "unknown_type"),
    ],
)
def test_a_fault_in_a_lookup_has_its_line(tmp_path: Path, formula: str, code: str) -> None:
    """An unknown type, field or word is found when the forms are checked, not at display."""
    form = VISIT + TOTAL.replace("FORMULA", formula)
    (tmp_path / "choices.toml").write_text(CHOICES)
    (tmp_path / "step.toml").write_text(STEP)
    (tmp_path / "visit.toml").write_text(form)
    with pytest.raises(errors.SchemaFaults) as told:
        load.load_folder(tmp_path)
    line = next(n for n, text in enumerate(form.splitlines(), 1) if text.startswith("formula"))
    assert [(fault["code"], fault["line"]) for fault in told.value.facts["faults"]] == [(code, line)]


def test_rules_cannot_look_up_other_records(tmp_path: Path) -> None:
    """Only formulas can: a server without these records would judge a save differently."""
    (tmp_path / "choices.toml").write_text(CHOICES)
    (tmp_path / "step.toml").write_text(STEP + 'rule = "sum(step.n) > 1"\n')
    (tmp_path / "visit.toml").write_text(VISIT)
    with pytest.raises(errors.SchemaFaults) as told:
        load.load_folder(tmp_path)
    assert [fault["code"] for fault in told.value.facts["faults"]] == ["bad_expression"]
