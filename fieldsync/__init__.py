"""Fieldsync: offline-first field data collection, merged field by field.

Read docs/architecture.md first; it follows one save through five files.
"""

__version__ = "0.1.0"
