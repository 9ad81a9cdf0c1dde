PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install -q --disable-pip-version-check

.PHONY: pictures profile help run test test-all lint lock docs bench torture clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  \1\t/' | expand -t 12

run: $(BIN)/.runtime ## Set up, then show sample events becoming messages (sandbox: nothing is sent)
	@$(BIN)/relay demo

test: $(BIN)/.dev ## Set up, then run the tests: the same everywhere, about 3 minutes on two cores
	@echo "Running the tests: about 3 minutes on two idle cores."
	$(BIN)/pytest -n auto -m "not slow"

test-all: $(BIN)/.dev ## All tests, also the slow ones; random cases and rounds: about 15 minutes
	@echo "Running all tests, with random cases: about 15 minutes on two idle cores."
	RELAY_KILL_ROUNDS=$${RELAY_KILL_ROUNDS:-20} RELAY_POWER_SEEDS=$${RELAY_POWER_SEEDS:-100} \
	RELAY_MODEL_HISTORIES=$${RELAY_MODEL_HISTORIES:-60} \
	  $(BIN)/pytest -n auto --hypothesis-profile=random tests tests/torture/rounds.py

lint: $(BIN)/.dev ## Linters, types and the import contract
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(BIN)/.dev ## Draw the catalogue of events and write the schema of rules.yaml and what guides show, in docs/
	$(BIN)/relay preview all --rules rules.yaml --templates message_templates --out docs/catalogue.html
	$(BIN)/relay schema > docs/rules.schema.json
	RELAY_WRITE_GUIDES=1 $(BIN)/pytest -q tests/cli/test_guides.py

pictures: $(BIN)/.dev ## Draw the pictures of docs/page.md; needs chromium
	@$(BIN)/python -m tests.pictures 2>/dev/null

bench: $(BIN)/.dev ## Measure it against its yardsticks, in one run; about 30 minutes
	$(BIN)/python -m benchmarks

profile: $(BIN)/.dev ## Draw where an event's processor time goes: docs/event-cost.svg
	$(BIN)/python -m benchmarks.event_cost --top 8

torture: $(BIN)/.dev ## Half an hour of kills, losses of power, histories and faults
	RELAY_FLEET_SECONDS=$${RELAY_FLEET_SECONDS:-600} $(BIN)/pytest -s --durations=0 \
	  tests/torture/rounds.py tests/torture/soak.py tests/torture/reloads.py tests/journal/test_fleet.py

lock: $(BIN)/.dev ## Write the lock files anew from pyproject.toml
	$(BIN)/pip-compile -q --strip-extras --generate-hashes --allow-unsafe --no-emit-index-url \
	  --no-emit-find-links --no-header --extra build -o requirements.lock pyproject.toml
	$(BIN)/pip-compile -q --strip-extras --generate-hashes --allow-unsafe --no-emit-index-url \
	  --no-emit-find-links --no-header --extra build --extra dev -c requirements.lock \
	  -o requirements-dev.lock pyproject.toml
	$(BIN)/pip-compile -q --strip-extras --generate-hashes --allow-unsafe --no-emit-index-url \
	  --no-emit-find-links --no-header --extra build --extra otel --extra postgres \
	  -c requirements.lock -c requirements-dev.lock -o deploy/requirements.lock pyproject.toml

clean: ## Remove the virtual environment and caches
	rm -rf .venv build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "relay needs Python 3.11 or later")'
	@$(PYTHON) -m venv .venv

$(BIN)/.runtime: requirements.lock pyproject.toml | $(BIN)/python
	@echo "Setting up .venv from requirements.lock …"
	@$(PIP) --require-hashes -r requirements.lock
	@PYTHONWARNINGS=ignore $(PIP) --no-deps --no-build-isolation -e .
	@touch $@

$(BIN)/.dev: requirements-dev.lock pyproject.toml | $(BIN)/python
	@echo "Setting up .venv from requirements-dev.lock …"
	@$(PIP) --require-hashes -r requirements-dev.lock
	@PYTHONWARNINGS=ignore $(PIP) --no-deps --no-build-isolation -e .
	@touch $@
