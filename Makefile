# Every target makes .venv by itself. A machine needs make, Python 3.11 and a network; nothing else, and no root.
.DEFAULT_GOAL := help
.PHONY: help demo demo-stop test test-full test-22 test-16 test-unit lint types histories fuzz bench bench-queue chaos soak run
.PHONY: lab-up lab-down install uninstall clean

PY := .venv/bin/python
CODE := src tests
# Where this is set, each of the many processes of a test run compiles everything anew: that is most of its time.
export PYTHONDONTWRITEBYTECODE :=

# ASTERISK=16 or 22: the demo, the tests and the lab with that one, from the Debian suite that carries it. Without,
# the machine's own, or 22 where it has none.
SUITE_16 := bullseye
SUITE_22 := sid
ifneq ($(ASTERISK),)
ifndef SUITE_$(ASTERISK)
$(error ASTERISK=$(ASTERISK): the lab has 16 and 22)
endif
export CCBRIDGE_LAB_SUITE := $(SUITE_$(ASTERISK))
endif

# Scratch files in a folder of their own, which goes at the end; after a failure it stays, to be looked at. Not
# inside the project: the path of a Unix socket has at most 107 bytes.
define PYTEST
scratch=$$(mktemp -d); trap 'exit 130' INT TERM; \
check() { $(PY) -m pytest --basetemp="$$scratch/t" "$$@"; code=$$?; [ $$code -eq 1 ] || rm -rf "$$scratch"; return $$code; }; \
check
endef

# A lab's test mostly waits: four labs, each with the tests of whole modules, keep two cores busy, and no more.
FOUR := -n 4 --dist loadscope

help:
	@echo 'make demo        real calls through a real Asterisk, in about a minute (KEEP=1: leave all running; make demo-stop ends it)'
	@echo 'make test        lint, types, unit tests, real PostgreSQL, real Asterisk'
	@echo 'make test-full   the same and what takes long, then end to end on Asterisk 16 (any target takes ASTERISK=16 or 22)'
	@echo 'make test-unit   only the tests that need neither Asterisk nor PostgreSQL'
	@echo 'make chaos N=200 real calls while everything around them is killed and frozen (SEED=...: the same again)'
	@echo 'make histories   5,000 random histories of the routing core (N=20000, SEED=2)'
	@echo 'make fuzz        100,000 cases at every door (CASES=1000000, SEED=2)'
	@echo 'make bench       how fast it is, beside what it is built on'
	@echo 'make bench-queue the same beside Queue() on one Asterisk, in about six minutes (needs SIPp; fetches it)'
	@echo 'make soak        the same load for two hours (MINUTES=120), and whether anything of the daemon grows'
	@echo 'make lint        ruff; make types: mypy'
	@echo 'make run CONFIG=/etc/ccbridge/ccbridge.yml   the routing daemon in the foreground'
	@echo 'make lab-up      start a PBX, phones, a carrier and PostgreSQL in .lab/; make lab-down ends them'
	@echo 'make install     for a machine of its own (PREFIX=/usr/local SYSCONFDIR=/etc DESTDIR=); make uninstall takes it away'
	@echo 'make clean       end a running lab, remove .venv, .lab, var and caches'

.venv/stamp: pyproject.toml .ci/venv
	@.ci/venv

demo: .venv/stamp
	@$(PY) -m ccbridge.lab.demo $(if $(KEEP),--keep)

demo-stop: .venv/stamp
	@$(PY) -m ccbridge.lab.demo --stop

test: lint types
	@$(PY) -m ccbridge lab fetch
	@$(PYTEST) $(FOUR) -m 'not full'

# All parts run, also after one that failed; the exit code is 0 only if each passed.
test-full:
	@$(MAKE) -k --no-print-directory lint types test-22 test-16

test-22: .venv/stamp
	@echo '=== Everything, the long ones too (Asterisk 22)'
	@$(PYTEST) $(FOUR)

test-16: export CCBRIDGE_LAB_SUITE := bullseye
test-16: .venv/stamp
	@echo '=== End to end on Asterisk 16'
	@$(PYTEST) $(FOUR) tests/e2e

test-unit: .venv/stamp
	@$(PYTEST) --ignore=tests/e2e --ignore=tests/lab --ignore=tests/store -m 'not lab and not pg and not full'

lint: .venv/stamp
	@$(PY) -m ruff check $(CODE)
	@$(PY) -m ruff format --check $(CODE)

types: .venv/stamp
	@$(PY) -m mypy --strict src

histories: .venv/stamp
	@$(PY) tests/core/histories.py $(if $(N),--histories $(N)) $(if $(SEED),--seed $(SEED))

fuzz: .venv/stamp
	@$(PY) tests/fuzz/fuzz_run.py $(if $(CASES),--cases $(CASES)) $(if $(SEED),--seed $(SEED))

# Ratios, not rates: what the machine does beside is divided out.
bench: .venv/stamp
	@for one in ami agi core decision journal cpu; do echo "=== bench_$$one"; $(PY) tests/bench/bench_$$one.py || exit 1; done

bench-queue: .venv/stamp
	@$(PY) -m ccbridge lab fetch
	@$(PY) tests/bench/bench_queue.py

chaos: .venv/stamp
	@$(PY) -m ccbridge.lab.chaos $(if $(N),--count $(N)) $(if $(SEED),--seed $(SEED))

soak: .venv/stamp
	@$(PY) -m ccbridge.lab.soak $(if $(MINUTES),--minutes $(MINUTES))

run: .venv/stamp
	@if [ -z "$(CONFIG)" ]; then echo 'make run: say which site, e.g. make run CONFIG=/etc/ccbridge/ccbridge.yml' >&2; exit 2; fi
	@exec $(PY) -m ccbridge run -c "$(CONFIG)"

lab-up: .venv/stamp
	@$(PY) -m ccbridge lab up

lab-down: .venv/stamp
	@$(PY) -m ccbridge lab down

PREFIX ?= /usr/local
SYSCONFDIR ?= /etc

install: .venv/stamp
	@PREFIX="$(PREFIX)" SYSCONFDIR="$(SYSCONFDIR)" DESTDIR="$(DESTDIR)" PIP="$(CURDIR)/$(PY) -m pip" packaging/install install

uninstall:
	@PREFIX="$(PREFIX)" SYSCONFDIR="$(SYSCONFDIR)" DESTDIR="$(DESTDIR)" packaging/install uninstall

# A lab that still runs would lose its folder under its feet: it is ended first, or nothing is removed.
clean:
	@if [ -e .lab/run/state.json ] || [ -e var/demo/running.json ] || [ -e var/demo/lab/state.json ]; then \
	    [ -x $(PY) ] || { echo 'make clean: a lab may be running, and .venv is gone; make lab-down demo-stop first' >&2; exit 1; }; \
	    $(PY) -m ccbridge lab down && $(PY) -m ccbridge.lab.demo --stop; \
	fi
	rm -rf .venv .lab var build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis src/*.egg-info
	@find src tests -name __pycache__ -type d -prune -exec rm -rf {} +
