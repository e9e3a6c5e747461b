# `make help` lists the targets. Everything is installed into .venv and every run writes to .dsk.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export DSK_HOME ?= .dsk
export OMP_NUM_THREADS := 1
export DAGSTER_HOME := $(shell realpath -m "$(DSK_HOME)")/dagster
export DBT_SEND_ANONYMOUS_USAGE_STATS := false
export GX_ANALYTICS_ENABLED := false
UI_PORT ?= 3000
AUDITOR_PORT ?= 3001
# What a script starts in the background ignores SIGINT, by which Dagster ends its servers.
STOPPABLE := $(shell env --default-signal=INT true 2>/dev/null && echo env --default-signal=INT)

.DEFAULT_GOAL := help
.PHONY: help install demo status test test-scale lint ui ui-auditor screenshots lock clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 14

install: $(VENV)/installed ## make .venv with the pinned packages and the CPU build of torch

$(VENV)/installed: requirements.lock pyproject.toml deploy/install.sh
	PYTHON=$(PYTHON) deploy/install.sh $(VENV)
	@touch $@

demo: install ## run the nightly job over examples/consortium and show what came of it
	@$(BIN)/dsk nightly
	@$(BIN)/dsk status

status: install ## show the summary again
	@$(BIN)/dsk status

test: install ## install what tests need and run them all
	@deploy/install-test-servers.sh
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	VIRTUAL_ENV=$(abspath $(VENV)) $(BIN)/dg check defs
	$(BIN)/pytest -n 2 --dist loadfile

test-scale: install ## the tests that take minutes: 40 million characters, a million documents
	$(BIN)/pytest -m scale --timeout=3600

lint: install ## format and check
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	$(BIN)/mypy

.PHONY: instance
instance: install
	@mkdir -p "$$DAGSTER_HOME" && cp -n deploy/dagster.local.yaml "$$DAGSTER_HOME/dagster.yaml"

ui: instance ## open the Dagster UI on http://127.0.0.1:3000
	$(STOPPABLE) $(BIN)/dagster dev -w workspace.yaml -h 127.0.0.1 -p $(UI_PORT)

ui-auditor: instance ## the same, read-only, on http://127.0.0.1:3001
	$(STOPPABLE) $(BIN)/dagster-webserver --read-only -w workspace.yaml -h 127.0.0.1 -p $(AUDITOR_PORT)

screenshots: install ## take the README's pictures of the Dagster UI (needs chromium)
	@deploy/install-test-servers.sh
	$(BIN)/python docs/screenshots.py docs/images

lock: ## resolve requirements.lock and deploy/mosaicml.lock anew (needs uv)
	uv pip compile --quiet --universal --python-version 3.11 --extra test --extra postgres \
	  --extra train --generate-hashes --no-emit-index-url --no-emit-find-links --no-header \
	  --no-annotate --override deploy/lock-overrides.txt pyproject.toml -o requirements.lock
	uv pip compile --quiet --universal --python-version 3.11 --no-deps --generate-hashes \
	  --no-emit-index-url --no-emit-find-links --no-header --no-annotate deploy/mosaicml.in \
	  -o deploy/mosaicml.lock

clean: ## remove what runs have made (the environment stays)
	rm -rf "$(DSK_HOME)" dbt_project/target dbt_project/logs
