"""Derived values are shown in a form while it is filled in, and equal the saved ones."""

from collections.abc import Awaitable, Callable

from fieldsync.core import record_ids
from fieldsync.replica import queries
from fieldsync.ui.forms.rows import DerivedRow
from fieldsync.ui.views.record_card import RecordCards
from tests.conftest import Cast
from tests.replica.test_formula_lookups import add
from tests.ui.test_forms import Person, edit, fields_of, fill, new


def told(person: Person) -> dict[str, str]:
    """What the form says that follows, by field."""
    return {row.field.name: row.words for row in person.screen.query(DerivedRow) if row.display}


def test_a_score_is_computed_while_answering(people: Cast) -> None:
    """It appears with its last answer, changes with each, and disappears when one is removed."""
    amal = people.amal
    family = add(amal, "household", family_name="علي")
    seen: dict[str, str] = {}

    async def steps(person: Person) -> None:
        assert told(person) == {}
        await person.type("subject", str(queries.show(amal, family).code), "enter")
        for name, days in (("rcsi_cheaper", "2"), ("rcsi_borrowed", "1"), ("rcsi_smaller", "0"), ("rcsi_adults", "3")):
            await person.type(name, days)
            assert "rcsi" not in told(person)
        await person.type("rcsi_fewer", "٧")
        assert (told(person)["rcsi"], told(person)["rcsi_group"]) == ("20", "High")
        await person.press("backspace")
        assert "rcsi" not in told(person)
        await person.press("1")
        seen.update(told(person))
        assert "Coping group                 = Medium" in person.seen
        await person.press("ctrl+s")

    fields = fields_of(amal, fill(new(amal, "assessment"), steps, size=(80, 60)))
    assert (seen["rcsi"], seen["rcsi_group"]) == ("14", "Medium")
    assert (fields["rcsi"], fields["rcsi_group"]) == (14, "medium")


def test_a_form_counts_existing_and_new_members(people: Cast) -> None:
    """Existing members count, and values of other records are shown from the start."""
    amal = people.amal
    family = add(amal, "household", family_name="علي")
    for given in ("سمير", "هدى"):
        add(amal, "person", household=family, given=given)

    async def steps(person: Person) -> None:
        assert told(person) == {"size": "2"}
        await person.press("escape")

    fill(edit(amal, record_ids.from_text(family)), steps)


def test_a_removed_new_member_is_not_counted(people: Cast) -> None:
    """The number follows the list."""

    async def steps(person: Person) -> None:
        family = person.app.screen
        for at, given in enumerate(("سمير", "هدى"), 1):
            person.screen._to_adding()
            await person.press()
            await person.press("enter")
            await person.until(lambda: person.app.screen is not family and person.screen.focused is not None)
            assert told(person) == {}
            await person.type("given", given)
            await person.press("ctrl+s")
            await person.until(lambda: person.app.screen is family and len(person.screen.members) == at)
            assert told(person) == {"size": str(at)}
        await person.until(lambda: "＋ Add a member" in person.seen)
        await person.press("up", "delete")
        await person.until(lambda: "from the list?" in person.seen)
        await person.press("enter")
        await person.until(lambda: told(person) == {"size": "1"})
        await person.press("ctrl+c")

    fill(new(people.amal, "household"), steps)


def test_values_computed_from_ids_are_shown_as_names(people: Cast) -> None:
    """The key of overlapping aid shows the family's name."""
    amal = people.amal
    family = add(amal, "household", family_name="علي")
    person = add(amal, "person", household=family, given="سمير")
    benefit = add(amal, "benefit", recipient=person, kind="food", period="2026-10")
    out = RecordCards("en")
    out.use_node(amal)
    fields = fields_of(amal, record_ids.from_text(benefit))
    shown = out.format_value(amal.schema.type("benefit"), "dup_key", fields["dup_key"])
    assert family in str(fields["dup_key"])
    assert shown == f"{out.format_reference(family)} Food 2026-10"
    assert "علي" in shown


def test_members_can_be_added_to_an_existing_family(people: Cast) -> None:
    """The form shows existing members; new ones are in the same save, and the first head becomes the family's."""
    amal = people.amal
    family = add(amal, "household", family_name="علي")
    wife = add(amal, "person", household=family, given="هدى")
    add(amal, "membership", household=family, person=wife, relation="spouse", from_date="2026-01-01")

    def adding(given: str, relation: str) -> Callable[[Person], Awaitable[None]]:
        async def steps(person: Person) -> None:
            screen = person.app.screen
            await person.until(lambda: "هدى  ·  Spouse" in person.seen or "＋" in person.seen)
            person.screen._to_adding()
            await person.press()
            assert "هدى  ·  Spouse" in person.seen
            await person.press("enter")
            await person.until(lambda: person.app.screen is not screen and person.screen.focused is not None)
            await person.type("relation", relation, "enter")
            await person.type("given", given)
            await person.press("ctrl+s")
            await person.until(lambda: person.app.screen is screen and len(person.screen.members) == 1)
            await person.press("ctrl+s")

        return steps

    for given, relation in (("سمير", "head"), ("كامل", "head"), ("ليلى", "son_daughter")):
        assert fill(
            edit(amal, record_ids.from_text(family)), adding(given, relation), size=(80, 60)
        ) == record_ids.from_text(family)
    beings = {str(one.id): one.fields["given"] for one in queries.list_records(amal, "person")}
    ties = {beings[one.fields["person"]]: one.fields["relation"] for one in queries.list_records(amal, "membership")}
    assert ties == {"هدى": "spouse", "سمير": "head", "كامل": "head", "ليلى": "son_daughter"}
    fields = fields_of(amal, record_ids.from_text(family))
    assert (beings[fields["head"]], fields["size"]) == ("سمير", 4)
    assert all(one.fields["household"] == family for one in queries.list_records(amal, "person"))
