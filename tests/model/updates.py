"""Updates: a node has worked with a program whose tables end at an earlier step, and opens its store with today's."""

import random

from fieldsync import errors
from fieldsync.store.sqlite import migrations
from tests.model import vfs
from tests.model.operations import Arguments, operation
from tests.model.world import Broken, World

UNDONE = {
    12: (
        "DROP TABLE trust_entry",
        "DROP TABLE trust_proposal",
        "DELETE FROM meta WHERE key IN ('organisation', 'register_head', 'headquarters_key', 'admin_key', 'certified')",
        "DELETE FROM meta WHERE key LIKE 'register %'",
    ),
    11: ("DROP TABLE lease",),
    10: (
        "DROP TABLE contacted",
        "DROP INDEX device_by_arrival",
        "DROP INDEX device_by_letters",
        "DROP INDEX device_with_commits",
        "DROP INDEX device_branch",
        "DROP INDEX peer_with_hello",
    ),
    9: (),
}
"""What takes a step's tables away again; of the steps before, some keep what an older program does not know."""


def _choose_update(world: World, chance: random.Random) -> Arguments | None:
    if not vfs.is_available():
        return None
    changes = chance.choice((None, chance.randrange(1, 12), chance.randrange(1, 60)))
    who, migration = chance.choice(sorted(world.nodes)), chance.choice(sorted(UNDONE))
    return {"who": who, "migration": migration, "changes": changes, "luck": chance.randrange(1 << 31)}


@operation(
    0.7,
    "disk",
    "{who} is updated from a program without migration {migration}; the power fails with write {changes}",
    _choose_update,
)
def update(world: World, who: str, migration: int, changes: int | None, luck: int) -> None:
    """A store of an earlier step is opened; where the power fails meanwhile, it is opened again."""
    node, disk, folder = world.nodes[who], world.disks[who], world.folders[who]
    with node.store.write() as tx:
        for number in range(migrations.LATEST, migration - 1, -1):
            for statement in UNDONE[number]:
                tx.sql(statement)
            tx.sql("DELETE FROM _sqlite_migrations WHERE name LIKE ?", (f"{number:04}%",))
        tx.sql(f"PRAGMA user_version = {migration - 1}")
    held = {identity for identity, names in world.ledger.holders.items() if who in names}
    node.close()
    if changes is not None:
        disk.fail_after(changes)
    try:
        world.open(who, folder)
    except errors.FieldsyncError:
        if not disk.off:
            raise
    if changes is not None:
        into = world.home / f"{who} after step {world.step}"
        disk.power_loss(into, random.Random(luck))
        world.replace(who, into)
    if any(who not in world.ledger.holders[one] for one in held):
        raise Broken("power", f"an update of {who} took saves from it")
