# Each target does all the set-up it needs: virtual environment, pinned install, then the job.
# The install is repeated only when pyproject.toml or constraints.txt change.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
RUN_STAMP := $(VENV)/.installed-run
DEV_STAMP := $(VENV)/.installed-dev
NPM_STAMP := $(VENV)/.installed-npm
BROWSER_STAMP := $(VENV)/.installed-browser
ARGS ?=

.PHONY: train study test test-slow test-browser check lint notebook bench clean

study: $(RUN_STAMP)
	$(BIN)/taller-cnn study $(ARGS)

train: $(RUN_STAMP)
	$(BIN)/taller-cnn train $(ARGS)

test: $(DEV_STAMP)
	$(BIN)/python -m pytest -n auto --dist loadfile -m "not slow and not browser" $(ARGS)

test-slow: $(DEV_STAMP)
	$(BIN)/python -m pytest -n auto --dist loadfile -m "slow and not browser" --timeout=1200 $(ARGS)

test-browser: $(DEV_STAMP) $(BROWSER_STAMP)
	$(BIN)/python -m pytest -m browser $(ARGS)

lint: $(DEV_STAMP) $(NPM_STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	tests/browser/node_modules/.bin/tsc --project tests/browser

check: lint test

bench: $(DEV_STAMP)
	$(BIN)/python benchmarks/time_to_accuracy.py $(ARGS)
	$(BIN)/python benchmarks/whole_command.py

notebook: $(DEV_STAMP)
	$(BIN)/python pytorch/make_notebook.py

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(RUN_STAMP): pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	touch $@

$(DEV_STAMP): pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev]"
	touch $@ $(RUN_STAMP)

# Chromium comes from Debian; elsewhere install it by hand and point TALLER_CHROMIUM at it.
$(BROWSER_STAMP): $(NPM_STAMP)
	test -n "$$TALLER_CHROMIUM" || command -v chromium > /dev/null || \
	  { apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium; }
	touch $@

$(NPM_STAMP): tests/browser/package-lock.json $(DEV_STAMP)
	cd tests/browser && npm ci --silent --no-fund --no-audit
	touch $@

clean:
	rm -rf $(VENV) build dist *.egg-info src/*.egg-info .pytest_cache .mypy_cache .ruff_cache
