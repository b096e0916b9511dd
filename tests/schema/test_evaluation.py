"""Formulas terminate: no cycles, and a limit on reading other records."""

import time
from collections.abc import Iterator, Mapping

import pytest

from fieldsync import errors
from fieldsync.core import record_ids
from fieldsync.replica import queries, save
from fieldsync.replica.changes import Changes
from fieldsync.schema import load, validate
from fieldsync.schema.expressions import step_limit
from fieldsync.schema.model import Schema
from tests.conftest import Cast
from tests.schema.test_loading import CHOICES, VISIT
from tests.schema.test_related import STEP, TODAY, TOTAL


def schema(*formulas: str, published: bool = False) -> Schema:
    """Return a visit with these derived fields: `total0`, `total1` and so on."""
    fields = [
        TOTAL.replace("fields.total", f"fields.total{n}").replace("FORMULA", one) for n, one in enumerate(formulas)
    ]
    texts = {"choices.toml": CHOICES, "step.toml": STEP, "visit.toml": VISIT + "".join(fields)}
    return load.load_texts(texts, published=published)


class Endless:
    """A record with more others than anybody can look at."""

    def __init__(self) -> None:
        self.looked = 0

    def child_documents(self, _type: str) -> Iterator[Mapping[str, object]]:
        """Yield them until nobody asks for more."""
        while True:
            self.looked += 1
            yield {"n": 1}

    def find_document(self, ref: object) -> Mapping[str, object] | None:
        """Know nobody."""


@pytest.mark.parametrize("formulas", [["total0 + 1"], ["total1", "total0"], ["total1 + 5", "total2", "total0 * 2"]])
def test_a_cyclic_formula_is_refused_with_its_line(formulas: list[str]) -> None:
    """Directly or through others, every field in the cycle is named; in a form of 0.1 its value is unknown."""
    with pytest.raises(errors.SchemaFaults) as told:
        schema(*formulas)
    faults: list[dict[str, object]] = told.value.facts["faults"]  # type: ignore[assignment]
    assert [(one["code"], one["field"]) for one in faults] == [
        ("formula_circle", f"total{n}") for n in range(len(formulas))
    ]
    assert len({one["line"] for one in faults}) == len(formulas)
    visit = schema(*formulas, published=True).type("visit")
    assert validate.derive_fields(visit, {}, TODAY) == {}
    assert not validate.asks_others(visit, "total0")


def test_shared_dependencies_are_evaluated_once() -> None:
    """Sixty formulas, each on the two before it, do not cost 2⁶⁰ evaluations."""
    visit = schema("1", "1", *(f"total{n} + total{n + 1}" for n in range(60))).type("visit")
    started = time.monotonic()
    assert not validate.asks_others(visit, "total61")
    assert validate.derive_fields(visit, {}, TODAY)["total61"] == 4052739537881
    assert time.monotonic() - started < 1


def test_a_formula_beyond_the_step_limit_is_unknown() -> None:
    """It and later ones share one limit; their values are unknown, all others are present."""
    visit = schema("2 + 2", "count(step where n = 1)", "sum(step.n)", "3 + 3").type("visit")
    endless = Endless()
    started = time.monotonic()
    assert validate.derive_fields(visit, {}, TODAY, endless) == {"total0": 4, "total3": 6}
    assert endless.looked <= step_limit.MOST / step_limit.RECORD + 2
    assert time.monotonic() - started < 5


def test_compiled_patterns_count_against_the_step_limit() -> None:
    """A rule that takes its pattern from each of thousands of records may compile only some."""

    class Patterned(Endless):
        def child_documents(self, _type: str) -> Iterator[Mapping[str, object]]:
            while True:
                self.looked += 1
                yield {"n": f"a{{{self.looked}}}"}

    visit = schema("count(step where regex('a', n))").type("visit")
    patterned = Patterned()
    started = time.monotonic()
    assert validate.derive_fields(visit, {}, TODAY, patterned) == {}
    assert patterned.looked < 1_000
    assert time.monotonic() - started < 5


def test_nested_lookups_count_against_the_step_limit(people: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    """A family's size is not shown if counting costs too much, and all other values are."""
    amal = people.amal
    home = record_ids.id_text(save.add_record(amal, "household", Changes(set={"family_name": "الحسن"})))
    for name in ("علي", "سلمى", "ليث"):
        save.add_record(amal, "person", Changes(set={"given": name, "household": home}))
    assert queries.show(amal, home).fields["size"] == 3
    monkeypatch.setattr(step_limit, "MOST", 2 * step_limit.RECORD)
    fields = queries.show(amal, home).fields
    assert "size" not in fields
    assert fields["family_name"] == "الحسن"
