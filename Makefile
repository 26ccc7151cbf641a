# The three commands of the README's first screen are run, test and setup; check is what .ci/run adds.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.PHONY: setup dev run test test-browser screenshots test-faults test-cluster check format lock docs deploy-files wheel bench clean

BIN := .venv/bin
SOURCES := ingest projections migrations tests bench
PIP := $(BIN)/python -m pip --disable-pip-version-check
LOCK := $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header --no-annotate \
  --python-version 3.11

# What runs the product, as requirements.lock pins it: `make run` asks for no more. A new lock makes a new .venv.
setup: .venv/.installed

.venv/.installed: requirements.lock pyproject.toml
	@echo "rosterlog is installed into .venv, in three steps: some minutes, once"
	@echo "1 of 3: Python's own environment"
	@bash .ci/venv
	@echo "2 of 3: $$(grep -c '==' requirements.lock) packages, PostgreSQL and DuckDB the largest of them"
	@$(PIP) install --require-hashes -r requirements.lock
	@echo "3 of 3: rosterlog itself"
	@$(PIP) install --quiet --no-deps --no-build-isolation -e .
	@touch $@

# What tests and checks it comes on top, with the same versions of what runs it.
dev: .venv/.developing

.venv/.developing: .venv/.installed .ci/developing.lock
	@echo "what tests and checks rosterlog is added: $$(grep -c '==' .ci/developing.lock) packages with the above"
	@$(PIP) install --require-hashes -r .ci/developing.lock
	@touch $@

run: setup
	$(BIN)/rosterlog up --demo

test: dev
	$(BIN)/python -m pytest

# The pages in Debian's Chromium, which is installed where that may be done.
test-browser: dev
	bash .ci/tools || true
	$(BIN)/python -m pytest tests/browser

# The README's pictures, of the demo's people.
screenshots: dev
	$(BIN)/python -m tests.browser.screenshots docs/images

# Five minutes of everything that can fail, under load; FAULT_SECONDS=40 is what CI runs.
test-faults: dev
	$(BIN)/python -m tests.faults --seconds $(or $(FAULT_SECONDS),300)

# Rungs 1 to 6 and 8 of docs/scale.md with real programs, pools, servers and cells that fail in the middle, twenty minutes.
# RUNGS=2,6 is a pool and failover alone; without it replicas (rung 5) and a source that moves (rung 8) come last.
test-cluster: dev
	$(BIN)/python -m tests.cluster $(if $(RUNGS),--rungs $(RUNGS))
	$(if $(RUNGS),,$(BIN)/python -m tests.replica_load)
	$(if $(RUNGS),,$(BIN)/python -m pytest -n 0 -s tests/cluster/test_cells.py tests/cluster/test_replicas.py)

check: dev
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/mypy
	$(BIN)/lint-imports
	bash .ci/migrations

format: dev
	$(BIN)/ruff check --fix $(SOURCES)
	$(BIN)/ruff format $(SOURCES)

# Names, versions and hashes only: the addresses of registries do not belong in a commit.
lock:
	$(LOCK) --extra embedded --extra docs --extra parquet --extra xlsx --extra build \
	  --output-file requirements.lock pyproject.toml
	$(LOCK) --all-extras --constraints requirements.lock --output-file .ci/developing.lock pyproject.toml
	echo 'patroni[etcd3,psycopg3]>=4,<5' | $(LOCK) --output-file .ci/cluster.lock -

# What is generated of docs/, for review; tests compare it with what the program and the database say.
docs: setup
	bash .ci/docs

# The alert rules, the board and the page of metrics, from one list; a test compares them with it.
deploy-files: setup
	$(BIN)/python -m ingest.monitoring.files .

wheel: setup
	$(BIN)/python -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir dist .

bench: dev
	$(BIN)/python -m bench

clean:
	rm -rf .venv dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
