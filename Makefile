# `make run` and `make test` need Python 3.11+ with venv, and make; the rest they fetch themselves.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
# Compiled once, started often: also where the environment says not to write bytecode.
export PYTHONDONTWRITEBYTECODE :=
ARGS   ?=
# On more cores: make test ARGS="-n auto"; every test process then starts servers of its own.
PYTEST := $(BIN)/pytest

.DEFAULT_GOAL := help
.PHONY: help venv run test check format lint types imports files audit bench bench-pages soak load lock coverage wheel clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# uv installs in seconds what takes pip most of a minute; where it cannot reach the index as pip does, pip installs.
$(STAMP): requirements-dev.lock requirements-tools.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "EvoSync needs Python 3.11 or newer: make PYTHON=/path/to/python3.11 ..."; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-tools.lock
	$(BIN)/uv pip sync --quiet --compile-bytecode --python $(BIN)/python --require-hashes requirements-dev.lock || \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --offline --no-deps --no-build-isolation --editable . || \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

venv: $(STAMP) ## everything installed in .venv, exactly as locked

run: $(STAMP) ## the sandbox, a demo shop and the service: the first mirror run, live
	$(BIN)/evosync demo $(ARGS)

test: $(STAMP) ## the tests
	$(PYTEST) $(ARGS)

check: lint types imports files test ## format, lint, types, import rules, files of the deployment, tests

format: $(STAMP) ## rewrite the code in the house's format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix-only --quiet .

lint: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(STAMP)
	$(BIN)/mypy
	cd alembic && ../$(BIN)/mypy --cache-dir ../.mypy_cache --config-file ../pyproject.toml env.py versions # from inside: the library has its name

imports: $(STAMP)
	$(BIN)/lint-imports

files: $(STAMP)
	$(BIN)/check-jsonschema --builtin-schema vendor.compose-spec docker-compose.yml docker-compose.split.yml
	$(BIN)/hadolint Dockerfile
	$(BIN)/shellcheck -x .ci/run $(wildcard deploy/*.sh)

# All locks: what is served, what `embedded` adds, what builds, and what develops and tests. Where the index tells nothing
# of a package pip-audit would pass over it and call all well: --strict makes it an error.
audit: $(STAMP) ## known holes in the locked packages (asks PyPI for the advisories)
	$(BIN)/uv tool run pip-audit@2.10.1 --disable-pip --require-hashes \
		$(patsubst %,-r %,$(sort $(wildcard requirements*.lock))) $(or $(ARGS),--strict)

bench: $(STAMP) ## the figures of the README, measured again (a table, and JSON)
	$(BIN)/python -m tests.bench $(ARGS)

bench-pages: $(STAMP) ## server time of an owner's pages, 15,000 products and 1,000 runs, on MariaDB
	$(BIN)/python -m tests.bench.pages $(ARGS)

soak: $(STAMP) ## the fault tests in their long form
	$(PYTEST) -m soak --timeout 1800 $(ARGS)

load: $(STAMP) ## many owners at once
	$(BIN)/python -m tests.load $(ARGS)

screenshots: $(STAMP) ## all pages, two widths, both themes, both languages, into build/screenshots
	$(BIN)/python -m tests.browser.screenshots $(ARGS)

lighthouse: $(STAMP) ## what Lighthouse thinks of the public pages (fetches it with npx)
	$(BIN)/python -m tests.browser.lighthouse $(ARGS)

coverage: $(STAMP) ## the tests, with what they reach
	$(PYTEST) --cov --cov-report=term-missing:skip-covered --cov-report=html $(ARGS)

# Every lock agrees with the development one, which is made first. No address of an index stands in them.
COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--custom-compile-command "make lock"
SAME    = --constraint requirements-dev.lock
LOCKFLAGS ?= --upgrade

lock: ## newest versions that fit pyproject.toml, with hashes (LOCKFLAGS= keeps what still fits)
	test -x $(BIN)/uv || { $(PYTHON) -m venv $(VENV) && $(BIN)/python -m pip install --quiet uv; }
	$(COMPILE) $(LOCKFLAGS) pyproject.toml --group dev --extra embedded --extra sentry -o requirements-dev.lock
	$(COMPILE) $(SAME) pyproject.toml --extra sentry -o requirements.lock
	$(COMPILE) $(SAME) pyproject.toml --extra embedded -o requirements-embedded.lock
	$(COMPILE) $(SAME) --group build -o requirements-tools.lock

wheel: $(STAMP) ## dist/evosync-*.whl
	$(BIN)/uv build --quiet --wheel --no-build-isolation --python $(BIN)/python --offline

clean: ## all that can be made again
	rm -rf $(VENV) build dist htmlcov .coverage* .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
