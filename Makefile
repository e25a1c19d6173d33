# Every command makes what it needs: a fresh clone needs no other step.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
MAKEFLAGS += --no-print-directory

.PHONY: setup format check static unit test soak live bench demo lock clean help

help:
	@echo "make demo    run the canary: 1,000 requests, expected beside seen"
	@echo "make test    the tests, in under five minutes"
	@echo "make soak    rollouts under 500 requests a second, and what takes long"
	@echo "make check   lint, types, floors and unit tests, in under a minute"
	@echo "make live    only the tests that start real processes and foreign programs"
	@echo "make bench   mesh proxy beside Envoy, nginx, HAProxy and an aiohttp proxy"
	@echo "make format  rewrite the sources in the house's form"

$(VENV)/.run: requirements.lock pyproject.toml
	@echo "setting up $(VENV) (once)" >&2
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.run requirements-dev.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch $@

setup: $(VENV)/.dev

demo: $(VENV)/.run
	@$(BIN)/mesh demo canary

format: $(VENV)/.dev
	$(BIN)/ruff format mesh tests benchmarks
	$(BIN)/ruff check --fix mesh tests benchmarks

# Lint and types beside the unit tests, most of which wait for sockets.
check: $(VENV)/.dev
	@$(MAKE) -j2 --output-sync=target static unit

static: $(VENV)/.dev
	$(BIN)/ruff format --check mesh tests benchmarks
	$(BIN)/ruff check mesh tests benchmarks
	$(BIN)/mypy
	$(BIN)/lint-imports

unit: $(VENV)/.dev
	$(BIN)/python -m pytest -q -n 4 -m "not alone" tests/unit

# Most tests wait for sockets, so four at a time; those that measure come after them, with the machine to themselves.
test: $(VENV)/.dev
	$(BIN)/python -m pytest -q -n 4 -m "not soak and not alone" tests
	$(BIN)/python -m pytest -q -m "alone and not soak" tests/live tests/scenarios tests/unit/store

# Rollouts under 500 requests a second, and what a community's manifests promise.
soak: $(VENV)/.dev
	$(BIN)/python -m pytest -q -m soak tests

live: $(VENV)/.dev
	$(BIN)/python -m pytest -q -m live tests

bench: $(VENV)/.dev
	$(BIN)/python -m benchmarks

# Newer versions of what we stand on. The lock files name versions and hashes, never where they come from.
COMPILE := $(BIN)/pip-compile --quiet --strip-extras --generate-hashes --allow-unsafe \
  --no-emit-index-url --no-emit-find-links --no-emit-trusted-host --no-header --no-annotate
lock: $(VENV)/.dev
	$(COMPILE) --upgrade --output-file requirements.lock --extra build pyproject.toml
	$(COMPILE) --upgrade --output-file requirements-dev.lock --extra build --extra dev pyproject.toml

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
