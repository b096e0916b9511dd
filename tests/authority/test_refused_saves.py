"""Refused saves on a laptop: listed with the reason, cleared by their author, and listed again for a new reason."""

import pytest

from fieldsync import errors
from fieldsync.authority import refused_saves
from fieldsync.core import record_ids
from fieldsync.replica import commit_writer, lookup, queries, save
from fieldsync.replica.changes import Changes
from tests.conftest import Cast
from tests.directly import sync


def refused(people: Cast) -> str:
    """A caseworker merges two families by hand, which her role may not; return the save's name."""
    amal = people.amal
    one, other = (save.add_record(amal, "household", Changes(set={"family_name": name})) for name in ("علي", "حسن"))
    with amal.store.write() as tx:
        row = lookup.find_row(tx, other.hex())
        kind = amal.schema.types["household"]
        commit_writer.commit_drafts(amal, tx, [save.draft_edit(amal, row, kind, {"_same_as": record_ids.id_text(one)})])
    sync(amal, people.hq)
    (found,) = refused_saves.list_refused(amal)
    assert (found.code, found.named) == ("role_refused", queries.show(amal, other.hex()).code)
    return found.save


def test_refused_saves_are_listed_until_cleared(people: Cast) -> None:
    """`status` counts refused saves until they are cleared; the save and the server's reason stay."""
    name = refused(people)
    assert len(queries.status(people.amal).refused) == 1
    with pytest.raises(errors.NotFound):
        refused_saves.clear_refused(people.amal, ["AK:999"])
    done = refused_saves.clear_refused(people.amal, [name])
    assert (done.cleared, done.left) == ([name], 0)
    assert refused_saves.list_refused(people.amal) == queries.status(people.amal).refused == []
    with people.amal.store.read() as tx:
        assert len(tx.refusals(people.amal.device)) == 1
    sync(people.amal, people.hq)
    assert refused_saves.list_refused(people.amal) == []


def test_a_cleared_save_is_listed_again_for_a_new_reason(people: Cast) -> None:
    """Clearing applies to the reason that was read; a later reason is listed anew."""
    refused(people)
    assert refused_saves.clear_refused(people.amal).left == 0
    with people.amal.store.write() as tx:
        ((seq, _, _),) = tx.refusals(people.amal.device)
        tx.quarantine_commit(people.amal.device, seq, errors.Dropped())
    (found,) = refused_saves.list_refused(people.amal)
    assert found.code == "dropped"
