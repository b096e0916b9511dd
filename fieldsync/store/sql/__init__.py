"""The store's roles in SQL that SQLite and PostgreSQL both run; what differs is in `Dialect` and in the folders of the databases."""
