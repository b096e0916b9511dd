"""Old client with newer forms, and the reverse: unknown content is kept or clearly refused, never silently dropped."""

import re
from pathlib import Path

import pytest

from fieldsync import errors
from fieldsync.authority import schema_rollout
from fieldsync.replica import node_setup, queries, save
from fieldsync.replica.changes import Changes
from fieldsync.schema import load
from fieldsync.server.publish_schema import publish_schema
from fieldsync.ui.views import status_facts
from tests import directly
from tests.cast import JBL, rows
from tests.conftest import Cast
from tests.formbook import Book, write
from tests.offices import Office

HOUSEHOLD = "household.toml"


def newer(texts: dict[str, str]) -> dict[str, str]:
    """Return forms in which a household's `location` is a `village`, and an answer more may be given."""
    text = texts[HOUSEHOLD].replace("version = 1", "version = 2", 1).replace("[fields.location]", "[fields.village]")
    for key in ("title", "search"):
        text = re.sub(rf'^({key} = .*)"location"', r'\1"village"', text, flags=re.MULTILINE)
    head, rest = text.split("\n[fields.", 1)
    return texts | {HOUSEHOLD: f'{head}\n[renamed]\nlocation = "village"\n\n[fields.{rest}'}


def test_forms_are_published_while_the_server_runs(own_office: Office, tmp_path: Path) -> None:
    """Two laptops save under the old form while headquarters publishes a new one; after sync, every value is under its new name."""
    office = own_office
    made = {}
    for name in ("amal", "basim"):
        made[name] = office.json(name, "add", "household", "--set", "family_name=أحمد", "--set", f"location={name}")[
            "code"
        ]
        office.json(name, "sync")
        office.json(name, "edit", made[name], "--set", f"location={name} again", "--set", "address=x")
    folder = write(tmp_path / "forms", newer(load.shipped_texts()))
    told = office.json("hq", "schema", "publish", str(folder))
    assert told["published"]
    assert {"type": "household", "what": "field_renamed", "field": "village", "was": "location"} in told["changes"]
    for name in ("amal", "basim", "amal"):
        synced = office.json(name, "sync")
        assert (synced["refused"], synced["digest"]) == (0, "equal")
        assert [one["type"] for one in synced["forms"]] in (["household"], [])
        assert office.json(name, "status")["refused"] == []
    for name in ("amal", "basim"):
        for of, code in made.items():
            assert office.json(name, "show", code)["fields"]["village"] == f"{of} again"
    assert office.run("amal", "edit", made["amal"], "--set", "location=x").returncode == 3
    assert [list(one["changes"])[-1] for one in office.json("amal", "history", made["amal"])][-1] == "village"
    office.equal("amal", "basim")
    (shown,) = [one for one in office.json("hq", "schema", "list") if one["type"] == "household"]
    assert (shown["version"], shown["retired"]) == (2, False)


def test_a_folder_of_one_form_is_added_to_the_others(own_office: Office, tmp_path: Path) -> None:
    """Alone it is refused in one line, with the command that keeps the others; a repeat's types are published together with theirs."""
    book = Book()
    visit = book.texts()["visit.toml"]
    parent = (
        visit
        + '\n[fields.parts]\ntype = "int"\nmerge = "derived"\nsensitivity = 1\nformula = "count(part where true())"\n'
    )
    parent += 'label = { en = "Parts", ar = "أجزاء" }\n'
    part = (
        'version = 1\nlabel = { en = "Part", ar = "جزء" }\nplural = { en = "Parts", ar = "أجزاء" }\ntitle = ["visit"]\n'
        'belongs_to = "visit"\n[fields.visit]\ntype = "ref"\nto = ["visit"]\nmerge = "review"\nrequired = "always"\n'
        'sensitivity = 1\nlabel = { en = "Visit", ar = "زيارة" }\n'
    )
    folder = str(write(tmp_path / "forms", {"visit.toml": parent, "part.toml": part}))
    refused = own_office.run("hq", "schema", "publish", folder)
    assert refused.returncode == 3
    assert len(refused.stderr.strip().splitlines()) == 4, refused.stderr
    assert "fieldsync schema publish DIR --keep-others" in refused.stderr
    told = own_office.json("hq", "schema", "publish", folder, "--keep-others")
    assert {(one["type"], one["what"]) for one in told["changes"]} == {("visit", "type_added"), ("part", "type_added")}
    assert "household" in {one["type"] for one in own_office.json("hq", "schema", "list")}
    assert "(الإصدار 1)" in own_office.run("amal", "sync", "--lang", "ar").stdout


