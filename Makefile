# zktui. `make demo` and `make test` do all their own set-up in .venv; `make help` lists the rest.
SHELL := /bin/bash
VENV := .venv
PY := $(VENV)/bin/python
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3 python; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && { echo "$$p"; break; }; done)
PIP := $(PY) -m pip --quiet --disable-pip-version-check
EMBEDDED := tests/unit tests/ui tests/snapshots tests/scenarios tests/embedded

.PHONY: help demo test e2e vectors drain-table lint format screenshots bench lock clean need-python need-java need-maven zookeeper
.DEFAULT_GOAL := help

help: ## this list
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

demo: $(VENV)/.run need-java zookeeper ## a live three-member ensemble on four nodes, and zktui on it
	@$(PY) -m zktui demo $(ARGS)

test: $(VENV)/.dev need-java zookeeper ## every test, with real ZooKeeper servers in it
	@$(PY) -m pytest -n 2 --dist loadfile $(ARGS) $(EMBEDDED)

lint: $(VENV)/.dev ## ruff, pyright strict and the import contracts
	@$(VENV)/bin/ruff check zktui tests
	@$(VENV)/bin/ruff format --check zktui tests
	@$(VENV)/bin/lint-imports
	@PYRIGHT_PYTHON_IGNORE_WARNINGS=1 $(VENV)/bin/pyright

format: $(VENV)/.dev ## put the code in ruff's format
	@$(VENV)/bin/ruff format zktui tests
	@$(VENV)/bin/ruff check --fix zktui tests

# 75: this machine can't run a part. The build says why, and the tests of that part are skipped by name.
e2e: $(VENV)/.dev need-java zookeeper ## the same scenarios on a real Kubernetes built here (NODES=kwok: what needs no kubelet)
ifeq ($(NODES),kwok)
	@$(PY) -m tests.e2e build --nodes kwok
	@ZKTUI_NODES=kwok ZKTUI_CLUSTER=kwok $(PY) -m pytest $(ARGS) tests/e2e tests/scenarios/test_budgets.py
else
	@$(PY) -m tests.e2e build || [ $$? = 75 ]
	@ZKTUI_CLUSTER=real $(PY) -m pytest -n 3 --dist loadgroup --no-loadscope-reorder $(ARGS) tests/e2e tests/scenarios
endif

vectors: $(VENV)/.dev ## record anew what a real API server answers (ARGS='leases cordons' only these, ARGS=--check compares)
	@$(PY) -m tests.e2e.record $(ARGS)

drain-table: $(VENV)/.dev ## docs/drain.md anew from the cases that kubectl drain and zktui are compared in
	@$(PY) -m tests.e2e.parity >docs/drain.md

screenshots: $(VENV)/.dev need-java zookeeper ## screenshots/*.svg and .png from the real program on the demo
	@$(PY) -m tests.screenshots $(ARGS)

bench: $(VENV)/.dev need-java zookeeper ## side by side with the tools a user would otherwise pick
	@$(PY) -m pytest -s $(ARGS) tests/bench

LOCK := $(VENV)/bin/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate
lock: $(VENV)/.dev ## make the lock files anew from pyproject.toml (ARGS=--upgrade for newer versions)
	@$(LOCK) $(ARGS) pyproject.toml -o requirements.lock
	@$(LOCK) $(ARGS) pyproject.toml --group dev -o requirements-dev.lock
	@$(LOCK) $(ARGS) --group build -o requirements-build.lock

clean: ## remove .venv and caches of this checkout
	rm -rf $(VENV) .pytest_cache .ruff_cache .import_linter_cache
	find zktui tests -name __pycache__ -type d -prune -exec rm -rf {} +

# --- set-up ---------------------------------------------------------------------------------------------------------

need-python:
	@test -n "$(PYTHON)" || { echo "zktui needs Python 3.11 or later. On Debian or Ubuntu: apt-get install python3 python3-venv"; exit 2; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || \
		{ echo "This Python has no venv module. On Debian or Ubuntu: apt-get install python3-venv"; exit 2; }

need-java:
	@"$${JAVA_HOME:+$$JAVA_HOME/bin/}java" -version >/dev/null 2>&1 || \
		{ echo "The demo's ZooKeeper servers need Java 11 or later. On Debian or Ubuntu: apt-get install openjdk-17-jdk-headless"; exit 2; }

# ZooKeeper itself: found where it is installed, else fetched once into the user's cache by Maven.
zookeeper: $(VENV)/.run
	@$(PY) -m zktui.demo --prepare

$(VENV)/bin/python: | need-python
	@echo "Making $(VENV) with $(PYTHON) ..."
	@$(PYTHON) -m venv $(VENV)

# Byte-compiled on install, so that the first start is as fast as every other.
$(VENV)/.run: requirements.lock pyproject.toml | $(VENV)/bin/python
	@echo "Installing zktui and what it needs ..."
	@$(PIP) install --require-hashes --compile -r requirements.lock
	@$(PIP) install --require-hashes --compile -r requirements-build.lock
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@$(PY) -m compileall -q zktui
	@touch $@

$(VENV)/.dev: $(VENV)/.run requirements-dev.lock
	@echo "Installing what the tests need ..."
	@$(PIP) install --require-hashes --compile -r requirements-dev.lock
	@touch $@
