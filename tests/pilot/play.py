"""Plays a plan from its first day to its end."""

from pathlib import Path

from tests.pilot import ending
from tests.pilot.diary import Diary
from tests.pilot.events import Events
from tests.pilot.plan import Plan


def play(folder: Path, plan: Plan) -> Diary:
    """Play a pilot in a folder, and return its diary. AssertionError where something is not as it must be."""
    pilot = Events(folder, plan)
    with pilot.closing:
        pilot.found()
        for day in range(1, plan.days + 1):
            pilot.begin_day(day)
            pilot.update_computers()
            if not plan.is_weekend(day) or day == plan.days:
                pilot.work()
                for name, *words in plan.events.get(day, ()):
                    getattr(pilot, name)(*words)
                pilot.sync_laptops()
            pilot.night()
        ending.end(pilot, "Samar")
    return pilot.diary
