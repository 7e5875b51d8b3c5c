# `make run` and `make test` do all set-up themselves.

ROOT ?= runs/sample
PYTHON = .venv/bin/python

.PHONY: setup run test lint lock clean

setup:
	@sh requirements/setup_env.sh

run: setup
	@$(PYTHON) -m pipeline.demo --root $(ROOT)

test: setup
	$(PYTHON) -m pytest

lint: setup
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy

# Resolves requirements/base.in anew, a lock for each stack; run it after a change there.
COMPILE = .venv/bin/uv pip compile --quiet --generate-hashes --allow-unsafe --no-emit-index-url \
  --no-emit-find-links --custom-compile-command "make lock" requirements/base.in

lock: setup
	$(COMPILE) --python-version 3.10 --python-platform x86_64-manylinux_2_28 -o requirements/py310.lock
	$(COMPILE) --python-version 3.11 --universal -o requirements/py311-py313.lock

clean:
	rm -rf .venv .cache build *.egg-info
