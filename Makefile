# `make demo` shows the main job; `make test` runs every check. Both set up what they need.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# A stamp file per set-up: it is made again when the dependencies change.
DEMO := $(VENV)/.demo
TEST := $(VENV)/.test
NODE := tests/mcp_server/conformance
# Set, every process of the tests would compile each module anew.
export PYTHONDONTWRITEBYTECODE :=
PYTEST := $(BIN)/python -m pytest -n 4 --dist loadfile --no-loadscope-reorder

.PHONY: demo test lint types tests cover notebooks mcpb fast clean
.DELETE_ON_ERROR:

demo: $(DEMO)
	@$(BIN)/toolkit demo

# The types are checked beside the tests, which wait for databases and other processes now and then.
test: $(TEST)
	@$(MAKE) --no-print-directory --jobs 2 lint types tests

lint:
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types:
	$(BIN)/mypy

tests:
	$(PYTEST)

# It takes half as long again as the tests alone.
cover: $(TEST)
	@rm -f .coverage .coverage.*
	$(PYTEST) --cov --cov-report=
	$(BIN)/coverage report

# Records their cassettes with the stand-in for the vendors, and writes their outputs.
notebooks: $(TEST)
	$(BIN)/python -m tests.notebooks.recording

mcpb: $(DEMO)
	@$(BIN)/python packaging/mcpb.py

fast: $(TEST)
	$(BIN)/python -m pytest -x -q -n 2 --dist loadfile

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "This needs Python 3.11 or newer; name one with: make PYTHON=python3.12 ..."; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(DEMO): pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "Setting up $(VENV) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	@touch $@

$(TEST): pyproject.toml constraints.txt tests/pgbouncer.py $(NODE)/node.py $(NODE)/package-lock.json | $(VENV)/bin/python
	@echo "Setting up $(VENV) for the tests ..."
	@$(BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check -c constraints.txt -e '.[test]'
	@-$(BIN)/python -m compileall -qq -j 0 -x '/tests?/' $(VENV)/lib
	@$(BIN)/python -m tests.pgbouncer
	@$(BIN)/python -m tests.mcp_server.conformance.node
	@touch $@ $(DEMO)

clean:
	rm -rf $(VENV) build dist .coverage .coverage.* .pytest_cache .mypy_cache .ruff_cache .hypothesis
