"""Fieldsync: offline-first field data collection, merged field by field.

Read docs/architecture.md first; it follows one save through six files. docs/python.md describes the Python API.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fieldsync.api import Record, Session, Synced, open  # noqa: A004 - as in gzip.open

    __version__: str

__all__ = ["Record", "Session", "Synced", "__version__", "open"]


def __getattr__(name: str) -> Any:
    """Load the API when somebody uses it: a command loads only the parts that it needs."""
    if name not in __all__:
        raise AttributeError(name)
    from importlib import import_module

    if name == "__version__":
        return import_module("fieldsync.core.version").VERSION
    return getattr(import_module("fieldsync.api"), name)
