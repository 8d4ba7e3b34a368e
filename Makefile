# `make` alone lists the commands. Everything runs in .venv, which the first command makes.

BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
# Tested with 3.11; any newer one that can make environments will do. Choose another: make report PYTHON=/path/to/python
PYTHON ?= $(shell for python in python3.11 python3.12 python3.13 python3.14 python3 python; do \
	$$python -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& { echo $$python; break; }; done)
# The stamps in a .venv mean nothing when its interpreter is gone, or when it was made for another folder (a copied or
# moved checkout: its scripts and its link to this package lead back there).
HERE := test -x $(BIN)/python && grep -qsF '$(CURDIR)/.venv' $(BIN)/activate
RENEW := $(if $(shell $(HERE) && echo here),,renew)

CHECKS := check-lint check-format check-types check-sql check-floors check-notebooks check-generated check-infra

.NOTPARALLEL:
.PHONY: help report test test-fast check $(CHECKS) bench trino local-athena lab docs generate lambda lock new-report clean renew

help:  ## list these commands
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/\1	\2/p' Makefile | while IFS='	' read -r name text; do \
		printf 'make %-12s %s\n' "$$name" "$$text"; done

report: .venv/.analytics  ## the three reports on the samples: HTML, PNG and CSV in reports/
	@echo 'Running the reports on data/samples ...'
	@$(BIN)/analytics-lib run --data data/samples --engine duckdb --output reports
	@echo 'The pages, to open in a browser:'
	@find reports -name '*.html' ! -path '*/failed/*' | sort | while read -r page; do echo "  $$PWD/$$page"; done

test: .venv/.dev  ## all tests, fast and slow (more for pytest: ARGS="-k funnel")
	@echo 'Running all tests ...'
	@$(BIN)/python -m pytest -n auto --dist worksteal $(ARGS)

test-fast: .venv/.dev  ## the fast tests only
	@echo 'Running the fast tests ...'
	@$(BIN)/python -m pytest -n auto --dist worksteal -m 'not slow' $(ARGS)

check: $(CHECKS)  ## lint, types, SQL, import floors, notebooks stripped, generated files current, CloudFormation
	@echo 'All checks passed.'

check-lint: .venv/.dev
	@echo 'Lint: ruff check'
	@$(BIN)/python -m ruff check

check-format: .venv/.dev
	@echo 'Format: ruff format --check (to repair: .venv/bin/ruff format)'
	@$(BIN)/python -m ruff format --check

check-types: .venv/.dev
	@echo 'Types: mypy --strict'
	@$(BIN)/python -m mypy

check-sql: .venv/.dev
	@echo 'SQL: sqlfluff lint'
	@$(BIN)/sqlfluff lint --disable-progress-bar sql

check-floors: .venv/.dev
	@echo 'Floors: who imports whom'
	@$(BIN)/python -m pytest -q tests/test_floors.py

