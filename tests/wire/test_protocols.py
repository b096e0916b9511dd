"""Protocol versions are compared in one place."""

import re
from pathlib import Path

import fieldsync


def test_no_version_is_compared_as_a_bare_number() -> None:
    """Features have names in wire/protocols.py; crypto/chain.py below it has each version's signatures."""
    home = Path(fieldsync.__file__).parent
    bare = re.compile(r"protocol\s*(?:[<>]=?|[!=]=)\s*\d")
    found = {
        str(file.relative_to(home)): found
        for file in home.rglob("*.py")
        if (found := bare.findall(file.read_text(encoding="utf-8")))
    }
    assert found.keys() == {"crypto/chain.py"}
