"""Headquarters' store is in a file; in `make test-postgresql` also in PostgreSQL."""

from tests.both_stores import cast_template, headquarters_store, pytest_collection_modifyitems, set_up_headquarters

__all__ = ["cast_template", "headquarters_store", "pytest_collection_modifyitems", "set_up_headquarters"]
