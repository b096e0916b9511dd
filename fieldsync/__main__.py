"""`python -m fieldsync`: the command line."""

from fieldsync.cli import main

main()
