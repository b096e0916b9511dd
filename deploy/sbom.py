"""The bill of materials (CycloneDX): what is installed beside the program, with versions and hashes from the lock file."""

import datetime
import re
import uuid
from collections.abc import Iterator
from pathlib import Path

from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import LicenseExpression
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

from fieldsync.core.version import VERSION

_PINNED = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;]+)[^\n]*\\\n((?:    --hash=[^\n]*\n)+)", re.MULTILINE)


def list_components(lock: str) -> Iterator[Component]:
    """Yield the packages of a lock file made by `make lock`."""
    for name, version, rest in _PINNED.findall(lock):
        yield Component(
            name=name, version=version, type=ComponentType.LIBRARY, bom_ref=f"{name}=={version}",
            purl=PackageURL("pypi", None, name.lower(), version),
            hashes=[HashType(alg=HashAlgorithm.SHA_256, content=one) for one in re.findall(r"sha256:([0-9a-f]{64})", rest)],
        )  # fmt: skip


def write_sbom(lock: Path, out: Path, epoch: int) -> None:
    """Write the SBOM of the program with what a lock file names; `epoch` is its time, in seconds."""
    bom = Bom(components=list_components(lock.read_text("utf-8")))
    bom.metadata.component = Component(
        name="fieldsync", version=VERSION, type=ComponentType.APPLICATION, bom_ref="fieldsync",
        licenses=[LicenseExpression("Apache-2.0")], purl=PackageURL("pypi", None, "fieldsync", VERSION),
    )  # fmt: skip
    bom.metadata.timestamp = datetime.datetime.fromtimestamp(epoch, datetime.UTC)
    bom.register_dependency(bom.metadata.component, bom.components)
    for component in bom.components:
        bom.register_dependency(component)
    bom.serial_number = uuid.uuid5(uuid.NAMESPACE_URL, f"fieldsync {VERSION} {lock.read_text('utf-8')}")
    JsonV1Dot6(bom).output_to_file(str(out), allow_overwrite=True, indent=2)
