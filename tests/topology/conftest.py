"""Each test here has an office of its own; headquarters' store is in a file, in `make test-postgresql` also in PostgreSQL."""

from tests.both_stores import cast_template, headquarters_store, pytest_collection_modifyitems, set_up_headquarters
from tests.offices import fresh_office as office

__all__ = ["cast_template", "headquarters_store", "office", "pytest_collection_modifyitems", "set_up_headquarters"]
