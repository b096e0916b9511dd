"""The alert rules in deploy/ ask for figures that a server has, with labels that they have; and a server says when it is not ready."""

import json
import re
from typing import Any

import msgspec
import yaml

from fieldsync import errors
from fieldsync.replica import save
from fieldsync.replica.changes import Changes
from fieldsync.server.app import ServerApp
from fieldsync.server.health import LEAST_FREE
from fieldsync.store.contract import record_key
from fieldsync.store.node_notes import BackupNote, RehearsalNote
from tests import directly
from tests.cast import JBL, ROOT
from tests.conftest import Cast
from tests.histories import DEVICES
from tests.server.test_fleet_metrics import answer, figures

RULES = ROOT / "deploy" / "alerts.yml"
_USED = re.compile(r"(fieldsync_\w+)(?:\{([^}]*)\})?")


def asked(app: ServerApp, path: str) -> tuple[int, dict[str, Any]]:
    """Return the status and the document that a server answers."""
    status, body = answer(app, path, "203.0.113.7")
    return status, json.loads(body)


def expressions() -> dict[str, str]:
    """Return the rules' expressions by the alerts' names."""
    (group,) = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    return {rule["alert"]: rule["expr"] for rule in group["rules"]}


def troubled(people: Cast) -> ServerApp:
    """Return a server that has all figures: a conflict, a quarantined commit, a refused request, backups."""
    family = save.add_record(
        people.amal, "household", Changes(set={"family_name": "Ahmad", "location": "Jableh"}), unit=JBL
    )
    for node in (people.amal, people.basim):
        directly.sync(node, people.hq)
    for node, place in ((people.amal, "Homs"), (people.basim, "Hama")):
        people.clock.tick(60_000)
        save.edit_record(node, family.hex(), Changes(set={"location": place}))
        directly.sync(node, people.hq)
    with people.hq.store.write() as tx:
        tx.quarantine_commit(DEVICES[0], 1, errors.DevicePending(), waits_for=[record_key(family)], at=people.clock())
        tx.settings.backup_note, tx.settings.rehearsal_note = BackupNote(people.clock()), RehearsalNote(people.clock())
    app = ServerApp(people.hq)
    app.metrics.refusals.labels("stale_nonce").inc()
    return app


def test_alerts_ask_for_figures_that_there_are(people: Cast) -> None:
    """Each figure, with each label's value, is among those that a server has."""
    told = figures(troubled(people), "127.0.0.1")
    names = {name.partition("{")[0] for name in told}
    for alert, expression in expressions().items():
        for name, labels in _USED.findall(expression):
            assert name in names, f"{alert}: {name}"
            for label, value in re.findall(r'(\w+)="([^"]*)"', labels):
                assert any(one.startswith(name) and f'{label}="{value}"' in one for one in told), (
                    f"{alert}: {label}={value}"
                )
    assert told["fieldsync_open_conflicts"] == 1
    assert told["fieldsync_quarantine_oldest_timestamp_seconds"] == people.clock() / 1000
    assert len(expressions()) == len(set(expressions().values())) > 5


def test_a_server_that_takes_no_sync_is_not_ready(people: Cast) -> None:
    """A load balancer gives its requests to others; it goes on answering questions about its health."""
    app = ServerApp(people.hq)
    assert asked(app, "/ready") == (200, {"status": "ready", "protocol": 2})
    people.hq.environment = msgspec.structs.replace(people.hq.environment, free_bytes=lambda _: LEAST_FREE - 1)
    app = ServerApp(people.hq)
    status, answer = asked(app, "/ready")
    assert (status, answer["error"]["code"]) == (507, "disk_full")
    assert asked(app, "/health")[0] == 200
