"""A branch's link to its upstream: the nightly sync, and the timer that starts it."""

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from msgspec import UNSET, Struct, UnsetType

from fieldsync import errors
from fieldsync.authority import schema_rollout
from fieldsync.core.grants import BRANCH, Grant, covering_grant, grants_of_pairs
from fieldsync.crypto import age
from fieldsync.protocol import join_server
from fieldsync.protocol.invites import Invite
from fieldsync.replica import protocol_versions
from fieldsync.replica.node import Node
from fieldsync.schema.text_cleaning import plain_digits
from fieldsync.store import ReadTx
from fieldsync.store.contract import KnownServer
from fieldsync.topology.trust import register as trust_register
from fieldsync.wire import messages

DELAY_MINUTES = 45
_NAME = "fieldsync-upstream"


class Attached(Struct, frozen=True):
    """A server that became a branch of another.

    server: the upstream server's name.
    address: the upstream server's address.
    units: the branch's units.
    device: the letters that this server's own records have in their codes.
    """

    server: str
    address: str
    units: list[str]
    device: str


class Schedule(Struct, frozen=True):
    """An automatic nightly sync with the upstream server.

    at: the time of day, HH:MM.
    delay_minutes: the maximum random delay in minutes.
    files: the systemd units that were written.
    cron: the line of the crontab, without systemd.
    active: whether it is enabled; if not, it must be enabled by hand.
    user: whether the systemd units are user units; absent without systemd.
    """

    at: str
    delay_minutes: int
    files: list[str]
    cron: str | None
    active: bool
    user: bool | UnsetType = UNSET


def attach_branch(node: Node, invite: Invite) -> Attached:
    """Make this server a branch of the inviting one. UnitRefused, RoleRefused, InviteInvalid, NoContact.

    It keeps its own key; its forms become those from above, and its devices get letters that no other server gives.
    Where its upstream server was restored and has lost it, an invite of that server brings it back.
    """
    if not invite.grants or any(role != BRANCH for _, role in invite.grants):
        raise errors.RoleRefused(role=", ".join(role for _, role in invite.grants), needs=[BRANCH])
    offered = tuple(Grant(unit, role) for unit, role in invite.grants)
    for unit in node.units:
        if covering_grant(offered, unit) is None:
            raise errors.UnitRefused(unit=unit)
    with node.store.read() as tx:
        again = _is_lost_by(tx, invite)
        if tx.settings.upstream is not None and not again:
            raise errors.Usage(reason="upstream_set")
        recipient, letters = age.public_recipient(tx.settings.age_identity), tx.settings.letters if again else ""
    joined = join_server.request_enrolment(invite, node.key, recipient, node.environment, letters)
    done = store_join(node, invite, joined.answer, again=again)
    with node.store.write() as tx:
        protocol_versions.remember_protocol(tx, joined.answer.server, joined.protocol)
    return done


def _is_lost_by(tx: ReadTx, invite: Invite) -> bool:
    """Return whether an invite is of the upstream server, which has told this branch that it does not know it."""
    above = next((one for one in tx.servers() if one.id == tx.settings.upstream), None)
    return above is not None and above.pin == invite.pin and tx.peer_settings(above.id).lost_enrolment


def store_join(node: Node, invite: Invite, told: messages.JoinAnswer, *, again: bool = False) -> Attached:
    """Store the upstream server's answer to this server's enrolment; `again`: forms and cursors are those from before."""
    name = told.server_name
    with node.store.write() as tx:
        tx.add_server(KnownServer(told.server, name, invite.address, invite.pin, told.nonce, again, None))
        tx.set_age(told.server, told.age)
        settings = tx.settings
        settings.upstream, settings.upstream_grants = told.server, grants_of_pairs(told.grants)
        settings.org, settings.letters, settings.next_letters = told.org, told.letters, told.lettered
        tx.set_letters(node.device, told.letters)
        tx.peer_settings(told.server).lost_enrolment = False
        if not again:
            trust_register.follow_organisation(tx, invite.organisation)
            schema_rollout.put_in_force(node, tx, told.schema)
    return Attached(name, invite.address, [unit for unit, _ in told.grants], told.letters)


def server_above(node: Node) -> KnownServer:
    """Return this branch's upstream server; NotFound."""
    with node.store.read() as tx:
        id_ = tx.settings.upstream
        found = next((server for server in tx.servers() if server.id == id_), None)
    if found is None:
        raise errors.NotFound(what="server", name="upstream", reason="upstream")
    return found


