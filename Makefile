# make run    starts the site with demo data        make test    runs every test
# `make help` lists the rest. Nothing but Python 3.11 or newer is needed; it all lands in .venv.

PYTHON ?= python3
PORT ?= 8000
WORKERS ?= 2
SEQUENCES ?= 2000
BIN = .venv/bin
SETS = base production dev

# Values for a machine of one's own; whatever is exported already wins. Production sets its own: docs/production.md.
run demo demo-mcp manage migrations: export DEBUG ?= 1

.DEFAULT_GOAL := help
.PHONY: help run demo demo-mcp env env-dev test test-long test-e2e test-postgres check lint format lock messages vendor migrations python

help: ## list the commands
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/make \1@\2/p' Makefile | awk -F@ '{ printf "%-20s %s\n", $$1, $$2 }'

python:
	@command -v $(PYTHON) >/dev/null || { echo "error: Python 3.11 or newer is needed, and $(PYTHON) is not there. Point to one with: make PYTHON=/path/to/python3 ..." >&2; exit 2; }

env: python ## make the environment in .venv, nothing else
	@$(PYTHON) scripts/env.py base

env-dev: python ## the same, with the tests and tools
	@$(PYTHON) scripts/env.py dev

run: python ## start the site on http://localhost:8000 (make run PORT=8001)
	@$(PYTHON) scripts/env.py port $(PORT)
	@$(PYTHON) scripts/env.py base
	@exec $(BIN)/python scripts/start.py $(PORT)

demo: env ## bring the database up to date and load the demo catalogue, without starting the site
	@$(BIN)/python scripts/start.py

demo-mcp: env ## run the MCP server that the demo shop lists, so that a check of it succeeds
	@exec $(BIN)/python manage.py run_demo_mcp_server --check

test: env-dev ## run every test, on SQLite
	@$(BIN)/python -m pytest -n $(WORKERS)

test-long: env-dev ## drive 2,000 random lives of orders through faults and crashes (SEQUENCES=10000 for more)
	@ORDER_SEQUENCES=$(SEQUENCES) $(BIN)/python -m pytest -n $(WORKERS) tests/checkout/test_order_machine.py

test-e2e: env-dev ## run the browser tests only
	@$(BIN)/python -m pytest -n $(WORKERS) -m e2e

test-postgres: env-dev ## run the tests, browser aside, on PostgreSQL (DATABASE_URL says which)
	@DATABASE_URL="$${DATABASE_URL:-postgres://postgres@127.0.0.1:5432/marketplace}" $(BIN)/python -m pytest -n $(WORKERS) -m "not e2e"

check: env-dev ## run all that must pass before a commit, in about a minute
	@$(BIN)/python scripts/check.py
	@$(BIN)/python -m pytest -q -n $(WORKERS) -m "not e2e and not slow"

lint: env-dev ## look for mistakes of style; changes nothing
	@$(BIN)/python scripts/check.py lint

format: env-dev ## put code and templates into the common form
	@$(BIN)/ruff check -q --fix-only .
	@$(BIN)/ruff format -q .
	@find templates -name "*.html" -print0 | xargs -0 $(BIN)/djade --target-version 5.2 || true

messages: env-dev ## collect texts into locale/ and compile the translations (needs gettext)
	@$(BIN)/python scripts/messages.py

migrations: env-dev ## write the migrations for changed models
	@$(BIN)/python manage.py makemigrations

lock: ## pin the newest allowed versions, with hashes (needs uv)
	@command -v uv >/dev/null || { echo "error: uv is needed to lock: https://docs.astral.sh/uv/ or pipx install uv" >&2; exit 2; }
	@for set in $(SETS); do \
		uv pip compile -q --upgrade --generate-hashes --universal --python-version 3.11 --no-emit-index-url --no-emit-find-links --no-strip-extras \
			--custom-compile-command "make lock" requirements/$$set.in -o requirements/$$set.txt || exit; \
	done

vendor: ## fetch fonts and icons again at the versions in static/vendor/README.md (needs npm)
	@scripts/vendor.sh
