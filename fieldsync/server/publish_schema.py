"""Publishing forms at headquarters: compared with all earlier ones, then in force for everybody."""

from pathlib import Path

from msgspec import Struct, structs

from fieldsync import errors
from fieldsync.authority import form_texts, schema_recovery, schema_rollout
from fieldsync.core.grants import ADMIN
from fieldsync.replica import schema_history
from fieldsync.replica.node import Node
from fieldsync.schema import compatibility, load
from fieldsync.schema.compatibility import FormChange
from fieldsync.store import ReadTx


class PublishedForms(Struct, frozen=True):
    """The result of publishing forms, or of a dry run.

    number: the number of publications, including this one.
    published: false in a dry run, and if nothing changes.
    """

    number: int
    published: bool
    changes: list[FormChange]


def publish_schema(node: Node, path: Path, *, dry_run: bool = False, keep_others: bool = False) -> PublishedForms:
    """Put a folder's forms, or one file's, in force, or only report what would change.

    Of one file, and with `keep_others`, all other forms stay as they are. Usage, RoleRefused, BadFile, TooLarge; SchemaFaults
    where something would be lost. A server that runs beside takes them over with its next request, everybody else with the
    next sync.
    """
    if node.is_laptop:
        raise errors.Usage(reason="not_a_server")
    if node.role != ADMIN:
        raise errors.RoleRefused(role=node.role, needs=[ADMIN])
    if not path.is_file() and not path.is_dir():
        raise errors.BadFile(file=str(path), reason="missing")
    given = load.read_file(path) if path.is_file() else load.read_folder(path)
    given.pop(load.PUBLISHED, None)
    partial = keep_others or path.is_file()
    if not partial:
        load.load_texts(given)  # before the store is kept waiting
    if dry_run:
        with node.store.read() as tx:
            return _compare_texts(node, tx, _complete_texts(tx, given, partial=partial))
    with node.store.write() as tx:
        texts = _complete_texts(tx, given, partial=partial)
        told = _compare_texts(node, tx, texts)
        if told.changes:
            schema_rollout.put_in_force(node, tx, schema_recovery.sign_forms(texts, told.number, node.serving_key))
            told = structs.replace(told, published=True)
    return told


def _complete_texts(tx: ReadTx, given: dict[str, str], *, partial: bool) -> dict[str, str]:
    """Return the texts of all forms: those that were given, and if they are only a part the others that are in force."""
    present = form_texts.texts_in_force(tx) if partial else {}
    present.pop(load.PUBLISHED, None)
    return present | given


def _compare_texts(node: Node, tx: ReadTx, texts: dict[str, str]) -> PublishedForms:
    if tx.servers():
        raise errors.Usage(reason="not_headquarters")
    new = load.load_texts(texts)
    node.load_current_forms(tx)
    faults = compatibility.list_faults(node.schema, new, schema_history.form_versions(tx), texts)
    if faults:
        raise errors.SchemaFaults(faults=faults)
    found = compatibility.list_changes(node.schema, new)
    number = schema_recovery.next_number(tx) if found else int.from_bytes(tx.settings.forms[:4], "big")
    form_texts.check_listing(form_texts.list_form_texts(schema_recovery.sign_forms(texts, number, node.serving_key)))
    return PublishedForms(number, published=False, changes=found)
