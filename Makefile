# make demo   two agents learn one task; runs/demo/report.html
# make test   every test but the slow learning ones
# Each target sets up what it needs; a second call starts at once.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export SDL_VIDEODRIVER ?= dummy
export PYGAME_HIDE_SUPPORT_PROMPT := 1

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-slow lint format bench clean

help:  ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(VENV)/.installed  ## the virtual environment, with the project in it

$(VENV)/.installed: setup.cfg pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if v >= (3, 11) else "Motley needs Python 3.11 or newer; this is %d.%d. Name one: make PYTHON=python3.12" % v[:2])'
	@echo "Setting up $(VENV) (once; a few minutes, most of it PyTorch) ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
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

clean:  ## the environment and caches; runs/ stays
	@rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache
