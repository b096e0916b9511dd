#!/bin/sh
# Install Fieldsync @VERSION@ from this folder, without a network: sh install.sh [FOLDER]
set -eu
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
target=${1:-"$HOME/.local/share/fieldsync-program"}
python=${PYTHON:-python3}

command -v "$python" >/dev/null || {
    echo "Python is not installed. Install Python 3.11 or newer (with its venv module), then run this again." >&2
    exit 1
}
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "$("$python" --version) is too old. Install Python 3.11 or newer, or name it: PYTHON=python3.13 sh install.sh" >&2
    exit 1
}
(cd "$here" && if command -v sha256sum >/dev/null; then sha256sum --check --quiet SHA256SUMS; else shasum -a 256 --check --quiet SHA256SUMS; fi) || {
    echo "This folder is damaged: copy it again." >&2
    exit 1
}
"$python" -m venv --clear "$target"
pip() { PIP_CONFIG_FILE=/dev/null "$target/bin/python" -m pip --isolated install --quiet --disable-pip-version-check --no-index "$@"; }
pip --find-links "$here/wheels" --require-hashes --requirement "$here/requirements.txt"
pip --no-deps "$here/wheels/fieldsync-@VERSION@-py3-none-any.whl"
mkdir -p "$HOME/.local/bin"
ln -sf "$target/bin/fieldsync" "$HOME/.local/bin/fieldsync"
"$target/bin/fieldsync" --version
echo "Installed in $target. Run: fieldsync --help"
case ":$PATH:" in
*":$HOME/.local/bin:"*) ;;
*) echo "$HOME/.local/bin is not in your PATH: log in again, or run $HOME/.local/bin/fieldsync" ;;
esac
