# The verbs. `make` alone explains them.
.DEFAULT_GOAL := help
.PHONY: help serve test check faults bench bench-scale docs pricebook binary peers clean
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c

PYTHON ?= $(shell for name in python3 python3.13 python3.12 python3.11; do \
	$$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$name; break; }; done)
BIN := .venv/bin
DIST ?= dist
WORKERS ?= $(shell echo $$((2 * $$(nproc))))

help:
	@echo "make serve   install what runs the gateway, and run it on http://127.0.0.1:8080"
	@echo "make test    install what tests it, and run all tests (make test ARGS='tests/live -k stream' for some)"
	@echo "make faults  break everything on purpose, for a quarter of an hour, and print what came of it (ARGS='--only NAME')"
	@echo "make bench   measure speed beside other gateways, which it installs, for ten minutes (ARGS='--only NAME')"
	@echo "make bench-scale  the same with long prompts, many streams, a long history and many calls"
	@echo "make check   lint, types and the floors of the house"
	@echo "make docs    print docs/settings.md, errors.md and translation.md from the code's own tables"
	@echo "make pricebook  make gateway/book/models.jsonl from published prices; ARGS=--check prints what would change"
	@echo "make binary  make dist/gateway, the gateway as one file that needs no Python"
	@echo "make peers   install llama.cpp's server and LiteLLM's proxy, which some tests call as providers; it takes minutes"
	@echo "make clean   remove the virtual environment and all caches; your data stay"

serve: .venv/serve
	$(BIN)/python -m gateway serve

test: .venv/test .cache/nginx/asked
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadscope $(ARGS)

faults: .venv/test
	$(BIN)/python -m tests.faults $(ARGS)

bench: .venv/test
	$(BIN)/python -m bench $(ARGS)

bench-scale: .venv/test
	$(BIN)/python -m bench.scale $(ARGS)

check: .venv/test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache | sed -n '/^Analyzed/,$$p'

docs: .venv/serve
	$(BIN)/python -c "from gateway import config, errors; from gateway.dialects import translation; \
	from gateway.providers import profiles; \
	[open(f'docs/{page}.md', 'w').write(''.join(table.as_markdown() for table in tables)) for page, tables in \
	(('settings', [config]), ('errors', [errors]), ('translation', [translation, profiles]))]"

binary: .cache/binary/made
	.cache/binary/bin/python -m PyInstaller --noconfirm --log-level ERROR --distpath $(DIST) --workpath .cache/binary/work \
		deploy/gateway.spec

peers: .venv/test
	$(BIN)/python -m tests.peers

pricebook: .cache/pricebook/made
	.cache/pricebook/bin/python -m pricebook $(ARGS)

clean:
	rm -rf .venv .cache dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/made:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed. On Debian and Ubuntu: sudo apt-get install python3"; exit 1; }
	@$(PYTHON) -m venv --help >/dev/null 2>&1 && $(PYTHON) -c 'import ensurepip' 2>/dev/null || { \
		version=$$($(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])'); \
		if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
			apt-get update -qq && apt-get install -y -qq python3-venv python$$version-venv; \
		else \
			echo "The module venv of Python is missing. Type: sudo apt-get install python$$version-venv"; exit 1; \
		fi; }
	$(PYTHON) -m venv .venv
	touch $@

.venv/serve: .venv/made requirements.txt
	$(BIN)/python -m pip install -q --disable-pip-version-check -r requirements.txt
	touch $@

.venv/test: .venv/serve requirements-dev.txt
	$(BIN)/python -m pip install -q --disable-pip-version-check -r requirements-dev.txt
	touch $@

# nginx for the tests, unpacked and not installed; without it they are skipped by name.
.cache/nginx/asked:
	@mkdir -p .cache/nginx
	@if ! PATH=$$PATH:/usr/sbin command -v nginx >/dev/null && command -v apt-get >/dev/null; then cd .cache/nginx; \
		{ apt-get download -qq nginx || { [ "$$(id -u)" = 0 ] && apt-get update -qq && apt-get download -qq nginx; }; } \
			2>/dev/null && dpkg-deb -x nginx_*.deb . && rm nginx_*.deb || echo "nginx cannot be had: it is not tried"; fi
	@touch $@

.cache/binary/made: .venv/made requirements.txt deploy/requirements.txt
	$(PYTHON) -m venv .cache/binary
	.cache/binary/bin/python -m pip install -q --disable-pip-version-check -r deploy/requirements.txt
	touch $@

.cache/pricebook/made: .venv/made pricebook/sources.txt pricebook/data.txt
	$(PYTHON) -m venv .cache/pricebook
	.cache/pricebook/bin/python -m pip install -q --disable-pip-version-check -r pricebook/sources.txt
	.cache/pricebook/bin/python -m pip install -q --disable-pip-version-check --no-deps -r pricebook/data.txt
	touch $@
