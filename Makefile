# make demo: install, then train a GPT, a VAE, a GAN, diffusion.  make test: install, then every test.
PYTHON ?= python3
VENV ?= .venv
EXTRAS ?= test
BIN := $(VENV)/bin

.PHONY: demo test quick once brief lint soak results
demo: $(VENV)/.installed
	$(BIN)/python -m jaxgen demo $(DEMO)

XDIST := pytest -n 2 --dist loadfile --no-loadscope-reorder

test: quick once

# What may differ from one Python to another; then what takes minutes and is the same on each.
quick: $(VENV)/.test-installed
	$(BIN)/python -m $(XDIST) -m 'not once' $(PYTEST)

once: $(VENV)/.test-installed
	$(BIN)/python -m $(XDIST) -m once $(PYTEST)

# For a second Python, once the first has passed: every equation, layer and golden curve, one life of each kind.
brief: $(VENV)/.test-installed
	$(BIN)/python -m $(XDIST) -m 'not once' --brief $(PYTEST)

# Runs of every family killed again and again, runs on machines that fail, then compared bit for bit; half an hour.
# make soak KILLS=50 FAULTS=100 SIGNALS=100 WRONG_INPUTS=9999: more of it; faults need root, gcc and mkfs.ext4.
KILLS ?= 21
FAULTS ?= 10
SIGNALS ?= 20
WRONG_INPUTS ?= 400
soak: $(VENV)/.test-installed
	JAXGEN_KILLS=$(KILLS) JAXGEN_FAULTS=$(FAULTS) JAXGEN_SIGNALS=$(SIGNALS) JAXGEN_WRONG_INPUTS=$(WRONG_INPUTS) $(BIN)/python -m pytest -q -s --timeout 0 tests/survival tests/cli/test_wrong_inputs.py

# Presets trained to their end, minutes each: make results NAME=vae-digits SEEDS='0 1 2'.
SEEDS ?= 0
results: $(VENV)/.test-installed
	$(BIN)/python -m benchmarks results $(NAME) --seeds $(SEEDS)

lint: $(VENV)/.test-installed
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyrefly check --python-interpreter-path $(BIN)/python

# The stamps make the second call quick: pip runs again only when pyproject.toml changed.
$(VENV)/.installed: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet -e .
	touch $@

$(VENV)/.test-installed: pyproject.toml $(VENV)/.installed
	$(BIN)/python -m pip install --quiet -e '.[$(EXTRAS)]'
	touch $@
