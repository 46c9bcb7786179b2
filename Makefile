# A fresh machine only needs Python 3.11 or later, with venv, for `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
# More for pytest, as in: make test ARGS="-k revoked"
ARGS ?=
# How long `make fuzz` searches for new examples.
MINUTES ?= 30

.DEFAULT_GOAL := help
.PHONY: help demo test fuzz check bench docs clean

help:
	@echo "make demo    everything on this machine, live; Ctrl-C stops it"
	@echo "make test    all tests"
	@echo "make fuzz    random tests with new examples for MINUTES=30; prints the seed"
	@echo "make check   lint, format, types"
	@echo "make bench   benchmarks, as a table"
	@echo "make docs    generates editor schema and reference page from the code"
	@echo "make clean   removes $(VENV) and caches"

demo: $(INSTALLED)
	@$(BIN)/connector demo $(ARGS)

# A file's tests share servers, so each file stays with one worker; tests/conftest.py orders them.
test: $(INSTALLED)
	@$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder \
		-q $(ARGS)

# New examples for the random tests, seed by seed, until one fails or the time is up.
fuzz: $(INSTALLED)
	@$(BIN)/python tests/fuzz.py --minutes $(MINUTES) $(ARGS)

check: $(INSTALLED)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

bench: $(INSTALLED)
	@$(BIN)/python -m benchmarks $(ARGS)

docs: $(INSTALLED)
	@$(BIN)/connector schema > connector.schema.json
	@$(BIN)/connector docs > docs/reference.md

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis

$(INSTALLED): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Python 3.11 or later is needed; name one with: make PYTHON=python3.12 ..." >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[test]'
	@touch $@
