# Two commands do everything: `make run` and `make test`. Each makes .venv first if it is missing or out of date.

PYTHON ?= python3
VENV   := .venv

# Asked for with PYTHON=python3.13 where .venv is another version's: an environment of its own beside it.
ifneq ($(origin PYTHON),file)
VERSION := import sys; print("%d.%d" % sys.version_info[:2])
ASKED   := $(shell $(PYTHON) -c '$(VERSION)')
MADE    := $(shell test -x .venv/bin/python && .venv/bin/python -c '$(VERSION)')
ifneq ($(MADE),)
ifneq ($(MADE),$(ASKED))
VENV := .venv-$(ASKED)
endif
endif
endif
BIN    := $(VENV)/bin
PIP    := $(BIN)/pip install -qq --disable-pip-version-check --constraint constraints.txt
ARGS   ?=
NAME   ?= studio

# Tests go to two processes at once, all of one file to one of them. WORKERS=0: to this one, which shows what they print.
WORKERS ?= 2
SHARED  := -n $(WORKERS) --dist loadfile

export OMP_NUM_THREADS ?= 1
export TOKENIZERS_PARALLELISM := false

# Tests start hundreds of processes: what they import is compiled once, also where the machine's settings forbid to keep it.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: run studio space test test-browser test-processor test-newest test-slow test-notebooks lint bench docs pictures notebooks handout nbgrader lab clean

run: $(VENV)/run.done                    ## the tour: train a language model, a judge and a policy; ARGS="--lang zh"
	@$(BIN)/rlhf-kit tour $(ARGS)

studio: $(VENV)/ui.done                  ## the panels in a browser; ARGS="--model runs/tour --lang zh"
	@$(BIN)/rlhf-kit studio $(ARGS)

space: $(VENV)/run.done                  ## a panel as a Hugging Face Space, in dist/space/NAME; NAME=compare
	@$(BIN)/rlhf-kit export space $(NAME) --output dist/space/$(NAME) $(ARGS)

test: $(VENV)/dev.done                   ## every test that is not marked slow and needs no browser
	$(BIN)/python -m pytest $(SHARED) $(or $(ARGS),--ignore=tests/demos)

# Where the machine is so busy that a page answers later than a test waits, that test is tried once more, and named.
# The files keep their order: by default those with the fewest tests come last, and one of these takes longest.
test-browser: $(VENV)/dev.done           ## the studio's pages in Chromium
	$(BIN)/python -m pytest $(SHARED) --no-loadscope-reorder --reruns 1 --only-rerun TimeoutError -rR tests/demos $(ARGS)

# What torch, oneDNN and MKL compute on a processor without AVX-512, or without AVX2 where this one has no AVX-512: other
# sums, other last bits, other weights.
OTHER  := $(shell grep -qs avx512f /proc/cpuinfo \
            && echo ATEN_CPU_CAPABILITY=avx2 ONEDNN_MAX_CPU_ISA=AVX2 MKL_ENABLE_INSTRUCTIONS=AVX2 \
            || echo ATEN_CPU_CAPABILITY=default ONEDNN_MAX_CPU_ISA=SSE41 MKL_ENABLE_INSTRUCTIONS=SSE4_2)
LEARNS := tests/formulas tests/loops tests/methods/test_ppo.py tests/methods/test_reward_model.py tests/methods/test_sft.py \
          tests/test_sampling.py tests/test_engine.py tests/models/test_heads.py

test-processor: $(VENV)/dev.done         ## what computes, as on another processor; ARGS=tests for all of it
	$(OTHER) $(BIN)/python -m pytest $(SHARED) $(or $(ARGS),$(LEARNS))

# Without constraints.txt: the newest release of everything that the kit stands on. A warning is a failure here, too.
test-newest:                             ## the same tests with the newest libraries, in .venv-newest, made anew
	$(PYTHON) -m venv --clear .venv-newest
	.venv-newest/bin/pip install -qq --disable-pip-version-check $(shell grep '^torch==' constraints.txt)
	.venv-newest/bin/pip install -qq --disable-pip-version-check --upgrade --editable '.[dev]'
	.venv-newest/bin/python -m pytest $(SHARED) $(or $(ARGS),--ignore=tests/demos)

test-slow: $(VENV)/dev.done              ## whole runs, seeded signatures, kills
	$(BIN)/python -m pytest $(SHARED) -m 'slow and not notebooks' --durations=10 $(ARGS)

test-notebooks: $(VENV)/dev.done         ## every lesson: in Chinese solved, in English untouched as a wheel has it
	$(BIN)/python -m pytest -n $(WORKERS) -m 'notebooks and not slow' --durations=10 $(ARGS)

lint: $(VENV)/dev.done
	$(BIN)/ruff check .

bench: $(VENV)/dev.done                  ## the numbers of the README
	$(BIN)/python -m tests.benchmarks $(ARGS)

docs: $(VENV)/dev.done                   ## these pages, the lessons and the reference as a site, in dist/docs
	$(BIN)/python docs/site/build.py dist/docs

pictures: $(VENV)/dev.done               ## the README's pictures of the studio, in docs; OUT=FOLDER: every panel, there
	$(BIN)/python -m tests.benchmarks pictures

notebooks: $(VENV)/dev.done              ## sources to notebooks; ARGS="01" for one lesson
	$(BIN)/python notebooks/build.py $(ARGS)

handout: $(VENV)/dev.done                ## the notebooks of a class, without solutions, in dist/handout
	$(BIN)/python notebooks/build.py --handout dist/handout $(ARGS)

nbgrader: $(VENV)/dev.done               ## the lessons as a source tree for nbgrader, in dist/nbgrader
	$(BIN)/python notebooks/for_nbgrader.py dist/nbgrader $(ARGS)

lab: $(VENV)/lab.done                    ## JupyterLab with the kit in it
	$(BIN)/jupyter lab $(ARGS)

clean:
	rm -rf .venv .venv-* build dist .pytest_cache .ruff_cache

# torch goes first and by its exact version: asked for by a range, pip may take a build with gigabytes of CUDA.
$(VENV)/run.done: pyproject.toml constraints.txt
	@echo "Making $(VENV) (once; a few minutes, most of it torch) ..."
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed, this is " + sys.version.split()[0] + ". Try: make PYTHON=python3.12 run")'
	@test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV)
	@$(PIP) $(shell grep '^torch==' constraints.txt)
	@$(PIP) --editable .
	@touch $@

$(VENV)/dev.done: $(VENV)/run.done
	@$(PIP) --editable '.[dev]'
	@touch $@

$(VENV)/ui.done: $(VENV)/run.done
	@$(PIP) --editable '.[ui]'
	@touch $@

$(VENV)/lab.done: $(VENV)/run.done
	@$(PIP) --editable '.[lab]'
	@touch $@
