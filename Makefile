# Needs only make and Python 3.11 or newer with its venv module. `make` alone lists the targets.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
LOCKS := deploy/requirements/dev.txt
PAGES := deploy/web/package.json deploy/web/package-lock.json deploy/web/vendor.py
ARGS ?=
# The whole suite runs in workers, file by file, in the order of the folders: the long stories come early.
ALL_AT_ONCE := --numprocesses 3 --dist loadfile --no-loadscope-reorder

# A run of the tests starts hundreds of processes: what Python has compiled is kept, whatever the caller's shell says.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup run test check format bench reference lock clean

help: ## this list
	@echo "make <target>:"
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  \1\t\2/p' $(MAKEFILE_LIST)

setup: $(VENV)/installed $(VENV)/pages ## install everything into .venv (again only when a lock has changed)

run: setup ## start the product on this machine; Ctrl-C stops it, the data stays in .ticketing
	@$(BIN)/ticketing run $(ARGS)

test: setup ## run every test; ARGS="-k name" chooses
	@$(BIN)/pytest $(if $(ARGS),$(ARGS),$(ALL_AT_ONCE))

check: setup ## formatting, lint, types, walls
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: setup ## put the code into its usual form
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: setup ## measure, with the limit beside each figure
	@$(BIN)/python -m tests.bench $(ARGS)

reference: setup ## make the reference pages of docs/ anew
	@$(BIN)/python -m deploy.reference

lock: setup ## pin the newest versions that pyproject.toml allows
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-annotate --no-header --upgrade --output-file deploy/requirements/services.txt pyproject.toml
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-annotate --no-header --upgrade --constraints deploy/requirements/services.txt --extra dev --output-file deploy/requirements/dev.txt pyproject.toml
	$(BIN)/python -m deploy.web.vendor --lock

clean: ## remove what setup has made; .ticketing stays
	rm -rf $(VENV) deploy/web/node_modules services/query/web/static/vendor

$(VENV)/bin/python:
	@command -v $(PYTHON) >/dev/null 2>&1 || { echo "make: no program '$(PYTHON)'; install Python 3.11 or newer, or name it: make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "make: $$($(PYTHON) --version) is too old; Python 3.11 or newer is needed, name it: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "make: $(PYTHON) has no venv module (on Debian: the package python3-venv); install it, or name another: make PYTHON=..." >&2; exit 1; }
	@echo "making $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }

$(VENV)/installed: $(LOCKS) pyproject.toml | $(VENV)/bin/python
	@echo "installing packages (a few minutes the first time)"
	@$(BIN)/python -m pip install --disable-pip-version-check --quiet --progress-bar on --require-hashes -r deploy/requirements/dev.txt || { echo "make: packages could not be installed; see above. Without a network: connect this machine (HTTPS_PROXY is honoured) and run the same command again" >&2; exit 1; }
	@$(BIN)/python -m pip install --disable-pip-version-check --quiet --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/pages: $(PAGES) $(VENV)/installed
	@$(BIN)/python -m deploy.web.vendor
	@touch $@
