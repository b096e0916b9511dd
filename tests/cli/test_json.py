"""Every command gives a JSON document of a known type, and each of the types is one that a command gives."""

from docs import generate
from fieldsync.cli import TREE
from fieldsync.commands.support.lazy_tree import Branch
from fieldsync.json_documents import DOCUMENTS, UNTYPED, WITHOUT


def _commands() -> set[str]:
    """Return what can be run: the commands, and the groups that are one themselves."""
    at = {(): TREE, **{path: _node(path) for path in generate.paths()}}
    return {" ".join(path) for path, node in at.items() if not isinstance(node, Branch) or node.default is not None}


def _node(path):
    node = TREE
    for name in path:
        node = node.commands[name]
    return node


def test_every_command_has_a_type_for_its_document():
    """A command that is added says what it gives with --json."""
    assert _commands() == {*DOCUMENTS, *WITHOUT, *UNTYPED}
    assert len(_commands()) == len(DOCUMENTS) + len(WITHOUT) + len(UNTYPED)
