"""Joining over unreliable connections, and rejoining a server restored from before the enrolment."""

from pathlib import Path

import pytest

from fieldsync import errors
from fieldsync.core import codes
from fieldsync.protocol import invites, join_server, sync_once
from fieldsync.replica import queries, save
from fieldsync.replica.changes import Changes
from fieldsync.server import administration
from fieldsync.topology import backups
from fieldsync.topology.device_summaries import ListedDevice
from tests import cast
from tests.cast import JBL, ServerProcess
from tests.conftest import Served
from tests.lines import Relay, closing

FAMILY = Changes(set={"family_name": "محمد", "location": "جبلة"})


def invited(served: Served, name: str, port: int | None = None) -> invites.Invite:
    """Return an invite for a case worker; with `port` it leads over a line of the test's."""
    invite = invites.parse_invite(administration.make_invite(served.hq, name, "caseworker", [JBL]).invite)
    if port is None:
        return invite
    return invites.Invite(f"https://127.0.0.1:{port}", *(getattr(invite, f) for f in invite.__struct_fields__[1:]))


def enrolled(served: Served, name: str) -> list[ListedDevice]:
    """Return the devices of a person at the headquarters."""
    return [one for one in administration.list_devices(served.hq) if one.person == name]


def test_an_interrupted_join_does_not_use_up_the_invite(served: Served, tmp_path: Path) -> None:
    """Huda's connection breaks after ever more bytes of the answer: the same invite still works, and enrols one device."""
    home = tmp_path / "huda"
    with closing(Relay(served.server.port)) as line:
        invite = invited(served, "Huda", line.port)
        lost = 0
        for limit in range(0, 60_000, 400):
            line.cut_down = limit
            try:
                join_server.join_server(invite, home, cast.fill, cast.unlock)
                break
            except errors.CutOff as cut:
                assert cut.facts["reason"] == "joining"
                lost += bool(enrolled(served, "Huda"))
                with pytest.raises(errors.NoStore) as caught:
                    cast.open_node(home)
                assert caught.value.facts["reason"] == "joining"
        assert lost > 3  # it was enrolled, and did not hear of it
        (device,) = enrolled(served, "Huda")
        line.whole()
        with pytest.raises(errors.InviteInvalid) as used:
            join_server.join_server(invite, tmp_path / "other", cast.fill)
        assert used.value.facts == {"reason": "used", "server": invite.address}
        huda = cast.open_node(home)
        assert (huda.letters, huda.device.hex()) == (device.device, device.id)
        save.add_record(huda, "household", FAMILY)
        assert sync_once.sync_once(huda).digest == "equal"
        huda.close()


def test_a_laptop_enrolled_after_the_backup_rejoins(served: Served, tmp_path: Path) -> None:
    """Headquarters is restored to before Huda joined: she rejoins with her letters and work, and no two records share a code."""
    backups.write_backup(served.hq, tmp_path / "hq.backup")
    join_server.join_server(invited(served, "Huda"), tmp_path / "huda", cast.fill)
    huda = cast.open_node(tmp_path / "huda")
    records = {save.add_record(huda, "household", FAMILY).hex() for _ in range(3)}
    sync_once.sync_once(huda)
    letters, device = huda.letters, huda.device
    served.server.stop()
    backups.restore_backup(tmp_path / "hq.backup", tmp_path / "again", cast.unlock)
    served.hq.close()
    served.hq = cast.open_node(tmp_path / "again")
    server = ServerProcess(tmp_path / "again", served.server.port)
    server.start()
    try:
        records.add(save.add_record(huda, "household", FAMILY).hex())
        with pytest.raises(errors.UnknownDevice):
            sync_once.sync_once(huda)
        join_server.join_server(invited(served, "Rana"), tmp_path / "rana", cast.fill)
        rana = cast.open_node(tmp_path / "rana")
        save.add_record(rana, "household", FAMILY)
        with pytest.raises(errors.StoreExists):  # another person's invite is not for this laptop
            join_server.join_server(invited(served, "Zahra"), tmp_path / "huda", cast.fill, cast.unlock)
        join_server.join_server(invited(served, "Huda"), tmp_path / "huda", cast.fill, cast.unlock)
        huda.close()
        huda = cast.open_node(tmp_path / "huda")
        assert (huda.letters, huda.device) == (letters, device)
        told = sync_once.sync_once(huda)
        assert (told.up.commits, told.refused, told.digest) == (4, 0, "equal")
        sync_once.sync_once(rana)
        sync_once.sync_once(huda)
        held = queries.list_records(served.hq, "household", limit=0)
        assert records <= {one.id.replace("-", "") for one in held}
        assert len({one.code for one in held}) == len(held) == 5
        assert rana.letters != letters
        with pytest.raises(errors.InviteInvalid) as known:  # there is nothing to bring back
            join_server.join_server(invited(served, "Huda"), tmp_path / "huda", cast.fill, cast.unlock)
        assert known.value.facts["reason"] == "enrolled"
        huda.close()
        rana.close()
    finally:
        server.stop()


def test_letters_of_a_rejoined_device_are_not_reassigned(served: Served, tmp_path: Path) -> None:
    """A server restored by copying files assigns Huda's letters elsewhere; once she has rejoined nobody else gets them."""
    with served.hq.store.write() as tx:
        from fieldsync.topology import device_letters

        before = tx.settings.next_letters
        tx.name_device(b"h" * 16, codes.letters_of(before), "Huda")
        assert device_letters.take_next(tx)[0] == codes.letters_of(before + 1)
        tx.enrol_device(b"r" * 16, b"k" * 32, codes.letters_of(before), "Rana", [], 1, b"")
        tx.enrol_device(b"h" * 16, b"k" * 32, codes.letters_of(before), "Huda", [], 1, b"")
        assert tx.letters_twice() == [codes.letters_of(before)]
