# Everything from a bare machine with Python 3.11, pip and make. `make` alone lists the targets.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# The first of these that is new enough; the lock is made for 3.11.
PYTHON ?= $(shell for p in python3.11 python3 python3.12 python3.13 python3.14 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && { echo $$p; break; }; done)
PYTEST_ARGS ?=
# Most tests wait for servers, so three processes suit even two cores; each has its own PostgreSQL and Temporal.
PARALLEL ?= -n 3 --dist worksteal

# A process that may not keep what it has compiled compiles it each time: twelve seconds of processor time for a run's own
# files alone, and a second for every worker and API that a test starts.
unexport PYTHONDONTWRITEBYTECODE

# Late in the evening, when it is tomorrow in Nairobi; a month's last hour there; a leap day; the year's end.
CLOCKS ?= 2026-11-30T23:30:00+00:00 2027-01-31T20:50:00+00:00 2028-02-29T09:00:00+00:00 2026-12-31T21:30:00+00:00
CLOCK_TESTS := tests/architecture tests/core tests/notices tests/workflows tests/providers tests/simulators tests/store \
	tests/ledger

.PHONY: help up demo test test-fast test-clock storm check lint bench bench-search bench-waiting record-histories lock fmt clean \
	install

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 14

up: $(STAMP) ## start everything on this machine (Ctrl-C stops it; data stay in .kivuko/)
	@exec $(BIN)/kivuko up

demo: $(STAMP) ## in another terminal: one loan from approval to receipt
	@exec $(BIN)/kivuko demo loan

test: $(STAMP) ## all tests
	$(BIN)/python -m pytest $(PARALLEL) $(PYTEST_ARGS)

test-fast: $(STAMP) ## the tests that take moments: no whole house, no servers of their own
	$(BIN)/python -m pytest -m "not slow and not whole" $(PARALLEL) $(PYTEST_ARGS)

test-clock: $(STAMP) ## the pure, provider, simulator, store and ledger tests at other times of day and year
	@for clock in $(CLOCKS); do echo "── $$clock"; \
		$(BIN)/python -m pytest $(PARALLEL) --clock "$$clock" $(CLOCK_TESTS) $(PYTEST_ARGS); done

# KIVUKO_STORM_SEED chooses another storm.
storm: export KIVUKO_STORM_LOANS ?= 250
storm: export KIVUKO_STORM_PAYMENTS ?= 250
storm: export KIVUKO_STORM_HITS ?= 30
storm: $(STAMP) ## 250 loans and 250 payments while every process is killed or stands still and sagas are reset
	$(BIN)/python -m pytest -s tests/storms $(PYTEST_ARGS)

check: lint test ## format, lint, types, layers, migrations, tests

lint: $(STAMP) ## everything of check but the tests
	@step() { local from=$$SECONDS; echo "── $$1"; shift; "$$@"; echo "   $$((SECONDS - from)) s"; }; \
	step "ruff format" $(BIN)/ruff format --check .; \
	step "ruff" $(BIN)/ruff check --no-cache .; \
	step "mypy" $(BIN)/mypy; \
	step "import-linter" $(BIN)/lint-imports --no-cache --no-logo; \
	step "migrations" $(BIN)/kivuko db check --scratch

bench: $(STAMP) ## measurements, each as a ratio within one run
	$(BIN)/python -m benchmarks

bench-search: $(STAMP) ## a search among five million payments: half an hour or more
	$(BIN)/python -m benchmarks --search 5000000

bench-waiting: $(STAMP) ## ten thousand sagas that wait for float: half an hour or more
	$(BIN)/python -m benchmarks --waiting 10000

fmt: $(STAMP) ## format and sort imports
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

record-histories: $(STAMP) ## golden histories of the stories that have none yet
	$(BIN)/python -m tests.golden.record

lock: $(STAMP) ## both lock files from pyproject.toml
	$(BIN)/uv pip compile pyproject.toml --quiet --upgrade --generate-hashes --no-header --python-version 3.11 \
		-o requirements.txt
	$(BIN)/uv pip compile pyproject.toml --quiet --upgrade --generate-hashes --no-header --python-version 3.11 \
		--extra local --extra dev -o requirements-dev.txt

clean: ## the virtual environment, caches and builds; not the data in .kivuko/
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

install: $(STAMP) ## the virtual environment alone

$(STAMP): requirements-dev.txt pyproject.toml
	@if [ -z "$(PYTHON)" ]; then echo "Kivuko needs Python 3.11 or newer; none was found (set PYTHON=…)." >&2; exit 1; fi
	@echo "Preparing $(VENV) with $$($(PYTHON) --version) …"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@
