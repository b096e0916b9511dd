"""Formulas end: none rests on itself, and none looks at other records without limit."""

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
def test_a_formula_that_rests_on_itself_is_refused_with_its_line(formulas: list[str]) -> None:
    """By itself or by way of others, each that is in the circle is named; a form of 0.1 that has one leaves it unknown."""
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


def test_formulas_that_rest_on_two_others_each_are_looked_at_once() -> None:
    """Sixty of them, each on the two before it, are no 2⁶⁰ questions."""
    visit = schema("1", "1", *(f"total{n} + total{n + 1}" for n in range(60))).type("visit")
    started = time.monotonic()
    assert not validate.asks_others(visit, "total61")
    assert validate.derive_fields(visit, {}, TODAY)["total61"] == 4052739537881
    assert time.monotonic() - started < 1


def test_a_formula_that_asks_too_many_records_is_given_up() -> None:
    """It and what comes after share one limit; what they would have said is unknown, and the rest is there."""
    visit = schema("2 + 2", "count(step where n = 1)", "sum(step.n)", "3 + 3").type("visit")
    endless = Endless()
    started = time.monotonic()
    assert validate.derive_fields(visit, {}, TODAY, endless) == {"total0": 4, "total3": 6}
    assert endless.looked <= step_limit.MOST / step_limit.RECORD + 2
    assert time.monotonic() - started < 5


def test_patterns_made_for_each_of_many_records_are_given_up() -> None:
    """A rule that takes its pattern from each of thousands of records may compile some of them, not all."""

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


def test_what_a_formula_asks_of_asking_records_counts_too(people: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a laptop: a family's size is not shown where it would take too much work to count it, and everything else is."""
    amal = people.amal
    home = record_ids.id_text(save.add_record(amal, "household", Changes(set={"family_name": "الحسن"})))
    for name in ("علي", "سلمى", "ليث"):
        save.add_record(amal, "person", Changes(set={"given": name, "household": home}))
    assert queries.show(amal, home).fields["size"] == 3
    monkeypatch.setattr(step_limit, "MOST", 2 * step_limit.RECORD)
    fields = queries.show(amal, home).fields
    assert "size" not in fields
    assert fields["family_name"] == "الحسن"
