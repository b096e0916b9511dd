"""Report tables beside a database agree with the records: those of a copy in a file are counted one by one."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fieldsync import errors
from fieldsync.replica import save, transfer
from fieldsync.replica.node import Node
from fieldsync.topology import backups
from tests import cast
from tests.cast import JBL, QRD
from tests.reports.desk import Desk
from tests.reports.test_sheets import SHOWN, by_sheets, plainly
from tests.scale import examples

pytestmark = pytest.mark.parametrize("headquarters_store", ["postgresql"], indirect=True)
STEPS = st.lists(
    st.tuples(st.sampled_from(("person", "home", "edit", "move", "remove", "merge", "look")), st.integers(0, 30)),
    min_size=6, max_size=12,
)  # fmt: skip


@given(STEPS)
@examples(2)
def test_tables_beside_a_database_follow_all_changes(
    cast_template: Path, tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int]]
) -> None:
    """Records added, edited, moved, withdrawn and merged, with reports in between; a table that is behind catches up."""
    home = tmp_path_factory.mktemp("tables")
    cast.copy_cast(cast_template, home)
    node = cast.open_node(home / "hq", cast.Clock())
    desk = Desk(node)
    homes = [desk.add("household", JBL, family_name="الحسن")]
    people = [desk.add("person", given="مريم", sex="f", household=homes[0]) for _ in range(2)]
    for number, (what, which) in enumerate([*steps, ("look", 0)]):
        home_, person = homes[which % len(homes)], people[which % len(people)]
        if what == "home":
            homes.append(desk.add("household", (JBL, QRD)[which % 2], family_name="العلي", registered_on="2020-01-01"))
        elif what == "person":
            people.append(desk.add("person", given="سلمى", sex="fm"[which % 2], household=home_))
        elif what == "move":
            transfer.transfer_record(node, home_, (JBL, QRD)[which % 2])
        elif what == "look":
            compare(node, home / f"copy {number}")
        else:
            change(node, desk, what, person, people[0])
    node.close()


def change(node: Node, desk: Desk, what: str, person: str, other: str) -> None:
    """Edit, withdraw or merge somebody; who is withdrawn already stays so."""
    try:
        if what == "edit":
            desk.edit(person, birth_date="1990-01-01")
        elif what == "remove":
            save.remove_record(node, person, "خطأ")
        elif person != other:
            desk.merge(person, other)
    except errors.FieldsyncError:
        return


def compare(node: Node, folder: Path) -> None:
    """Compare each report with one that is counted from the records of a copy."""
    copy = folder.with_suffix(".backup")
    backups.write_backup(node, copy)
    backups.restore_backup(copy, folder, cast.unlock)
    counted = cast.open_node(folder, cast.Clock())
    for name in SHOWN:
        for unit in (None, QRD):
            plain = plainly(counted, name, unit)
            assert by_sheets(node, name, unit) == [
                tuple(round(v, 1) if isinstance(v, float) else v for v in row) for row in plain
            ]
    counted.close()
