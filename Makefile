# Everything a newcomer runs. All build files and caches land under build/; tools/apt-packages.txt says what is installed.
ROOT := $(CURDIR)
PYTHON := build/venv/bin/python
SANDBOX := tools/sandbox
ARGS ?=

export PYTHONPYCACHEPREFIX := $(ROOT)/build/cache/pycache
export HYPOTHESIS_STORAGE_DIRECTORY := $(ROOT)/build/cache/hypothesis
export PYTHONUNBUFFERED := 1
unexport PYTHONDONTWRITEBYTECODE  # every start would compile all libraries again: 1 s and 4 MiB instead of 0.3 s

.DEFAULT_GOAL := help
.PHONY: help demo test check crash soak vm-usb format bench bootstrap lock clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /make \1\t/p' $(MAKEFILE_LIST) | expand -t 18

demo: bootstrap ## issue the 20 sample records on the simulator (pictures: build/demo/cards/)
	@$(SANDBOX) --http-out -- $(PYTHON) -m tools.demo $(ARGS)

test: check ## all checks, then all tests; make test ARGS="-k chip" runs some
	@tools/run-tests $(ARGS)

check: bootstrap ## lint, format, types, import contracts
	@build/venv/bin/ruff check
	@build/venv/bin/ruff format --check
	@build/venv/bin/mypy
	@build/venv/bin/lint-imports --no-logo --cache-dir build/cache/import-linter

crash: bootstrap ## kill, cut power and unplug for an hour, CUPS beside it; figures in build/crash/report.json
	@$(PYTHON) -m tools.crash.run $(ARGS)

soak: bootstrap ## 100,000 cards on virtual time with random faults; figures in build/soak/report.json
	@$(PYTHON) -m tools.soak $(ARGS)

vm-usb: bootstrap ## the simulated printers on a real Linux kernel in QEMU; figures in build/vm-usb/report.json
	@$(PYTHON) -m tools.vm_usb $(ARGS)

format: bootstrap ## put the code into the common format
	@build/venv/bin/ruff check --fix
	@build/venv/bin/ruff format

bench: bootstrap ## measure; figures in build/bench/report.json
	@tools/cups-filters
	@$(SANDBOX) -- $(PYTHON) -m benchmarks $(ARGS)

bootstrap: ## install what is missing, nothing else
	@tools/bootstrap

lock: ## write requirements/*.txt from pyproject.toml; ARGS=--upgrade takes newer versions
	@tools/lock $(ARGS)

clean: ## remove everything that was built
	rm -rf build
