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

# Resolves requirements/base.in anew; run it after a change there.
lock: setup
	.venv/bin/uv pip compile --quiet --python-version 3.10 --python-platform x86_64-manylinux_2_28 \
	  --generate-hashes --allow-unsafe --no-emit-index-url --no-emit-find-links \
	  --custom-compile-command "make lock" requirements/base.in -o requirements/py310.lock

clean:
	rm -rf .venv .cache build *.egg-info