def schedule_sync(node: Node, at: str, key_file: str) -> Schedule:
    """Schedule a nightly sync at HH:MM with a random delay; return the files written.

    A systemd timer where systemd runs (the user's own, unless root), a cron line elsewhere. Usage.
    """
    at = time_of_day(at)
    hour, _, minute = at.partition(":")
    if not key_file:
        raise errors.Usage(reason="key_file")
    server_above(node)
    command = [*_program_command(), "--home", str(node.home.resolve()), "server", "upstream", "sync"]
    key = str(Path(key_file).resolve())
    if Path("/run/systemd/system").is_dir():
        return _schedule_timer(command, at, key)
    return _schedule_cron(command, int(hour), int(minute), key)


def time_of_day(text: str) -> str:
    """Return a time of day as HH:MM; Usage."""
    hour, _, minute = plain_digits(text).partition(":")
    if not (hour.isdecimal() and minute.isdecimal() and int(hour) < 24 and int(minute) < 60 and len(minute) == 2):
        raise errors.Usage(reason="time_of_day")
    return f"{int(hour):02}:{minute}"


def _program_command() -> list[str]:
    """Return the command that starts this program from any directory."""
    beside = Path(sys.executable).with_name("fieldsync")
    return [str(beside)] if beside.is_file() else [sys.executable, "-m", "fieldsync"]


def service_text(command: list[str], key: str) -> str:
    """Return the unit of one sync; in it `%` and `"` mean something, and words are parted by spaces."""

    def word(text: str) -> str:
        quoted = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
        return f'"{quoted}"'

    start = " ".join(word(one).replace("$", "$$") for one in command)
    return (
        "[Unit]\nDescription=Fieldsync: sync with the server above\nWants=network-online.target\nAfter=network-online.target\n\n"
        f"[Service]\nType=oneshot\nEnvironment={word(f'FIELDSYNC_KEY_FILE={key}')}\nExecStart={start}\n"
    )


def cron_line(command: list[str], hour: int, minute: int, key: str) -> str:
    """Return the line of a crontab, in which a bare `%` ends the command."""
    run = f"FIELDSYNC_KEY_FILE={shlex.quote(key)} {shlex.join(command)} --delay {DELAY_MINUTES}"
    return f"{minute} {hour} * * * {run.replace('%', chr(92) + '%')} # {_NAME}"


def _schedule_timer(command: list[str], at: str, key: str) -> Schedule:
    root = os.geteuid() == 0
    folder = Path("/etc/systemd/system") if root else Path.home() / ".config/systemd/user"
    folder.mkdir(parents=True, exist_ok=True)
    service = folder / f"{_NAME}.service"
    timer = folder / f"{_NAME}.timer"
    service.write_text(service_text(command, key), encoding="utf-8")
    timer.write_text(
        "[Unit]\nDescription=Fieldsync: every night\n\n"
        f"[Timer]\nOnCalendar=*-*-* {at}:00\nRandomizedDelaySec={DELAY_MINUTES}min\nPersistent=true\n\n"
        "[Install]\nWantedBy=timers.target\n",
        encoding="utf-8",
    )
    control = ["systemctl"] if root else ["systemctl", "--user"]
    subprocess.run([*control, "daemon-reload"], check=False, capture_output=True)  # noqa: S603 - our own words
    started = subprocess.run([*control, "enable", "--now", timer.name], check=False, capture_output=True)  # noqa: S603
    files = [str(service), str(timer)]
    return Schedule(at, DELAY_MINUTES, files, cron=None, active=not started.returncode, user=not root)


def _schedule_cron(command: list[str], hour: int, minute: int, key: str) -> Schedule:
    line = cron_line(command, hour, minute, key)
    active = False
    crontab = shutil.which("crontab")
    if crontab is not None:
        now = subprocess.run([crontab, "-l"], check=False, capture_output=True, text=True).stdout  # noqa: S603
        kept = [one for one in now.splitlines() if not one.endswith(f"# {_NAME}")]
        told = subprocess.run([crontab, "-"], check=False, input="\n".join([*kept, line, ""]), text=True)  # noqa: S603
        active = not told.returncode
    return Schedule(f"{hour:02}:{minute:02}", DELAY_MINUTES, [], cron=line, active=active)
