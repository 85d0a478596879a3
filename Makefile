# Every command a person needs; `make help` lists them.
PORT ?= 8000
PYTHON ?= python3
BIN := .venv/bin
PIP := PIP_CONSTRAINT=constraints.txt PIP_DISABLE_PIP_VERSION_CHECK=1 $(BIN)/python -m pip install --quiet

.DEFAULT_GOAL := help
.PHONY: help demo test check bench format page clean

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: .venv/.demo ## start the bot in a sandbox workspace and print the page to open (PORT=8000)
	@exec $(BIN)/python -m sandbox --port $(PORT)

test: .venv/.dev ## run all tests
	@$(BIN)/pytest -q -n auto --maxprocesses 4 --dist loadgroup

check: .venv/.dev ## ruff, mypy --strict and the import contracts
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

bench: .venv/.dev ## measure; ONLY=import runs the part whose names begin so
	@$(BIN)/python -m bench $(if $(ONLY),--only $(ONLY))

format: .venv/.dev ## put the code in its one format
	@$(BIN)/ruff check --fix --quiet . ; $(BIN)/ruff format .

page: ## rebuild the sandbox page's bundle (needs Node 20 and npm)
	@cd sandbox/slack/page && npm ci --no-audit --no-fund && npm run build

clean: ## remove what the commands above made
	@rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis bench/out *.egg-info

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; $(PYTHON) is $$($(PYTHON) --version). Name another with: make PYTHON=python3.12 …"; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "Python's venv is missing. On Debian or Ubuntu install it with: apt install python3-venv"; exit 1; }
	@echo "Making .venv (once)…"
	@$(PYTHON) -m venv .venv

.venv/.demo: pyproject.toml constraints.txt | .venv/bin/python
	@echo "Installing what the demo needs (once, about a minute)…"
	@$(PIP) -e '.[sandbox]'
	@touch $@

.venv/.dev: pyproject.toml constraints.txt | .venv/bin/python
	@echo "Installing what the tests need (once, about two minutes)…"
	@$(PIP) -e '.[dev]'
	@touch $@
