"""Choosing a record in a form: namesakes are distinguished, further matches counted, the family's own listed first."""

from collections.abc import Iterator

import pytest

from fieldsync.core import record_ids
from fieldsync.replica import queries, save
from fieldsync.replica.changes import Changes
from fieldsync.replica.lookup import find_row
from fieldsync.replica.node import Node
from fieldsync.ui.forms.answers import FormAnswers
from fieldsync.ui.forms.line_prompts import LineForm
from fieldsync.ui.forms.record_picker import match_records
from fieldsync.ui.views.tables import Tables
from tests.conftest import Cast
from tests.ui.test_forms import Person, edit, fields_of, fill, new


def added(node: Node, type: str, **fields: object) -> str:
    """Save a record; return its id as references have it."""
    return record_ids.id_text(save.add_record(node, type, Changes(set=fields)))


@pytest.fixture
def namesakes(people: Cast) -> tuple[str, str]:
    """Two women of one name, in two families."""
    found = []
    for place, born, mother in (("جبلة", "1980-02-03", "سلمى"), ("بانياس", "1991-01-01", "رنا")):
        home = added(people.amal, "household", family_name="الأسعد", location=place)
        told = {"given": "هدى", "family": "الأسعد", "sex": "f", "birth_date": born, "mother": mother, "household": home}
        found.append(added(people.amal, "person", **told))
    return found[0], found[1]


@pytest.mark.parametrize(
    ("lang", "words"),
    [("en", ("born 1980", "mother سلمى", "family الأسعد")), ("ar", ("مواليد 1980", "الأم سلمى", "أسرة الأسعد"))],
)
def test_namesakes_are_distinguished(
    people: Cast, namesakes: tuple[str, str], lang: str, words: tuple[str, ...]
) -> None:
    """Birth year, mother, and the family with its place and code stand beside the name, within 80 columns."""

    async def steps(person: Person) -> None:
        await person.type("person", "هدى")
        first, second = (next(line for line in person.seen.split("\n") if born in line) for born in ("1980", "1991"))
        assert all(word in first.replace("\u2068", "").replace("\u2069", "") for word in words), first
        assert ("جبلة" in first, "بانياس" in second) == (True, True)
        await person.press("down", "enter", "escape", "x")

    fill(new(people.amal, "case", lang=lang), steps)


def test_isolating_characters_are_not_shown(people: Cast, namesakes: tuple[str, str]) -> None:
    """On a bidi terminal names are isolated without a visible sign."""
    out = Tables("ar")
    out.form = "isolates"
    out.use_node(people.amal)
    kind = people.amal.schema.type("case")
    found = match_records(out, FormAnswers(people.amal, kind, "ar"), kind.field("person"), "هدى", 9).options
    assert len(found) == 2
    assert all("\u2068" in one.words and "U+20" not in one.words for one in found)


def test_further_matches_are_counted(people: Cast) -> None:
    """The list says that it is not complete, and how to find the others."""
    for n in range(23):
        added(people.amal, "person", given="محمد", family="الأسعد", sex="m", birth_date=f"19{50 + n}-02-03")

    async def steps(person: Person) -> None:
        await person.type("person", "محمد")
        assert "Not shown: 3 more." in person.seen
        await person.press("escape", "x")

    fill(new(people.amal, "case"), steps)


def test_a_family_offers_its_members_for_its_head(people: Cast, namesakes: tuple[str, str]) -> None:
    """Before anything is typed, its own members are offered, and nobody else."""
    amal = people.amal
    home = fields_of(amal, record_ids.from_text(namesakes[0]))["household"]

    async def steps(person: Person) -> None:
        await person.go("head")
        assert "born 1980" in person.seen
        assert "born 1991" not in person.seen
        await person.press("down", "enter", "ctrl+s")

    fill(edit(amal, record_ids.from_text(home)), steps)
    assert queries.show(amal, home).fields["head"] == namesakes[0]


def test_members_come_before_others_with_the_name(people: Cast, namesakes: tuple[str, str]) -> None:
    """The family's own come first, though the other is older in the store."""
    amal = people.amal
    home = fields_of(amal, record_ids.from_text(namesakes[1]))["household"]

    async def steps(person: Person) -> None:
        await person.type("head", "هدى")
        assert person.seen.index("born 1991") < person.seen.index("born 1980")
        await person.press("escape", "x")

    fill(edit(amal, record_ids.from_text(home)), steps)


class Typed(Tables):
    """A terminal at which somebody types these lines; what is said is kept."""

    def __init__(self, lines: Iterator[str]) -> None:
        super().__init__("en")
        self.lines, self.said = lines, []

    def ask(self, prompt: str) -> str:
        """Give the next line to a question about the head, else nothing."""
        return next(self.lines) if prompt.startswith(("Head", "Which", "Save")) else ""

    def line(self, text: str = "") -> None:
        """Keep it."""
        self.said.append(text)


def test_prompts_offer_members_by_number(people: Cast, namesakes: tuple[str, str]) -> None:
    """Line by line: the members with numbers; a name finds others, distinguished."""
    amal = people.amal
    home = fields_of(amal, record_ids.from_text(namesakes[0]))["household"]
    for lines, chosen in ((["1", ""], namesakes[0]), (["هدى", "2", ""], namesakes[1])):
        with amal.store.read() as tx:
            row = find_row(tx, home)
        out = Typed(iter(lines))
        changes = LineForm(out, amal, amal.schema.type("household"), row).ask_all()
        assert changes.set == {"head": chosen}
        assert any("1  JBL" in line and "born 1980" in line for line in out.said)
