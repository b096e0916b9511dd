"""Texts of forms on their way: which of them a node lacks, and those that come too late."""

import pytest

from fieldsync.authority import form_texts
from fieldsync.authority.schema_recovery import forms_claim, next_number, restore_forms, sign_forms
from fieldsync.authority.schema_rollout import put_in_force
from fieldsync.schema import load
from fieldsync.wire.messages import Forms
from tests.conftest import Cast

QUESTION = """
[fields.extra]
type = "text"
merge = "latest"
sensitivity = 1
label = { en = "x", ar = "س" }
"""


@pytest.mark.parametrize("short", [0, 1])
def test_a_text_held_to_its_last_byte_is_not_sent_again(people: Cast, short: int) -> None:
    """A node that has all texts lacks none; one byte less of each, and it gets that byte."""
    listed = form_texts.list_form_texts(load.shipped_texts())
    held = [(one.hash[: form_texts.SHORT], one.size - short) for one in listed]
    with people.hq.store.read() as tx:
        lacked = form_texts.lacked_texts(tx, listed, b"", held)
    assert lacked == {n: one.size - short for n, one in enumerate(listed) if short}


@pytest.mark.parametrize("meanwhile", [6, 7, 255, 256])
def test_forms_that_come_after_newer_ones_are_dropped(people: Cast, meanwhile: int) -> None:
    """Amal's laptop returns publication 6; until its texts are there headquarters publishes another: that stays in force."""
    hq, source = people.hq, people.amal.device
    texts = load.shipped_texts()
    older, newer = (
        sign_forms(texts | {"household.toml": texts["household.toml"] + comment}, number, hq.serving_key)
        for number, comment in ((6, "# older\n"), (meanwhile, "# newer\n"))
    )
    listed = form_texts.list_form_texts(older)
    with hq.store.write() as tx:
        asked = restore_forms(hq, tx, source, forms_claim(older))
        assert asked
        put_in_force(hq, tx, newer)
        pieces = tuple((n, start, older[listed[n].name].encode()[start:]) for n, start in asked)
        assert restore_forms(hq, tx, source, Forms((), pieces)) == ()
        assert form_texts.texts_in_force(tx) == newer


@pytest.mark.parametrize("legal", [True, False])
def test_forms_that_do_not_fit_those_published_since_stay_out(people: Cast, *, legal: bool) -> None:
    """A restored headquarters published a question; the publication 6 that it had lost has none such, and only uses up its number."""
    hq, source = people.hq, people.amal.device
    texts = load.shipped_texts()
    since = texts["household.toml"] + ("" if legal else QUESTION)
    published = sign_forms(texts | {"household.toml": since}, 5, hq.serving_key)
    lost = sign_forms(texts | {"household.toml": texts["household.toml"] + "# lost\n"}, 6, hq.serving_key)
    listed = form_texts.list_form_texts(lost)
    with hq.store.write() as tx:
        put_in_force(hq, tx, published)
        assert next_number(tx) == 6
        asked = restore_forms(hq, tx, source, forms_claim(lost))
        restore_forms(hq, tx, source, Forms((), tuple((n, at, lost[listed[n].name].encode()[at:]) for n, at in asked)))
        assert form_texts.texts_in_force(tx) == (lost if legal else published)
        assert next_number(tx) == 7
