# mien: `make run` starts the talking presenter, `make test` runs everything.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
# Tests that only compute run side by side; what happens in real time comes after them, one browser
# beside one server. More processes than cores would be quicker, but some tests watch the clock.
JOBS   ?= 2
STAMP  := $(VENV)/.installed
PIP    := $(BIN)/python -m pip install --quiet --disable-pip-version-check
# What was compiled once need not be compiled by every process.
export PYTHONDONTWRITEBYTECODE =

.PHONY: run test test-thorough lint bench lock clean

run: $(STAMP)            ## serve the presenter at http://localhost:8000 and open it
	$(BIN)/mien run --open $(ARGS)

# What failed beside others is run once more, alone: a machine that had no time for a while is no
# fault of mien's. What fails again fails.
ALONE := $(BIN)/python -m pytest -n 0 --last-failed --last-failed-no-failures none

test: $(STAMP) system    ## install what tests need (apt packages when allowed) and run them all
	@$(BIN)/python tools/torch_for_tests.py
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile -m "not real_time and not thorough" $(ARGS) || [ $$? = 5 ] || $(ALONE) -m "not real_time and not thorough"
	$(BIN)/python -m pytest -n 2 --dist loadgroup -m "real_time and not thorough" $(ARGS) || [ $$? = 5 ] || $(ALONE) -m "real_time and not thorough"

test-thorough: test      ## and what takes long: full-size networks, long sweeps, every device
	@$(BIN)/python tools/torch_for_tests.py thorough
	$(BIN)/python -m pytest -m thorough --timeout 600 $(ARGS)

lint: $(STAMP)           ## style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(STAMP)          ## the two figures that matter, on this machine
	$(BIN)/mien bench latency
	$(BIN)/mien bench sync --seconds 60

.PHONY: system
system:                  ## chromium and ffprobe for the tests that need them
	@sh tools/system-packages.sh

# The same versions tomorrow: everything is pinned in requirements.lock.
$(STAMP): pyproject.toml requirements.lock
	$(PYTHON) -c 'import sys; sys.exit("mien needs Python 3.11 or newer: make PYTHON=python3.12 …" if sys.version_info < (3, 11) else 0)'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
# By pip, which knows the mirrors people have set up. What is imported is compiled then; all of it
# would take half the time of the installation.
	$(PIP) --no-compile --requirement requirements.lock
	$(PIP) --no-deps --editable .
	@touch $@

lock:                    ## renew requirements.lock from pyproject.toml
	$(PIP) uv==0.13.9
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-header --no-annotate --group dev pyproject.toml --output-file requirements.lock

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache
