"""Joining by an invite: what people compare, and what a refused join leaves."""

from pathlib import Path

import pytest

from fieldsync import errors
from fieldsync.protocol import invites, join_server
from fieldsync.server import administration
from tests import cast
from tests.cast import JBL
from tests.conftest import Served


def test_a_fingerprint_is_shown_in_groups_of_four() -> None:
    """Half of it, in capitals, as it is read out over the telephone."""
    shown = invites.fingerprint_text(bytes(range(160, 192)))
    assert shown == "A0A1 A2A3 A4A5 A6A7 A8A9 AAAB ACAD AEAF"


@pytest.mark.parametrize("there", [False, True])
def test_a_refused_join_leaves_no_store(served: Served, tmp_path: Path, *, there: bool) -> None:
    """An invite that has expired: the folder is as before, and a good invite joins from it."""
    home = tmp_path / "huda"
    if there:
        home.mkdir()
        (home / "notes.txt").write_text("hers")
    expired, fresh = (
        invites.parse_invite(administration.make_invite(served.hq, "Huda", "caseworker", [JBL], hours=hours).invite)
        for hours in (-1, 1)
    )
    with pytest.raises(errors.InviteInvalid):
        join_server.join_server(expired, home, cast.fill)
    assert [one.name for one in tmp_path.glob("huda/*")] == ["notes.txt"] * there
    assert home.exists() is there
    join_server.join_server(fresh, home, cast.fill)
    huda = cast.open_node(home)
    assert huda.person == "Huda"
    huda.close()
