# Each target does all set-up itself. `make check` takes a minute, `make test` is everything.

ROOT ?= runs/sample
PYTHON = .venv/bin/python

.PHONY: setup run check test coverage mutants lint lock dist clean

setup:
	@sh requirements/setup_env.sh

run: setup
	@$(PYTHON) -m emotion_pipeline.demo --root $(ROOT)

# What a change is looked at with first: lint, types, and the tests that need no TFX and no TensorFlow.
check: lint
	$(PYTHON) -m pytest --quick --quiet --numprocesses auto --dist loadfile $(PYTEST_ARGS)

# Several tests run at once, in one worker more than there are cores. A file's tests stay together, for its
# fixtures' sake, and the files keep the order that tests/conftest.py gives them: the longest come first.
PARALLEL = --numprocesses auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

test: setup
	$(PYTHON) -m pytest $(PARALLEL) --durations 10 $(PYTEST_ARGS)

# Which branches the tests take, in every process that they start: a table, and pages of the sources.
coverage: setup
	rm -rf .cache/coverage && mkdir -p .cache/coverage
	status=0; $(PYTHON) -m coverage run -m pytest $(PARALLEL) $(PYTEST_ARGS) || status=$$?; \
	  $(PYTHON) -m coverage combine --quiet && $(PYTHON) -m coverage report && \
	  $(PYTHON) -m coverage html --quiet && exit $$status

# Which small mistakes in the code that decides the tests would miss: make mutants SUBJECTS="balance bar"
mutants: setup
	$(PYTHON) -m benchmarks.quality.mutants $(SUBJECTS)

lint: setup
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy

# Resolves requirements/base.in anew, a lock for each stack; run it after a change there or of a setup.py.
# Each image gets what its programs import, in its stack's versions, and none of the checks' packages.
COMPILE = .venv/bin/uv pip compile --quiet --generate-hashes --allow-unsafe --no-emit-index-url \
  --no-emit-find-links --custom-compile-command "make lock" \
  --excludes requirements/excludes.txt
STACKS = py310 py311-py313
FOR_py310 = --python-version 3.10 --python-platform x86_64-manylinux_2_28
FOR_py311-py313 = --python-version 3.11 --universal
define IMAGE_LOCK
	$(COMPILE) $(FOR_$(1)) --constraint requirements/$(1).lock --no-emit-package emotion-faces \
	  $(3) -o requirements/image/$(2)-$(1).lock

endef

lock: setup
	$(foreach stack,$(STACKS),$(COMPILE) $(FOR_$(stack)) requirements/base.in -o requirements/$(stack).lock &&) true
	$(foreach stack,$(STACKS),$(call IMAGE_LOCK,$(stack),pipeline,setup.py emotion-faces/setup.py))
	$(foreach stack,$(STACKS),$(call IMAGE_LOCK,$(stack),page,emotion-faces/setup.py))
	$(foreach stack,$(STACKS),$(call IMAGE_LOCK,$(stack),server,requirements/image/server.in \
	  --excludes requirements/image/server-excludes.txt))
	$(foreach stack,$(STACKS),$(call IMAGE_LOCK,$(stack),build,requirements/image/build.in))

# Wheels and source distributions of both, checked, and the wheels tried in environments of their own.
dist: setup
	sh requirements/dist.sh

clean:
	rm -rf .venv .cache build dist *.egg-info src/*.egg-info emotion-faces/build emotion-faces/src/*.egg-info
