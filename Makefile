# Every target does its own set-up. uv is used when it is there, pip otherwise.
PYTHON ?= python3.11
BIN := .venv/bin
ORACLE := tests/oracle/node_modules/.installed
PAGE := ui/node_modules/.installed
BROWSER := .venv/.browser

.DEFAULT_GOAL := help
.PHONY: help setup demo up test test-long lint bench page schema clean

help: ## Show this
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: .venv/.dev ## Make the environment in .venv

demo: .venv/.demo ## Run both syncs in a real Airflow against simulated systems, compared to the cent
	$(BIN)/airflow kashoo demo

up: .venv/.demo ## The demo, left running with the Airflow UI until Ctrl-C
	$(BIN)/airflow kashoo demo --keep

test: .venv/.dev $(ORACLE) $(PAGE) $(BROWSER) ## Run the tests (some minutes)
	$(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder -m "not long"

test-long: .venv/.dev $(ORACLE) $(PAGE) $(BROWSER) ## Run every test, the long ones too (hours)
	$(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder
	$(BIN)/python tests/mutation/mutate.py

lint: .venv/.dev ## Style, types, and that imports run one way
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: .venv/.dev ## Measure, all or ARGS="transform extract"; writes bench/results.json
	$(BIN)/python bench/run.py $(ARGS)

page: $(PAGE) ## Build the page in Airflow of ui/, after its sources changed
	cd ui && npm run --silent check && npm run --silent build

schema: .venv/.dev ## Write the JSON schema of mapping files, after their models changed
	$(BIN)/python -c 'from airflow_provider_kashoo.core.mapping.file.schema import schema; print(schema(), end="")' \
		> include/mappings/mapping.schema.json

clean: ## Remove the environment and every cache
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache dist tests/oracle/node_modules ui/node_modules

# The demo needs less than the tests: a stranger waits for it.
.venv/.demo: pyproject.toml constraints.txt | .venv/.python
	$(call install,-e '.[demo]')
	@touch $@

.venv/.dev: pyproject.toml constraints.txt | .venv/.python
	$(call install,-e '.[demo]' --group dev)
	@touch $@ .venv/.demo

# Without npm nothing is made, and the tests that ask the oracle say that they were skipped.
$(ORACLE): tests/oracle/package.json
	@if command -v npm >/dev/null; then cd tests/oracle && \
	npm install --no-package-lock --no-audit --no-fund --silent && touch node_modules/.installed; fi

# Without npm the page stays as it is committed, and the test that builds it again says that it was skipped.
$(PAGE): ui/package.json
	@if command -v npm >/dev/null; then cd ui && \
	npm install --no-package-lock --no-audit --no-fund --silent && touch node_modules/.installed; fi

# The tests of the page need a browser: Debian's, which playwright drives. Without it they are skipped, but not in CI.
$(BROWSER): | .venv/.python
	@if ! command -v chromium >/dev/null && command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; then \
	echo "Installing chromium" && apt-get update -qq && apt-get install -y -qq chromium >/dev/null; fi
	@touch $@

.venv/.python:
	@if command -v uv >/dev/null; then uv venv --quiet --python $(PYTHON) .venv; \
	else $(PYTHON) -m venv .venv && $(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'; fi
	@touch $@

define install
@echo "Installing into .venv"
@if command -v uv >/dev/null; then VIRTUAL_ENV=.venv uv pip install --quiet -c constraints.txt $(1); \
else $(BIN)/python -m pip install --quiet --no-input -c constraints.txt $(1); fi
endef
