# Two commands do everything on a fresh machine: `make demo` and `make test`.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: help setup demo test check bench docs clean fuzz soak lab lock system

help:
	@sed -n 's/^## //p' $(MAKEFILE_LIST)

## make demo     set everything up and start Vigil with benign sample data
demo: setup
	$(BIN)/vigil up --demo --data data

## make test     set everything up and run all checks
test: setup system
	$(BIN)/python tools/checks.py --jobs 2 all

## make check    the fast checks only: style, types, walls, quick tests
check: setup
	$(BIN)/python tools/checks.py fast

## make bench    measure beside the peers; writes artifacts/bench
bench: setup
	$(PYTHON) tools/system_packages.py build test lab
	$(BIN)/python tools/bench.py

## make fuzz     long fuzzing of parsers and kernel
fuzz: setup system
	$(BIN)/python tools/checks.py fuzz

## make soak     long runs: 50 rounds of killed processes, half an hour of load with an edition every ten seconds
soak: setup system
	$(BIN)/python tools/checks.py soak

## make lab      Squid, nginx, BIND, PowerDNS and a node over one edition, on this machine only
lab: setup system
	$(BIN)/python tools/lab.py

## make docs     check the documentation and build the reference pages
docs: setup
	$(BIN)/python tools/checks.py docs

## make lock     pin all dependencies anew, with hashes and without addresses
lock: setup
	$(BIN)/python tools/lock.py

system:
	$(PYTHON) tools/system_packages.py

setup: $(VENV)/.ready

$(VENV)/.ready: pyproject.toml requirements/dev.txt CMakeLists.txt $(shell find native -type f)
	$(PYTHON) tools/setup.py
	touch $@

clean:
	rm -rf $(VENV) .venv-* build dist artifacts .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
