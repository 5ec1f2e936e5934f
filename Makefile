# Every target makes what it needs; the first one takes a minute or two for the set-up, later ones start at once.
#
#   make demo DEMO_ARGS="--runs 3"      make test TEST_ARGS="tests/retention -x"
#   make demo PYTHON=/path/to/python3.10       another Python than the one that set-up finds

SHELL := /bin/bash
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

bin := .venv/bin

# Without --fresh the demo goes on with what it left in build/demo.
DEMO_ARGS ?= --fresh

# Without .pyc files `import tfx.v1` takes three times as long; the other two bring in foreign packages.
unexport PYTHONDONTWRITEBYTECODE PYTHONHOME PYTHONPATH
# TensorFlow's notes on the processor are no news to anybody; its errors are.
export TF_CPP_MIN_LOG_LEVEL ?= 2

.PHONY: help
help: ## this list
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 18

.PHONY: demo
demo: setup ## the main job on real images: retrain, push, clean up, explain; into build/demo
	@$(bin)/python -m pipelines.inception_digits.run $(DEMO_ARGS)

.PHONY: picture
picture: setup ## docs/demo.svg, from what the last demo left in build/demo
	@$(bin)/python -m pipelines.inception_digits.picture

.PHONY: test
test: setup ## all tests
	@scripts/test.sh $(TEST_ARGS)

.PHONY: lint
lint: setup ## style, format, who may import whom
	@$(bin)/ruff check .
	@$(bin)/ruff format --check .
	@$(bin)/lint-imports

.PHONY: types
types: setup ## static types
	@$(bin)/pyright

.PHONY: check
check: lint types test ## lint, types and test

.PHONY: bench
bench: setup ## the benchmarks, one after the other
	@set -e; for file in benchmarks/[a-z]*.py; do echo "== $$file"; $(bin)/python "$$file"; done

.PHONY: mutants
mutants: setup ## changes what decides, in small ways, and asks if a test notices; docs/mutation.md
	@$(bin)/python scripts/mutants.py $(MUTANTS_ARGS)

.PHONY: wheel
wheel: setup ## builds the wheel, and runs the command line from it where there is no TFX
	@scripts/wheel.sh

.PHONY: format
format: setup ## puts the code into shape
	@$(bin)/ruff check --fix .
	@$(bin)/ruff format .

.PHONY: lock
lock: ## uv.lock anew, after a change of pyproject.toml
	@scripts/uv.sh lock

.PHONY: setup
setup: ## .venv with the locked packages; all of the above do it by themselves
	@scripts/setup.sh

.PHONY: clean
clean: ## removes what runs leave behind
	rm -rf build .pytest_cache .ruff_cache .hypothesis .import_linter_cache

.PHONY: distclean
distclean: clean ## also the environment
	rm -rf .venv .tools
