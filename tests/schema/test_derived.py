"""Computed values of a record's own answers, against the published rules in Python."""

from datetime import date, timedelta

from hypothesis import example, given
from hypothesis import strategies as st

from fieldsync.schema import load, validate

SCHEMA = load.load_texts(load.shipped_texts())
TODAY = "2026-11-25"
WEIGHTS = {"staples": 2, "pulses": 3, "vegetables": 1, "fruit": 1, "protein": 4, "dairy": 4, "sugar": 0.5, "oil": 0.5}
COPING = {"cheaper": 1, "borrowed": 2, "smaller": 1, "adults": 3, "fewer": 1}
DAYS = st.integers(0, 7)
SENSES = ("see", "hear", "walk", "mind", "self", "comm")


def derived(type: str, doc: dict[str, object]) -> dict[str, object]:
    """Return what is derived for a document."""
    return validate.derive_fields(SCHEMA.type(type), doc, TODAY)


@given(st.fixed_dictionaries(dict.fromkeys(WEIGHTS, DAYS)))
@example({**dict.fromkeys(WEIGHTS, 0), "sugar": 7, "oil": 7, "pulses": 7})  # 28: the last that is poor with both daily
@example({**dict.fromkeys(WEIGHTS, 0), "pulses": 7})  # 21: the last that is poor
@example({**dict.fromkeys(WEIGHTS, 0), "protein": 7, "vegetables": 7})  # 35: the last that is borderline
def test_food_consumption_score(days: dict[str, int]) -> None:
    """Days times weights; the limits are higher where oil and sugar are eaten daily."""
    score = sum(days[food] * weight for food, weight in WEIGHTS.items())
    poor, borderline = (28, 42) if days["sugar"] == days["oil"] == 7 else (21, 35)
    group = "poor" if score <= poor else "borderline" if score <= borderline else "acceptable"
    found = derived("assessment", {f"fcs_{food}": number for food, number in days.items()})
    assert (found["fcs"], found["fcs_group"]) == (score, group)


@given(st.fixed_dictionaries(dict.fromkeys(COPING, DAYS)))
@example({**dict.fromkeys(COPING, 0), "adults": 1})  # 3: the last that is low
@example({**dict.fromkeys(COPING, 0), "adults": 6})  # 18: the last that is medium
def test_coping_score(days: dict[str, int]) -> None:
    """Days times severity, in three groups."""
    index = sum(days[way] * weight for way, weight in COPING.items())
    group = "low" if index <= 3 else "medium" if index <= 18 else "high"
    found = derived("assessment", {f"rcsi_{way}": number for way, number in days.items()})
    assert (found["rcsi"], found["rcsi_group"]) == (index, group)


@given(st.sampled_from([f"fcs_{food}" for food in WEIGHTS] + [f"rcsi_{way}" for way in COPING]))
def test_an_incomplete_answer_gives_no_score(left_out: str) -> None:
    """One unanswered question leaves the score and its group unknown."""
    answers: dict[str, object] = {f"fcs_{food}": 1 for food in WEIGHTS} | {f"rcsi_{way}": 1 for way in COPING}
    del answers[left_out]
    score = left_out.partition("_")[0]
    found = derived("assessment", answers)
    assert not found.keys() & {score, f"{score}_group"}
    assert found.keys() & {"fcs", "rcsi"}


@given(st.fixed_dictionaries({}, optional=dict.fromkeys(SENSES, st.sampled_from("1234"))))
def test_disability_by_the_washington_group(answers: dict[str, str]) -> None:
    """A lot of difficulty, or cannot do at all, in one of the six is enough; unanswered gives no result."""
    found = derived("person", {f"wg_{sense}": answer for sense, answer in answers.items()})
    assert found.get("disability") is (any(answer in "34" for answer in answers.values()) if answers else None)


@given(st.dates(date(2020, 1, 1), date(2030, 1, 1)), st.sampled_from(["low", "medium", "high", "emergency"]))
def test_assessments_are_due_sooner_at_higher_risk(opened: date, risk: str) -> None:
    """One day after opening in an emergency, else three, seven or fourteen days."""
    days = {"emergency": 1, "high": 3, "medium": 7, "low": 14}[risk]
    found = derived("case", {"opened_on": str(opened), "risk": risk})
    assert found["assessment_due"] == str(opened + timedelta(days=days))
