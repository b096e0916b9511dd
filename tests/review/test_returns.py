"""Returned conflicts: questions to the authors in their agenda; the conflict waits until they are answered."""

import pytest

from fieldsync import errors
from fieldsync.casework import agenda
from fieldsync.core import record_ids
from fieldsync.replica import queries, save
from fieldsync.replica.changes import Changes
from fieldsync.replica.history import history
from fieldsync.replica.node import Node
from fieldsync.review import decisions, queue, returns
from fieldsync.review.conflict_filter import EVERYTHING
from fieldsync.ui.review.line_review import LineReview
from fieldsync.ui.views.tables import Tables
from tests import directly
from tests.conftest import Cast


def everybody(people: Cast) -> None:
    """Have all laptops sync until all know all, and all agree."""
    for node in (*people.laptops, *people.laptops):
        told = directly.sync(node, people.hq)
        assert (told.refused, told.differing) == (0, [])


@pytest.fixture
def disputed(people: Cast) -> Cast:
    """A family whose place and address Amal and Basim wrote without knowing of each other."""
    told = {"family_name": "الحسن", "location": "جبلة", "family_book_no": "1"}
    home = save.add_record(people.amal, "household", Changes(set=told)).hex()
    everybody(people)
    for node, word in ((people.amal, "حمص"), (people.basim, "حماة")):
        save.edit_record(node, home, Changes(set={"location": word, "family_book_no": f"3{word}"}))
    everybody(people)
    return people


def family(node: Node) -> str:
    """Return the family's id."""
    return queries.list_records(node, "household")[0].id


def ask(people: Cast, field: str = "family_book_no", **more: str) -> list[str]:
    """Samar returns a conflict; whom she asked."""
    item = returns.open_conflict(people.samar, family(people.samar), field)
    return [one.of for one in returns.return_conflict(people.samar, item, "من رأى البيت؟", what="العنوان", **more)]


def due(node: Node) -> list[str]:
    """Return what a person has to answer."""
    return [one.record for one in agenda.list_due(node) if one.what == "answer"]


def order(node: Node) -> list[str]:
    """Return the fields in the order of the queue."""
    return [one.field for one in queue.waiting_conflicts(node)]


def test_a_question_is_in_each_author_s_agenda(disputed: Cast) -> None:
    """Each author has their own question only; answering it closes it."""
    assert ask(disputed) == ["Amal", "Basim"]
    assert due(disputed.samar) == []
    everybody(disputed)
    (mine,), (his,) = due(disputed.amal), due(disputed.basim)
    assert mine != his
    returns.answer_question(disputed.amal, mine, "زرتهم يوم الثلاثاء")
    assert due(disputed.amal) == []
    everybody(disputed)
    (item,) = [one for one in decisions.list_conflicts(disputed.samar) if one.field == "family_book_no"]
    assert [(one.of, one.by, one.question, one.answer) for one in item.questions] == [
        ("Amal", "Samar", "من رأى البيت؟", "زرتهم يوم الثلاثاء"), ("Basim", "Samar", "من رأى البيت؟", None),
    ]  # fmt: skip


def test_a_returned_conflict_goes_to_the_end_of_the_queue(disputed: Cast) -> None:
    """It returns to its position once all questions are answered."""
    before = order(disputed.samar)
    ask(disputed, before[0])
    assert order(disputed.samar) == before[::-1]
    everybody(disputed)
    for node in (disputed.amal, disputed.basim):
        returns.answer_question(node, *due(node), "لا أعلم")
    everybody(disputed)
    assert order(disputed.samar) == before


def test_a_decision_closes_its_questions_only(disputed: Cast) -> None:
    """Questions about the decided field are closed; those about other fields stay."""
    ask(disputed, "family_book_no", of="Amal")
    ask(disputed, "location", of="Amal")
    everybody(disputed)
    assert len(due(disputed.amal)) == 2
    decisions.decide_conflict(disputed.samar, family(disputed.samar), "family_book_no", value="7")
    everybody(disputed)
    (left,) = due(disputed.amal)
    assert queries.show(disputed.amal, left).fields["conflict_in"] == "location"


