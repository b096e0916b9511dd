"""Headquarters' store is in a file, and in PostgreSQL."""

from tests.both_stores import cast_template, headquarters_store, pytest_collection_modifyitems

__all__ = ["cast_template", "headquarters_store", "pytest_collection_modifyitems"]
