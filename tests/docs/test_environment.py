"""Time, randomness, waiting, free space and threads are arguments: only the modules listed here take them from the operating system."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cast import ROOT

PACKAGE = ROOT / "fieldsync"
MODULES = {
    "concurrent.futures", "multiprocessing", "random", "sched", "secrets", "starlette.concurrency", "tempfile", "threading",
    "time", "uuid",
}  # fmt: skip
HARMLESS = {"threading.Lock", "threading.RLock", "threading.local", "uuid.UUID"}  # decide nothing by themselves
CALLS = {
    "asyncio.sleep", "asyncio.to_thread", "os.urandom", "os.getrandom", "x509.random_serial_number", "to_thread.run_sync",
    "shutil.disk_usage", "os.statvfs", "datetime.now", "datetime.utcnow", "datetime.today", "date.today",
}  # fmt: skip
GENERATES = {"Identity.generate", "Ed25519PrivateKey.generate", "ec.generate_private_key", "rsa.generate_private_key"}
TAKERS = {
    "DeviceKey.generate", "age.new_identity", "Slots.create", "create_store", "init_server", "join_server.join_server", "open_node",
    "open_report_reader", "restore_backup",
}  # fmt: skip
"""Functions that take the computer's environment where they are handed none: for commands, tests and others' programs."""

OWN = {
    "environment.py": "the one place",
    "agent/process.py": "`unlock` keeps a key for some hours of this computer",
    "api.py": "opens a store for a program, on its computer",
    "authority/backup_rehearsal.py": "a folder's name",
    "commands/backup.py": "a command, which makes a store",
    "commands/device_locks.py": "a command, before its store is open",
    "commands/doctor.py": "a command, which looks at this computer's clock",
    "commands/join.py": "a command",
    "commands/server.py": "a command",
    "commands/__init__.py": "opens a store for a command",
    "commands/support/completion.py": "opens a store for a command",
    "commands/support/secrets.py": "offers a person words for a passphrase",
    "commands/upstream.py": "a command, before its store is open",
    "crypto/age.py": "a temporary file's name",
    "crypto/keys.py": "the TLS certificate, which no record depends on",
    "protocol/prefetch.py": "threads only where the environment has them",
    "server/backup_timer.py": "a thread that calls `look` in a running server",
    "server/event_log.py": "writes what threads of a running server raise",
    "server/execution.py": "what ServerApp takes where it is handed nothing else",
    "server/http_server.py": "the TLS library reads its key from a file",
    "server/shared_levels.py": "a table for processes of this computer",
    "server/shared_metrics.py": "a folder for processes of this computer",
    "server/worker_processes.py": "looks after processes of this computer",
    "store/sqlite/encryption.py": "finds out what an I/O error of the disk means",
    "ui/review/bulk.py": "a screen's loop",
    "ui/review/deciding.py": "a screen's loop",
    "ui/review/review_screen.py": "a screen's loop",
    "ui/terminal/output.py": "a progress bar shows after a while",
    "exchange/tables/plain_values.py": "a spreadsheet for a person at this computer",
    "ui/views/record_card.py": "shows times to a person at this computer",
    "ui/widgets/full_screen_app.py": "a screen's loop",
}
"""Modules that take from the operating system, each with its reason; so does all of `demo`."""


def _defaults(tree: ast.AST) -> Iterator[ast.AST]:
    for node in ast.walk(tree):
        if isinstance(node, ast.arguments):
            yield from (one for one in (*node.defaults, *node.kw_defaults) if one is not None)
        elif isinstance(node, ast.ClassDef):
            yield from (one.value for one in node.body if isinstance(one, ast.AnnAssign) and one.value is not None)


def taken(source: str) -> set[str]:
    """Return what a module takes from the operating system, by its names."""
    tree = ast.parse(source)
    bound = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            bound |= {one.asname or one.name: one.name for one in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            bound |= {one.asname or one.name: f"{node.module}.{one.name}" for one in node.names}
    default = {id(one) for found in _defaults(tree) for one in ast.walk(found)}
    used = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and bound.get(node.id, "").rpartition(".")[0] in MODULES:
            used.add(bound[node.id])
        if isinstance(node, ast.Name) and bound.get(node.id) == "fieldsync.environment.SYSTEM" and id(node) not in default:
            used.add("SYSTEM")
        if isinstance(node, ast.Attribute):
            said = ast.unparse(node)
            base = said.rpartition(".")[0]
            if bound.get(base) in MODULES:
                used.add(f"{bound[base]}.{node.attr}")
            if any(f".{said}".endswith(f".{one}") for one in CALLS | GENERATES):
                used.add(said)
        if isinstance(node, ast.Call):
            called = f".{ast.unparse(node.func)}"
            if called.endswith(".astimezone") and not node.args and not node.keywords:
                used.add(called[1:])
            handed = " ".join(ast.unparse(one) for one in (*node.args, *(one.value for one in node.keywords)))
            if any(called.endswith(f".{one}") for one in TAKERS) and "environment" not in handed:
                used.add(called[1:])
    return used - HARMLESS


def _all_taken() -> dict[str, set[str]]:
    files = {file.relative_to(PACKAGE).as_posix(): file for file in sorted(PACKAGE.rglob("*.py"))}
    found = {name: taken(file.read_text("utf-8")) for name, file in files.items() if not name.startswith("demo/")}
    return {name: used for name, used in found.items() if used}


def test_only_listed_modules_take_time_randomness_and_threads_from_the_system() -> None:
    """A simulation hands in its own `Environment` and `Execution`, and finds nothing else to replace."""
    assert {name: used for name, used in _all_taken().items() if name not in OWN} == {}


def test_every_listed_module_still_takes_something() -> None:
    """A line that is not needed any more would hide what comes next."""
    assert OWN.keys() - _all_taken().keys() == set()


@pytest.mark.parametrize(
    "line",
    [
        "import time\ntime.time_ns()",
        "from time import monotonic as now\nnow()",
        "import random\nf(chance=random.random)",
        "import secrets\nsecrets.token_bytes(4)",
        "import threading\nthreading.Thread(target=f)",
        "import asyncio\nasyncio.sleep(2)",
        "from anyio import to_thread\nto_thread.run_sync(f)",
        "from starlette.concurrency import run_in_threadpool\nrun_in_threadpool(f)",
        "import datetime as dt\ndt.datetime.now(dt.UTC)",
        "moment.astimezone()",
        "import os\nos.urandom(4)",
        "import uuid\nuuid.uuid4()",
        "from fieldsync.environment import SYSTEM\nSYSTEM.random_bytes(4)",
        "DeviceKey.generate()",
        "nodes.open_node(home, unlock)",
    ],
)
def test_the_check_finds(line: str) -> None:
    """Each way to the system's time, randomness and threads is found."""
    assert taken(line)


def test_locks_and_defaults_are_allowed() -> None:
    """Also where a function takes the computer's environment by default."""
    assert taken("import threading\nthreading.RLock()") == set()
    assert taken("from fieldsync.environment import SYSTEM\ndef f(environment=SYSTEM): ...") == set()
    assert taken("DeviceKey.generate(node.environment)") == set()