check-notebooks: .venv/.dev
	@echo 'Notebooks: no outputs in git (to repair: .venv/bin/nbstripout --keep-id notebooks/*.ipynb)'
	@set -- notebooks/*.ipynb; test ! -e "$$1" || $(BIN)/nbstripout --keep-id --verify "$$@"

check-infra: .venv/.dev
	@echo 'Infrastructure: cfn-lint'
	@$(BIN)/cfn-lint infra/template.yaml

check-generated: .venv/.dev
	@echo 'Generated files: current with analytics_lib/schema.py (to repair: make generate)'
	@$(BIN)/python -m tools.generate --check

bench: .venv/.dev  ## speed and memory on a large generated lake (options: ARGS="--help")
	@$(BIN)/python -m benchmarks $(ARGS)

trino: .venv/.dev  ## fetch Trino, which the tests of Athena and local-athena need (965 MB, once; with Maven)
	@$(BIN)/python -m tests.support.local_athena --fetch

local-athena: trino  ## an Athena on this machine with the samples in it, to try the commands (until Ctrl-C)
	@echo 'Starting S3, Glue and Athena on this machine (about 20 seconds) ...'
	@exec $(BIN)/python -m tests.support.local_athena --samples data/samples $(ARGS)

lab: .venv/.lab  ## JupyterLab in notebooks/ (more for it: ARGS="--no-browser")
	@cd notebooks && ../$(BIN)/jupyter-lab $(ARGS)

docs: generate  ## the generated pages and tables of docs/ (the same as generate)

generate: .venv/.analytics  ## rewrite what is derived from analytics_lib/schema.py: views, samples, docs
	@$(BIN)/python -m tools.generate

lambda: .venv/.analytics  ## the zip of the delivery function: build/lambda.zip
	@$(BIN)/python infra/package.py

new-report: .venv/.analytics  ## the files of a new report: make new-report NAME=refunds
	@test -n '$(NAME)' || { echo 'Name the report: make new-report NAME=refunds' >&2; exit 2; }
	@$(BIN)/python -m tools.new_report '$(NAME)'
	@$(BIN)/python -m tools.generate

lock:  ## resolve every dependency anew and rewrite constraints.txt
	@echo 'Resolving all extras in an empty environment (a minute or two) ...'
	@python='$(PYTHON)'; $(need_python); rm -rf build/lock && "$$python" -m venv build/lock
	@build/lock/bin/python -m pip --disable-pip-version-check --quiet install --editable '.[all]'
	@{ echo '# The environment that was tested, made by `make lock`. Names and versions only.'; \
		build/lock/bin/python -m pip freeze --exclude-editable | grep -E '^[A-Za-z0-9._-]+==[A-Za-z0-9.+!]+$$'; \
		} > build/constraints.txt
	@mv build/constraints.txt constraints.txt && rm -rf build/lock
	@echo 'constraints.txt is new; `make test` installs and tries it.'

clean:  ## remove reports, caches and builds (the environment stays: rm -r .venv)
	@rm -rf reports build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	@find . -path ./.venv -prune -o \( -name __pycache__ -o -name .ipynb_checkpoints \) -type d -prune \
		-exec rm -rf {} +

# The environment. A stamp is touched last: an install that failed or was interrupted is done again.

.venv/.analytics: pyproject.toml constraints.txt $(RENEW)
	$(call environment)
	$(call install,analytics$(comma)athena,what the reports need (about a minute the first time))
	@touch $@

.venv/.dev: pyproject.toml constraints.txt $(RENEW)
	$(call environment)
	$(call install,analytics$(comma)athena$(comma)dev,what reports and tests need (about a minute the first time))
	@touch .venv/.analytics $@

.venv/.lab: pyproject.toml constraints.txt $(RENEW)
	$(call environment)
	$(call install,analytics$(comma)athena$(comma)lab,JupyterLab)
	@touch .venv/.analytics $@

comma := ,

define need_python
test -n "$$python" || { \
	echo 'Python 3.11 or newer with its venv module is needed, and none was found.'; \
	echo 'On Debian or Ubuntu: apt install python3 python3-venv. Elsewhere: make PYTHON=/path/to/python3.11 ...'; \
	exit 1; } >&2; \
"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	echo "$$python is no Python 3.11 or newer; choose one: make PYTHON=/path/to/python3.11 ..." >&2; exit 1; }; \
"$$python" -c 'import ensurepip, venv' 2>/dev/null || { \
	echo "$$python cannot make environments; on Debian or Ubuntu: apt install python3-venv" >&2; exit 1; }
endef

# .venv is made anew when it is not this folder's, when its pip does not run, and when a package in it lacks its list of
# files (RECORD): then pip was killed at work, takes the package for installed, and can no longer remove it.
define environment
@whole() { \
	$(HERE) && $(BIN)/python -m pip --version >/dev/null 2>&1 || return 1; \
	for package in .venv/lib/python*/site-packages/*.dist-info; do test -f "$$package/RECORD" || return 1; done; }; \
whole || { \
	python='$(PYTHON)'; $(need_python); \
	echo "Making .venv with $$python ..."; \
	"$$python" -m venv --clear .venv; }
endef

define install
@echo 'Installing into .venv: $(2) ...'
@$(PIP) install --constraint constraints.txt hatchling
@$(PIP) install --constraint constraints.txt --no-build-isolation --editable '.[$(1)]'
endef