def test_bulk_decisions_close_questions(disputed: Cast) -> None:
    """As on the screen, where many are decided in one save."""
    ask(disputed, "family_book_no", of="Amal")
    (item,) = [one for one in decisions.list_conflicts(disputed.samar) if one.field == "family_book_no"]
    seen = decisions.names_of(item.heads)
    decisions.decide_open_conflicts(
        disputed.samar, [decisions.Decision(item.record, "family_book_no", item.heads[0].name, seen=seen)]
    )
    everybody(disputed)
    assert due(disputed.amal) == []


def test_returning_needs_the_right_to_decide(disputed: Cast) -> None:
    """A caseworker who sees the list cannot send questions."""
    item = returns.open_conflict(disputed.amal, family(disputed.amal), "family_book_no")
    with pytest.raises(errors.RoleRefused):
        returns.return_conflict(disputed.amal, item, "?", what="")


def test_a_blank_question_is_refused(disputed: Cast) -> None:
    """No agenda has an empty entry."""
    with pytest.raises(errors.IllegalValue):
        returns.return_conflict(
            disputed.samar, returns.open_conflict(disputed.samar, family(disputed.samar), "location"), " ", what=""
        )
    assert queries.list_records(disputed.samar, "question") == []


def test_an_answer_needs_a_question_s_code(disputed: Cast) -> None:
    """A household's code in place of the question's changes nothing."""
    with pytest.raises(errors.IllegalValue):
        returns.answer_question(disputed.amal, family(disputed.amal), "نعم")
    with pytest.raises(errors.NoConflict):
        returns.open_conflict(disputed.samar, family(disputed.samar), "housing")


def test_a_conflict_is_returned_on_the_screen(disputed: Cast) -> None:
    """r, the question, Enter: it goes to the end of the queue; the answer is shown above the values."""
    from tests.ui.screens import seen
    from tests.ui.test_review_screen import play

    before = order(disputed.samar)

    async def steps(pilot, screen) -> None:  # type: ignore[no-untyped-def]
        await pilot.press("r", *"who?", "enter")
        await pilot.pause()
        assert "Asked: Amal, Basim." in seen(pilot.app)
        assert screen._matter.item.field == before[1]

    play(disputed.samar, steps)
    everybody(disputed)
    returns.answer_question(disputed.amal, *due(disputed.amal), "hers")
    returns.answer_question(disputed.basim, *due(disputed.basim), "his")
    everybody(disputed)

    async def look(pilot, screen) -> None:  # type: ignore[no-untyped-def]
        assert screen._matter.item.field == before[0]
        assert "asked Amal: who? — hers" in seen(pilot.app)

    play(disputed.samar, look)


def test_a_conflict_is_returned_line_by_line(disputed: Cast) -> None:
    """r and the question; an empty one is not sent. The conflict then comes last, with the question above its values."""
    before = order(disputed.samar)
    typed = iter(["r", "", "r", "من رأى البيت؟", "s", "q"])
    out = Tables("en")
    said: list[str] = []
    out.ask = lambda _: next(typed)  # type: ignore[method-assign]
    out.line = lambda text="": said.append(text)  # type: ignore[method-assign]
    LineReview(out, disputed.samar, EVERYTHING).run_review()
    assert order(disputed.samar) == before[::-1]
    assert "↩ Asked: Amal, Basim. The conflict waits for the answer." in said
    assert sum("asked Amal: من رأى البيت؟ (no answer yet)" in line for line in said) == 1
    assert len(queries.list_records(disputed.samar, "question")) == 2


def test_a_question_names_the_field_by_its_label(disputed: Cast, capsys: pytest.CaptureFixture[str]) -> None:
    """On its card and in its history: other types have a field of that name, too."""
    (item, *_) = [one for one in decisions.list_conflicts(disputed.samar) if one.field == "location"]
    returns.return_conflict(disputed.samar, item, "which?", what="x", of="Amal")
    (asked,) = queries.list_records(disputed.samar, "question")
    Tables("ar").record(disputed.samar, asked)
    Tables("ar").history(disputed.samar, asked, history(disputed.samar, asked.id))
    assert capsys.readouterr().out.count("اسم الحقل: مكان السكن الحالي") == 2


def test_a_question_belongs_to_its_record(disputed: Cast) -> None:
    """It moves with the family."""
    ask(disputed, of="Amal")
    everybody(disputed)
    shown = queries.show(disputed.amal, due(disputed.amal)[0])
    assert shown.fields["about"] == record_ids.id_text(bytes.fromhex(family(disputed.amal).replace("-", "")))
    assert shown.unit == "LAT/JBL"
