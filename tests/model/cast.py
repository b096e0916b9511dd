"""The people and servers of the histories, founded once for each process and copied for each history."""

import atexit
import base64
import datetime
import functools
import hashlib
import random
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from msgspec import structs

from fieldsync.environment import Environment
from fieldsync.protocol.sync_once import sync_once
from fieldsync.replica import save
from fieldsync.replica.changes import Changes, NewRecord
from fieldsync.server import administration
from tests.cast import fill, join_directly, open_node
from tests.model.forms import Book
from tests.model.network import Network
from tests.model.oracle.fields import SHELTER
from tests.model.trace import Trace
from tests.tree import enrol_branch

DAMASCUS = datetime.timezone(datetime.timedelta(hours=3))
FREE = 64 << 30  # bytes on every disk
BEGIN = 1_793_607_300_000  # milliseconds since 1970: when every history begins
HQ, JBL, QRD, HFA, SLN, PARTNER_UNIT = "LAT", "LAT/JBL", "LAT/QRD", "LAT/HFA", "LAT/SLN", "LAT/ALBIR"
BRANCHES = {"jbl": JBL, "qrd": QRD, "hfa": HFA, "sln": SLN}
SERVERS = ("hq", *BRANCHES)
USUAL = ("jbl", "qrd")  # the branches that every history has; others come with their people
PEOPLE = {  # laptop: where it was enrolled, the role, the units
    "amal": ("jbl", "caseworker", (JBL,)),
    "basim": ("jbl", "caseworker", (JBL,)),
    "nadia": ("jbl", "supervisor", (JBL,)),
    "samar": ("qrd", "caseworker", (QRD,)),
    "dima": ("hq", "supervisor", (HQ,)),
    "omar": ("hq", "caseworker", (JBL, QRD)),
    "huda": ("hq", "partner", (PARTNER_UNIT,)),
    "rima": ("hfa", "caseworker", (HFA,)),
    "yusuf": ("hfa", "supervisor", (HFA,)),
    "layla": ("sln", "caseworker", (SLN,)),
    "karim": ("sln", "caseworker", (SLN,)),
    "salma": ("jbl", "caseworker", (JBL,)),
    "tarek": ("jbl", "caseworker", (JBL,)),
    "hala": ("qrd", "supervisor", (QRD,)),
    "ziad": ("qrd", "caseworker", (QRD,)),
    "maha": ("qrd", "caseworker", (QRD,)),
    "fadi": ("hfa", "caseworker", (HFA,)),
    "dalal": ("hfa", "caseworker", (HFA,)),
    "munir": ("sln", "supervisor", (SLN,)),
    "suad": ("sln", "caseworker", (SLN,)),
}

FIRST = {
    "shelter 1": JBL,
    "shelter 2": QRD,
    "shelter 3": JBL,
    "shelter in haffeh": HFA,
    "shelter in slenfeh": SLN,
}  # what everybody in whose units it is has from the beginning


def record_id(seed: object, label: str, now: int) -> bytes:
    """Return the id of the record that a script calls so: of its time, and the same in each run."""
    digest = hashlib.sha256(f"{seed} {label}".encode()).digest()
    return now.to_bytes(6, "big") + b"\x70" + digest[:1] + b"\x80" + digest[1:8]


def seeded(
    seed: str, clock: Callable[[], int] = lambda: BEGIN, sleep: Callable[[float], None] | None = None
) -> Environment:
    """Return an environment on a clock of the history's, without threads, whose keys and ids are the same for one seed.

    Without `sleep` nothing may wait.
    """
    chance = random.Random(seed)
    return Environment(
        clock,
        lambda: clock() / 1000,
        sleep or _no_sleep,
        chance.random,
        chance.randbytes,
        lambda _folder: FREE,
        threads=False,
        local_time=lambda milliseconds: datetime.datetime.fromtimestamp(milliseconds / 1000, DAMASCUS),
    )


def _no_sleep(seconds: float) -> None:
    raise AssertionError(f"something waits for {seconds} seconds")


def host(server: str) -> str:
    """Return under which host a server is reached."""
    return f"{server}.example"


@functools.cache
def template() -> Path:
    """Return a folder with all nodes, never opened again: to be copied."""
    home = Path(tempfile.mkdtemp(prefix="fieldsync-model-"))
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    texts = Book().texts()
    environment = seeded("template")
    for name, unit in {"hq": HQ, **BRANCHES}.items():
        administration.init_server(
            home / name,
            fill,
            administration.ServerPlan(org="Office", unit=unit, address=f"https://{host(name)}"),
            texts,
            environment=environment,
        )
        _forget_certificate(home / name, environment)
    for name, unit in BRANCHES.items():
        above, branch = open_node(home / "hq", environment=environment), open_node(home / name, environment=environment)
        enrol_branch(above, branch, unit)
        above.close()
        branch.close()
    for name, (server, role, units) in PEOPLE.items():
        node = open_node(home / server, environment=environment)
        join_directly(node, home / name, name, role, units)
        node.close()
    _begin(home, environment)
    return home


def _forget_certificate(home: Path, environment: Environment) -> None:
    """Put a text in the place of a server's certificate, whose signature is the library's own chance: here no TLS looks at it."""
    node = open_node(home, environment=environment)
    text = base64.b64encode(environment.random_bytes(32)).decode()
    with node.store.write() as tx:
        tx.settings.certificate = f"-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n".encode()
    node.close()


def _begin(home: Path, environment: Environment) -> None:
    """Have Dima register the first shelters, and everybody sync until they have them."""
    network = Network(lambda: BEGIN / 1000, lambda _seconds: None, Trace(keep=False))
    environment = structs.replace(environment, adapter=network.adapter)
    opened = {name: open_node(home / name, environment=environment) for name in (*SERVERS, *PEOPLE)}
    for name in SERVERS:
        network.serve(host(name), opened[name])
    for label, unit in FIRST.items():
        new = NewRecord(SHELTER, Changes(set={"name": "x", "place": "y"}), record_id("first", label, BEGIN))
        save.add_records(opened["dima"], [new], unit=unit)
    for _ in range(2):
        for name in ("dima", *BRANCHES, *PEOPLE):
            sync_once(opened[name])
    for node in opened.values():
        node.close()
