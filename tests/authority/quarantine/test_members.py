"""Values and members in hand-made commits: a field takes those of its own kind, and what it shows already."""

import pytest

from fieldsync.authority.schema_recovery import sign_forms
from fieldsync.authority.schema_rollout import put_in_force
from fieldsync.core import codes
from fieldsync.core.register import Value
from fieldsync.schema import load
from fieldsync.schema.model import Field, Type
from tests.cast import JBL
from tests.conftest import Cast
from tests.handmade import HandMade

KINDS = ("plain", "set", "tally", "log")


def with_field(people: Cast, kind: str) -> tuple[Type, Field]:
    """Return a type with a text, or numbers, of this kind."""
    return next(
        (one, field)
        for one in people.hq.schema.types.values()
        for field in one.fields.values()
        if field.kind == kind and field.type in ("text", "note", "int")
    )


@pytest.mark.parametrize("kind", KINDS)
def test_a_field_takes_members_of_its_kind_only(people: Cast, kind: str) -> None:
    """A choice for a set, a device's own count for a tally, a commit's own entry for a log, and none for a plain field."""
    hand = HandMade(people.amal, people.hq)
    type_, field = with_field(people, kind)
    record, me = people.amal.new_id(), people.amal.device.hex()
    made: dict[str, Value] = {"_code": codes.make_code(JBL, people.amal.letters, 1), "_unit": JBL}
    assert hand.write(made, record=record, type=type_.name, form=type_.version) == ""
    for wanted in KINDS[1:]:
        seq = hand._held()[0] + 1
        part, value = {"set": ("m", True), "tally": (me, 3), "log": (f"{me[:8]}-{seq}", "x")}[wanted]
        answer = hand.write({f"{field.name}/{part}": value}, record=record, type=type_.name, form=type_.version)
        assert answer == ("" if kind == wanted else "illegal_value"), wanted


def test_a_shown_value_may_be_chosen_under_a_stricter_form(people: Cast) -> None:
    """A new form takes digits only: the letters that the record shows may be written again, no other letters, small or great."""
    hand, record = HandMade(people.amal, people.hq), people.amal.new_id()
    made: dict[str, Value] = {"_code": codes.make_code(JBL, people.amal.letters, 1), "_unit": JBL, "address": "mm"}
    assert hand.write(made, record=record) == ""
    texts = load.shipped_texts()
    stricter = texts["household.toml"].replace("[fields.address]\n", '[fields.address]\npattern = "[0-9]+"\n')
    with people.hq.store.write() as tx:
        put_in_force(people.hq, tx, sign_forms(texts | {"household.toml": stricter}, 5, people.hq.serving_key))
    seen = ((("address",), ((people.amal.device, 1),)),)
    answers = [hand.write({"address": value}, record=record, context=seen) for value in ("aa", "mm", "zz", "77")]
    assert answers == ["illegal_value", "", "illegal_value", ""]
