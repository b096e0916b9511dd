"""The fleet in /metrics: counts for everybody, each device by its letters on the server itself, the store read seldom."""

import asyncio

from fieldsync.core import stamp
from fieldsync.core.version import VERSION
from fieldsync.server.app import ServerApp
from fieldsync.server.fleet_metrics import FRESH, FleetFigures, WaitingWork
from fieldsync.store.node_notes import BackupNote, RehearsalNote
from fieldsync.topology.fleet import DAY_MS, NEEDS, FleetDevice, list_fleet
from tests import directly
from tests.cast import Clock
from tests.conftest import Cast

STRANGER = "203.0.113.7"


def answer(app: ServerApp, path: str, host: str) -> tuple[int, bytes]:
    """Return the status and the body of what a server answers somebody at an address."""
    said: list[bytes] = []
    status = 0
    scope = {
        "type": "http", "method": "GET", "path": path, "query_string": b"", "headers": [], "client": (host, 9),
        "http_version": "1.1", "scheme": "https", "server": ("hq", 1), "root_path": "",
    }  # fmt: skip

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, object]) -> None:
        nonlocal status
        status = int(message.get("status", status))  # type: ignore[call-overload]
        body = message.get("body")
        if isinstance(body, bytes):
            said.append(body)

    asyncio.run(app.asgi(scope, receive, send))  # type: ignore[arg-type]
    return status, b"".join(said)


def figures(app: ServerApp, host: str) -> dict[str, float]:
    """Return what /metrics tells somebody at an address."""
    _, said = answer(app, "/metrics", host)
    lines = [line.rpartition(" ") for line in said.decode().splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in lines}


def test_strangers_are_told_how_many_and_never_which(people: Cast) -> None:
    """Basim's clock is wrong: one laptop of three needs somebody for that; which one is told on the server itself only."""
    for node in people.laptops:
        directly.sync(node, people.hq)
    people.basim.clock = Clock(people.clock() - DAY_MS)
    directly.sync(people.basim, people.hq)
    with people.hq.store.write() as tx:
        tx.settings.backup_note = BackupNote(people.clock() - DAY_MS, "disk_full", people.clock())
        tx.settings.rehearsal_note = RehearsalNote(people.clock())
    told = figures(ServerApp(people.hq), STRANGER)
    assert told['fieldsync_fleet_devices{kind="laptop"}'] == 3
    assert told['fieldsync_fleet_needs{kind="laptop",need="clock"}'] == 1
    assert told['fieldsync_fleet_needs{kind="branch",need="late"}'] == 0
    assert sum(name.startswith("fieldsync_fleet_needs") for name in told) == 3 * len(NEEDS)
    assert told["fieldsync_backup_timestamp_seconds"] == (people.clock() - DAY_MS) / 1000
    assert (told["fieldsync_backup_failed"], told["fieldsync_rehearsal_failed"]) == (1, 0)
    assert told["fieldsync_disk_free_bytes"] > 0
    assert not any("device=" in name for name in told)
    here = figures(ServerApp(people.hq), "127.0.0.1")
    device = f'device="{people.basim.letters}",kind="laptop"'
    assert here[f"fieldsync_device_clock_skew_seconds{{{device}}}"] == -DAY_MS / 1000
    assert here[f"fieldsync_device_last_sync_timestamp_seconds{{{device}}}"] == people.clock() / 1000
    assert here[f'fieldsync_device_info{{{device},version="{VERSION}"}}'] == 1
    assert f"fieldsync_device_backup_timestamp_seconds{{{device}}}" not in here
    assert here.keys() > told.keys()
    text = " ".join(here)
    for secret in (people.basim.person, "JBL", people.basim.device.hex()):
        assert secret not in text


def test_the_fleet_is_looked_at_seldom(people: Cast) -> None:
    """A thousand questions within five seconds are one look; then there is another one."""
    now, looks = [0.0], []

    def look() -> tuple[list[FleetDevice], WaitingWork]:
        looks.append(now[0])
        return list_fleet(people.hq), WaitingWork(0, None)

    fleet = FleetFigures(look, lambda: now[0])
    assert len({fleet.to_text(each=False) for _ in range(20)}) == 1
    now[0] = FRESH
    fleet.to_text(each=True)
    assert looks == [0.0, FRESH]


def test_status_tells_of_backups(people: Cast) -> None:
    """`status` of a server and of a laptop: when the last one was, and what is wrong with it."""
    from fieldsync.ui.views import status_facts

    assert "backup" not in status_facts.status(people.amal, "en").health
    with people.hq.store.write() as tx:
        tx.settings.backup_note = BackupNote(people.clock(), "disk_full", people.clock())
        tx.settings.rehearsal_note = RehearsalNote(people.clock(), "store_damaged")
    found = status_facts.status(people.hq, "en")
    at = stamp.stamp_text(people.clock() << stamp.COUNTER_BITS)
    assert found.backup == status_facts.BackupState(at, "disk_full", at, "store_damaged")
    assert {"backup_failed", "backup_damaged"} <= set(found.health)
