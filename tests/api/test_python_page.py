"""The Python API matches its page, on a laptop with a server; nothing is loaded before use."""

import ast
import datetime
import doctest
import subprocess
import sys
from pathlib import Path

import pytest

import fieldsync
from fieldsync import errors
from fieldsync.crypto.slots import MEMORY, Slots
from tests.cast import ROOT, SECRET, unlock
from tests.conftest import Cast, Served

PASSPHRASE = "correct horse"


def _with_passphrase(home: Path) -> Path:
    slots = Slots.from_bytes((home / "slots.json").read_bytes())
    slots.add_passphrase(unlock(slots), PASSPHRASE, memory=MEMORY.start)
    (home / "slots.json").write_bytes(slots.to_bytes())
    return home


def test_the_examples_on_the_page(served: Served) -> None:
    """Each example prints the output on the page."""
    served.amal.close()
    page = (ROOT / "docs/python.md").read_text("utf-8").replace("```pycon\n", "").replace("```\n", "")
    examples = doctest.DocTestParser().get_doctest(
        page, {"home": _with_passphrase(served.home / "amal")}, "python.md", "docs/python.md", 0
    )
    assert len(examples.examples) > 10
    said: list[str] = []
    result = doctest.DocTestRunner(verbose=False).run(examples, out=said.append)
    assert result.failed == 0, "".join(said)


def test_values_are_read_as_in_forms(people: Cast) -> None:
    """A date, a code for a reference and a set's list mean the same as at the keyboard; a set's list replaces its members."""
    people.amal.close()
    with fieldsync.open(people.home / "amal", key_file=SECRET) as session:
        home = session.add("household", {"family_name": "العلي", "phones": ["0933123456", "0944123456"]})
        person = session.add(
            "person",
            {"household": home.code, "given": "سمير", "family": "العلي", "birth_date": datetime.date(1990, 5, 1)},
            note="register",
        )
        assert person.fields["household"] == home.id
        assert person.fields["birth_date"] == "1990-05-01"
        fewer = session.edit(home.id, {"phones": ["0944123456"]})
        assert len(fewer.fields["phones"]) == 1
        assert [one.id for one in session.list("person", {"household": home.code})] == [person.id]
        with pytest.raises(errors.NoContact):
            session.sync()


def test_a_closed_session_releases_the_store(people: Cast) -> None:
    """Also after an error; without a secret nothing opens."""
    people.amal.close()
    home = people.home / "amal"
    with pytest.raises(errors.NoRecord), fieldsync.open(home, key_file=SECRET) as session:
        session.show("JBL-A-99")
    fieldsync.open(home, key_file=SECRET).close()
    with pytest.raises(errors.NoSecret):
        fieldsync.open(home)


def test_importing_the_package_loads_nothing_of_it() -> None:
    """Commands start fast; only users of the API pay for it."""
    shown = "import fieldsync, sys; print([m for m in sys.modules if m.startswith('fieldsync.')]); fieldsync.open"
    done = subprocess.run(
        [sys.executable, "-c", shown], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    assert (done.stdout, done.stderr) == ("[]\n", "")


GIVEN_BY_THE_API = {
    "fieldsync.replica.queries",
    "fieldsync.replica.save",
    "fieldsync.replica.transfer",
    "fieldsync.protocol.retry",
}
OTHER_USES = {
    "join": {"fieldsync.replica.queries"},  # who this laptop is now
    "review": {"fieldsync.replica.queries"},  # which conflicts, by values as they are stored
    "sync": {"fieldsync.replica.queries"},  # the name of the server, while it does not answer
    "sync_watch": {"fieldsync.protocol.retry"},  # how long to wait; it is given what syncs
}


@pytest.mark.parametrize("name", sorted(one.stem for one in (ROOT / "fieldsync/commands").glob("*.py")))
def test_commands_use_the_api_only(name: str) -> None:
    """Scripts can do everything with records, sync and bundles that commands do."""
    tree = ast.parse((ROOT / f"fieldsync/commands/{name}.py").read_text("utf-8"))
    imported = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported |= {one.name for one in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported |= {str(node.module), *(f"{node.module}.{one.name}" for one in node.names)}
    assert imported & GIVEN_BY_THE_API <= OTHER_USES.get(name, set())
