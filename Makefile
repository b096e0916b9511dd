# Two commands do it all on a fresh machine with Python 3.11 or newer: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/ready
N ?= 100000
SEEDS ?= 1000
FROM ?= 1
PINNED := --universal --python-version 3.11 --all-extras --no-annotate --no-header --no-emit-index-url --generate-hashes --quiet
# one worker more than processors: tests wait for processes and connections
PARALLEL := -n $(shell expr $$(getconf _NPROCESSORS_ONLN) + 1) --dist loadfile
# other versions that run here; a version manager's shim of one that is not installed does not
OWN := $(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])')
VERSIONS = $(foreach version,$(filter-out $(OWN),3.11 3.12 3.13 3.14),$(if $(shell python$(version) --version 2>/dev/null),$(version)))

.PHONY: demo test test-postgresql simulate mutants test-long test-wheel dist lint bench docs words lock clean

demo: $(READY)
	$(BIN)/fieldsync demo

test: $(READY) lint
	$(BIN)/python -m pytest -m "not long" $(PARALLEL)

# all that is repeated on PostgreSQL, of which `make test` runs a part
test-postgresql: $(READY)
	FIELDSYNC_TEST_SHARE=all $(BIN)/python -m pytest -m "not long" $(PARALLEL) -k postgresql tests/server tests/reports tests/store \
		tests/topology tests/casework tests/review

# SEEDS random histories of the whole tree, from seed FROM on; what fails is shrunken and kept in the folder failures
simulate: $(READY)
	$(BIN)/python -m tests.model.batch --first $(FROM) --seeds $(SEEDS) --keep failures

# the kept sample of mutants of the kernel: those without a result are tried
mutants: $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-mutants.lock
	$(BIN)/python -m tests.mutants tests/mutants/sample-1.jsonl

# everything with more examples, and the quick tests on every other Python that is installed
test-long: $(READY) $(VERSIONS:%=test-%)
	HYPOTHESIS_PROFILE=long $(BIN)/python -m pytest --timeout 7200 $(PARALLEL)

test-%: requirements.lock pyproject.toml
	python$* -m venv --clear $(VENV)-$*
	$(VENV)-$*/bin/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(VENV)-$*/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	$(VENV)-$*/bin/python -m pytest -m "not long" $(PARALLEL)

# wheel, source archive, SBOM, checksums and the offline installer, in dist/
dist: $(READY)
	$(BIN)/python -m deploy.build dist

# the quick tests on what is installed from the wheel, with no checkout of the program in reach
test-wheel: $(READY)
	$(BIN)/python -m deploy.test_wheel $(PARALLEL)

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

bench: $(READY)
	$(BIN)/python -m benchmarks.run --records $(N)

# the pages that code makes, then all of them as a site in the folder site; with --quiet, mkdocs would not count its warnings
docs: $(READY)
	$(BIN)/python -m docs.generate
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

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
	$(BIN)/uv pip compile $(PINNED) --group dev pyproject.toml --output-file requirements.lock
	$(BIN)/uv pip compile $(PINNED) --constraint requirements.lock pyproject.toml --output-file requirements-runtime.lock
	$(BIN)/uv pip compile $(filter-out --all-extras,$(PINNED)) --constraint requirements.lock --group mutants --output-file requirements-mutants.lock

clean:
	rm -rf $(VENV) $(VENV)-* dist site .pytest_cache .mypy_cache .ruff_cache .hypothesis
