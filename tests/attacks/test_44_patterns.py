"""A form's pattern that would keep a backtracking matcher busy for years has no effect on a laptop or the server."""

import time
from pathlib import Path

from fieldsync.replica import queries, save
from fieldsync.replica.changes import Changes
from fieldsync.schema import load
from tests.formbook import write as write_forms
from tests.lines import get
from tests.offices import Office, write

LETTERS = "a" * 40 + "!"
ADDRESS = "[fields.address]\n"


def test_a_pattern_cannot_hang_a_laptop_or_the_server(own_office: Office, tmp_path: Path) -> None:
    """An admin publishes `(a+)+x`; Amal types forty letters, and a foreign program sends them unasked."""
    office = own_office
    texts = load.shipped_texts()
    form = texts["household.toml"].replace("version = 1", "version = 2", 1)
    texts["household.toml"] = form.replace(ADDRESS, f"{ADDRESS}pattern = '(a+)+x'\n", 1)
    folder = write_forms(tmp_path / "forms", texts)
    assert office.json("hq", "schema", "publish", str(folder))["published"]
    office.sync("amal")
    amal = office["amal"]
    started = time.monotonic()
    typed = office.run("amal", "add", "household", "--set", "family_name=أحمد", "--set", f"address={LETTERS}", "--json")
    assert (typed.returncode, "illegal_value" in typed.stdout) == (3, True)
    home = save.add_record(amal, "household", Changes(set={"family_name": "أحمد", "address": "aax"}))
    write(amal, home, {"address": LETTERS}, form=amal.schema.type("household").version)
    (synced,) = office.sync("amal")
    assert synced.refused == 1
    assert [one["code"] for one in queries.status(amal).refused] == ["illegal_value"]
    assert get(office.port, "/health").status == 200
    assert time.monotonic() - started < 20
    assert office.server.stop() == 0, "it still minds SIGTERM"


def test_a_pattern_without_linear_time_is_not_published(own_office: Office, tmp_path: Path) -> None:
    """`schema check` and `publish` name the line; headquarters and laptops keep their previous forms."""
    office = own_office
    texts = load.shipped_texts()
    form = texts["household.toml"].replace("version = 1", "version = 2", 1)
    texts["household.toml"] = form.replace(ADDRESS, f"{ADDRESS}pattern = '(?=(a+)+x)a*'\n", 1)
    line = texts["household.toml"][: texts["household.toml"].index("pattern = '(?=")].count("\n") + 1
    folder = write_forms(tmp_path / "forms", texts)
    for words in (("check",), ("publish",)):
        done = office.run("hq", "schema", *words, str(folder))
        assert done.returncode == 3
        assert f"household.toml:{line}: the pattern is not valid" in done.stderr
    assert office.sync("amal")[0].forms == []
