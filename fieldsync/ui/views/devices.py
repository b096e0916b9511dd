"""Tables of devices, their families, and the confirmations before locking or approving one."""

from collections.abc import Sequence

from fieldsync.topology.device_summaries import EnrolledDevice, FamilyMember, PendingDevice, RevokedDevice
from fieldsync.ui.views.fleet import FleetTable
from fieldsync.ui.views.record_card import local_time

_YES = {"y", "yes", "نعم", "ن"}
_NO = {"n", "no", "لا", "ل"}


class DeviceTables(FleetTable):
    """Tables and lines about devices."""

    def devices(self, found: Sequence[EnrolledDevice]) -> None:
        """A table of devices."""
        names = ("column_device", "column_person", "column_role", "column_unit", "column_seen", "column_state")
        rows: list[list[object]] = [
            [*self._name_cells(d), local_time(d.seen) if d.seen else "", self._state(d)] for d in found
        ]
        self.table([self.phrase(name) for name in names], rows)

    def family(self, found: Sequence[FamilyMember]) -> None:
        """A table of a family's devices: place and time of enrolment, and the copied device."""
        names = (
            "column_device", "column_person", "column_copy_of", "column_enrolled_by", "column_enrolled", "column_seen",
            "column_state",
        )  # fmt: skip
        rows: list[list[object]] = [
            [
                d.device,
                d.person,
                d.copy_of or "",
                d.enrolled_by or "",
                local_time(d.enrolled) if d.enrolled else "",
                local_time(d.seen) if d.seen else "",
                self._state(d),
            ]
            for d in found
        ]
        self.table([self.phrase(name) for name in names], rows, whole={0, 5, 6})

    def _name_cells(self, device: EnrolledDevice) -> list[object]:
        role = self.phrase(f"role_{device.role}") if device.role else ""
        return [device.device, device.person, role, self.several(device.units)]

    def _state(self, device: EnrolledDevice) -> str:
        state = "waiting" if device.pending and device.state == "enrolled" else device.state
        return self.phrase(f"device_{state}")

    def revoked(self, found: RevokedDevice) -> None:
        """The family as it is now, and a line where some of it works on."""
        if len(found.family) == 1:
            self.devices(found.family)
            return
        self.family(found.family)
        left = [one.device or one.id for one in found.family if one.state != "revoked"]
        if left:
            self.say("family_left", devices=self.several(left))

    def pending_devices(self, found: Sequence[PendingDevice]) -> None:
        """A table of the devices that are pending approval."""
        if not found:
            self.say("none_pending")
            return
        self.family(found)
        self.say("approve_next", device=found[0].device)

    def approved(self, found: PendingDevice) -> None:
        """One line."""
        self.say("device_approved", device=found.device, person=self.safe(found.person))

    def ask_words(self, device: str) -> str:
        """Ask for the six words that a person reads out."""
        return self.ask(self.phrase("ask_key_words", device=self.safe(device)) + " ")

    def agreed(self, question: str, **facts: object) -> bool:
        """Ask a question until it is answered with yes or no."""
        while (said := self.ask(self.phrase(question, **facts) + " ").strip().casefold()) not in _YES | _NO:
            pass
        return said in _YES
