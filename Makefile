# make demo   two agents learn one task; runs/demo/report.html
# make test   every test but the slow learning ones
# Each target sets up what it needs; a second call starts at once.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export SDL_VIDEODRIVER ?= dummy
export PYGAME_HIDE_SUPPORT_PROMPT := 1
# Processes run side by side, so each keeps to one thread of its own.
export OMP_NUM_THREADS ?= 1

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-slow lint format bench docs clean

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/.installed  ## the virtual environment, with the project in it

# The stamp is written last: a set-up cut short is taken up again. An environment
# without pip is what Python leaves behind where its `venv` or `ensurepip` failed.
$(VENV)/.installed: setup.cfg pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "No $(PYTHON) here. Motley needs Python 3.11 or newer; name one: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if v >= (3, 11) else "Motley needs Python 3.11 or newer; this is %d.%d. Name one: make PYTHON=python3.12" % v[:2])'
	@echo "Setting up $(VENV) (once; a few minutes, most of it PyTorch) ..."
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

demo: setup  ## two agents learn one task, side by side; leaves runs/demo/report.html
	@$(BIN)/motley demo

test: setup  ## every test but the slow ones
	@$(BIN)/python -m pytest -n 2 --dist loadgroup

test-slow: setup  ## the learning tests, minutes each
	@$(BIN)/python -m pytest -m slow

lint: setup  ## ruff and mypy, strict
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy

format: setup  ## what ruff can mend by itself
	@$(BIN)/ruff check --fix . ; $(BIN)/ruff format .

bench: setup  ## the speed table, beside peers, in one interleaved run
	@$(BIN)/motley bench

docs: setup  ## the pages made from docstrings: tasks with pictures, structures, areas, costs
	@$(BIN)/python -m motley.scripts.reference
	@$(BIN)/python -m motley.scripts.pages

clean:  ## remove the environment and the caches; runs/ stays
	@rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache
