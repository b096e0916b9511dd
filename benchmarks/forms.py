"""XLSForms in a folder: how many become our forms, how many are refused and why, and what of the others is lost, by kind.

    python -m benchmarks.forms DIR [--all]

The forms of other people stay where they are; only figures come out.
"""

import sys
from collections import Counter
from pathlib import Path

from fieldsync import errors
from fieldsync.exchange.xlsform import convert

ENDINGS = {".xlsx", ".xlsm", ".xls", ".ods", ".csv"}


def main(folder: Path, *, every: bool = False) -> None:
    """Print the table."""
    made = crashed = 0
    refused: Counter[str] = Counter()
    lost: Counter[str] = Counter()
    forms = sorted(path for path in folder.rglob("*") if path.suffix.lower() in ENDINGS)
    for path in forms:
        try:
            found = convert.read_xlsform(path)
        except errors.FieldsyncError as fault:
            reason = f"{fault.facts.get('reason', fault.code)} {fault.facts.get('why', '')}".strip()
            refused[reason[:90]] += 1
            if every:
                print(f"{path.name}: refused, {reason[:160]}")
        except Exception as fault:  # noqa: BLE001 - a fault of ours, which is counted
            crashed += 1
            print(f"{path.name}: CRASHED {fault!r}"[:300])
        else:
            made += 1
            lost.update(f"{note.what}: {note.why.partition(' ')[0]}" for note in found.notes)
            if every:
                print(f"{path.name}: {', '.join(found.types)[:80]}; {len(found.notes)} lost")
    print(f"{len(forms)} forms: {made} made, {refused.total()} refused, {crashed} crashed")
    for title, counts in (("refused", refused), ("lost", lost)):
        print(f"\n{title}")
        for reason, count in counts.most_common(40):
            print(f"  {count:6,}  {reason}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), every="--all" in sys.argv)
