"""The command line in a checkout: `python cli.py`; installed, it is `fieldsync`."""

from fieldsync.__main__ import main

if __name__ == "__main__":
    main()