def test_a_form_that_would_lose_data_is_refused(people: Cast, tmp_path: Path) -> None:
    """Removed fields, choices and types, an unchanged version and a reused name are reported with file and line."""
    book = Book()
    folder = tmp_path / "forms"
    publish_schema(people.hq, book.write(folder))
    before = people.hq.forms
    good = book.texts()["visit.toml"]

    def refused(text: str | None) -> list[tuple[str, int]]:
        for file in folder.iterdir():
            file.unlink()
        texts = book.texts() | {"visit.toml": text or ""}
        if text is None:
            del texts["visit.toml"]
        with pytest.raises(errors.SchemaFaults) as found:
            publish_schema(people.hq, write(folder, texts))
        assert people.hq.forms == before
        assert all(fault["file"] == "visit.toml" for fault in found.value.facts["faults"])  # type: ignore[attr-defined]
        return [(fault["code"], fault["line"]) for fault in found.value.facts["faults"]]  # type: ignore[attr-defined]

    def line(text: str, what: str) -> int:
        return text[: text.index(what)].count("\n") + 1

    raised = good.replace("version = 1", "version = 2")
    assert refused(None) == [("removed_type", 1)]
    gone = raised.replace("[fields.q0]", "[fields.other]")
    assert [code for code, _ in refused(gone)] == ["removed_field"]
    less = raised.replace('b = { en = "b", ar = "س" }\n', "", 1)
    assert refused(less) == [("removed_choice", line(less, "[fields.q1.choices]"))]
    still = good.replace('merge = "review"', 'merge = "latest"')
    assert refused(still) == [("version_not_raised", 1)]
    others = good.replace("plural = ", 'aliases = ["call", "زيارة"]\nplural = ', 1)
    publish_schema(people.hq, write(folder, book.texts() | {"visit.toml": others}))
    publish_schema(people.hq, book.write(folder))
    before = people.hq.forms
    other = raised.replace('merge = "set"', 'merge = "latest"')
    assert refused(other) == [
        ("kind_changed", line(other, 'merge = "latest"\nsensitivity = 1\nlabel = { en = "x", ar = "س" }\n[fields.q2'))
    ]
    typed = raised.replace('type = "text"', 'type = "date"')
    assert refused(typed) == [("type_changed", line(typed, 'type = "date"'))]
    mixed = raised.replace("[fields.q0]", '[renamed]\nq0 = "q3"\n[fields.q9]')
    assert "fields_mixed" in [code for code, _ in refused(mixed)]


def test_a_field_is_compared_whatever_it_is_called(people: Cast, tmp_path: Path) -> None:
    """A field that has the name of one of a form's own words, such as `aliases`, is no word of the form."""
    book, folder = Book(), tmp_path / "forms"
    good = book.texts()["visit.toml"].replace("[fields.q0]", "[fields.aliases]")
    publish_schema(people.hq, write(folder, book.texts() | {"visit.toml": good}))
    changed = good.replace('merge = "review"', 'merge = "latest"', 1)
    assert changed != good
    with pytest.raises(errors.SchemaFaults) as found:
        publish_schema(people.hq, write(folder, book.texts() | {"visit.toml": changed}))
    assert [fault["code"] for fault in found.value.facts["faults"]] == ["version_not_raised"]  # type: ignore[attr-defined]


def test_another_name_of_a_field_is_published(people: Cast, tmp_path: Path) -> None:
    """It reaches laptops like a label, without a new version of its form."""
    book, folder = Book(), tmp_path / "forms"
    good = book.texts()["visit.toml"]
    publish_schema(people.hq, write(folder, book.texts()))
    named = good.replace("[fields.q0]\n", '[fields.q0]\naliases = ["سؤال"]\n', 1)
    told = publish_schema(people.hq, write(folder, book.texts() | {"visit.toml": named}))
    assert [(one.type, one.what) for one in told.changes] == [("visit", "words_changed")]
    directly.sync(people.amal, people.hq)
    assert people.amal.schema.types["visit"].fields["q0"].aliases == ("سؤال",)


def test_a_field_name_is_never_reused(people: Cast, tmp_path: Path) -> None:
    """An old name must keep leading to its field, as commits under it may still arrive."""
    book = Book()
    publish_schema(people.hq, book.write(tmp_path / "forms"))
    book.rename(0)
    publish_schema(people.hq, book.write(tmp_path / "forms"))
    book.renamed.clear()
    book.version += 1
    with pytest.raises(errors.SchemaFaults) as found:
        publish_schema(people.hq, book.write(tmp_path / "forms"))
    assert {fault["code"] for fault in found.value.facts["faults"]} >= {"rename_dropped"}  # type: ignore[attr-defined]


def test_forms_are_published_only_by_an_admin_at_headquarters(people: Cast, tmp_path: Path) -> None:
    """A laptop cannot publish forms of its own."""
    folder = Book().write(tmp_path / "forms")
    with pytest.raises(errors.Usage):
        publish_schema(people.samar, folder)


def test_unreadable_newer_forms_do_not_stop_a_sync(people: Cast, tmp_path: Path) -> None:
    """Forms with keys that this version does not know: it keeps its own forms, reports that, and loses nothing."""
    record = save.add_record(people.amal, "household", Changes(set={"family_name": "أحمد"}), unit=JBL)
    texts = load.shipped_texts() | {
        "published.toml": "number = 1\n",
        HOUSEHOLD: "colour = 1\n" + load.shipped_texts()[HOUSEHOLD],
    }
    with people.hq.store.write() as tx:
        tx.settings.schema_texts = texts
        tx.settings.forms = node_setup.forms_mark(texts)
    before = people.amal.forms
    tally = directly.sync(people.amal, people.hq)
    assert (tally.refused, tally.differing, tally.forms) == (0, [], ())
    assert people.amal.forms == before
    assert rows(people.hq)[record].doc["family_name"] == "أحمد"
    assert "forms_unread" in status_facts.status(people.amal, "en").health


def test_a_server_that_lacks_the_dictionary_gets_plain_frames(own_office: Office, tmp_path: Path) -> None:
    """A laptop whose forms the server never had packs without a dictionary after one refusal and loses nothing."""
    office = own_office
    amal = office["amal"]
    with amal.store.write() as tx:
        schema_rollout.put_in_force(amal, tx, Book().texts() | {"published.toml": "number = 3\n"})
    save.add_record(amal, "visit", Changes(set={"q0": "x"}), unit=JBL)
    office.register("amal", 40)
    (told,) = office.sync("amal")
    assert (told.up.commits, told.refused, told.requests) == (41, 1, 2)
    (kept,) = queries.status(amal).refused
    assert kept["code"] == "unknown_type"
    publish_schema(office["hq"], Book().write(tmp_path / "forms"))
    (told,) = office.sync("amal")
    assert queries.status(amal).refused == []
