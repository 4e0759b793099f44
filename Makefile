# `make demo` and `make test` need only Python >= 3.10 with headers, a C compiler, make and git.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: install demo test test-slow lint bench clean

install: .venv/installed

# Remade when what is installed or compiled changes.
.venv/installed: pyproject.toml setup.py $(wildcard fcnlite/_kernels/*.pyx fcnlite/_kernels/*.pxd fcnlite/_kernels/*.pxi)
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --editable '.[test]'
	touch $@

demo: install
	$(BIN)/python -m fcnlite.train --recipe demo --out demo --overwrite

test: install lint
	$(BIN)/python -m pytest

test-slow: install
	$(BIN)/python -m pytest -m slow

lint: install
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

clean:
	rm -rf .venv build dist *.egg-info fcnlite/_kernels/*.c fcnlite/_kernels/*.so
