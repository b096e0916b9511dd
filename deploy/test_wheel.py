"""Run the quick tests on the installed wheel: `python -m deploy.test_wheel [OPTIONS OF PYTEST]`.

The tests run in a folder that has no checkout of the program; those of the sources and documents stay out.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

from deploy import build
from fieldsync.core.version import VERSION

_BESIDE = ("tests", "benchmarks", "docs", "examples", "schemas", "deploy", "pyproject.toml", "README.md")
_OF_THE_SOURCES = ("tests/docs", "tests/deploy")


def main() -> int:
    """Build, install, test; return the exit code of the tests."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        build.build_packages(folder)
        python = folder / "venv" / ("Scripts" if os.name == "nt" else "bin") / "python"
        venv.create(folder / "venv", with_pip=True)
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "--requirement", str(build.ROOT / "requirements.lock")], check=True)
        subprocess.run([*pip, "--no-deps", str(folder / f"fieldsync-{VERSION}-py3-none-any.whl")], check=True)
        tested = folder / "tested"
        tested.mkdir()
        for name in _BESIDE:
            source = build.ROOT / name
            copy = shutil.copytree if source.is_dir() else shutil.copy2
            copy(source, tested / name)
        left_out = [f"--ignore={name}" for name in _OF_THE_SOURCES]
        command = [str(python), "-m", "pytest", "-m", "not long", *left_out, *sys.argv[1:]]
        return subprocess.run(command, check=False, cwd=tested).returncode


if __name__ == "__main__":
    sys.exit(main())
