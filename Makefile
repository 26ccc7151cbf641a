# The three commands of the README's first screen are run, test and setup; check is what .ci/run adds.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.PHONY: setup run test test-faults check format lock docs deploy-files wheel bench clean

BIN := .venv/bin
SOURCES := ingest projections migrations tests bench

setup: .venv/.installed

.venv/.installed: requirements.lock pyproject.toml
	@bash .ci/venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

run: setup
	$(BIN)/rosterlog up --demo

test: setup
	$(BIN)/python -m pytest

# Five minutes of everything that can fail, under load; FAULT_SECONDS=60 is what CI runs.
test-faults: setup
	$(BIN)/python -m tests.faults --seconds $(or $(FAULT_SECONDS),300)

check: setup
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/mypy
	$(BIN)/lint-imports
	bash .ci/migrations

format: setup
	$(BIN)/ruff check --fix $(SOURCES)
	$(BIN)/ruff format $(SOURCES)

# Names, versions and hashes only: the addresses of registries do not belong in a commit.
lock:
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header --no-annotate \
	  --all-extras --python-version 3.11 --output-file requirements.lock pyproject.toml

# What is generated of docs/, for review; tests compare it with what the program and the database say.
docs: setup
	bash .ci/docs

# The alert rules, the board and the page of metrics, from one list; a test compares them with it.
deploy-files: setup
	$(BIN)/python -m ingest.monitoring.files .

wheel: setup
	$(BIN)/python -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir dist .

bench: setup
	$(BIN)/python -m bench

clean:
	rm -rf .venv dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
