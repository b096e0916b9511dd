# Two commands do it all on a fresh machine with Python 3.11 or newer: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/ready
N ?= 100000

.PHONY: demo test test-long lint bench docs words lock clean

demo: $(READY)
	$(BIN)/fieldsync demo

test: $(READY) lint
	$(BIN)/python -m pytest -m "not long"

test-long: $(READY)
	HYPOTHESIS_PROFILE=long $(BIN)/python -m pytest

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

bench: $(READY)
	$(BIN)/python -m benchmarks.run --records $(N)

docs: $(READY)
	$(BIN)/python -m docs.generate

# every English sentence into fieldsync/locale/*/LC_MESSAGES/fieldsync.po, and these into .mo; names what waits for a translator
words: $(READY)
	$(BIN)/python -m docs.words

# the environment: exactly the pinned versions, and this checkout in it
$(READY): requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	$(BIN)/python -m compileall -q fieldsync cli.py
	touch $@

lock: $(READY)
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile --universal --python-version 3.11 --all-extras --group dev --no-annotate --no-header \
		--no-emit-index-url --quiet pyproject.toml --output-file requirements.lock

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis
