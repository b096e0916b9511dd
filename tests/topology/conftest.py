"""Each test here has an office of its own."""

from tests.offices import fresh_office as office

__all__ = ["office"]
