# Every target makes what it needs: a virtual environment in .venv (or VENV=...), the packages, and nothing more.
# A stamp in the environment remembers what is installed, so the second call of a target starts at once.

PYTHON  ?= python3
VENV    ?= .venv
ARGS    ?=
WORKERS ?= 2
WORKLOAD ?= mnist_cnn
TARGET  ?= pickle

# CuPy, a large download, is fetched where NVIDIA's driver is; elsewhere the GPU programs say that there is no GPU.
GPU   := $(if $(wildcard /proc/driver/nvidia /dev/nvidiactl /dev/dxg),cuda,no)
GPU_EXTRAS_cuda := test,cuda
GPU_EXTRAS_no   := test
GPU_EXTRAS := $(GPU_EXTRAS_$(GPU))

BIN   := $(VENV)/bin
STAMP := $(VENV)/.installed

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help mnist cifar finetune finetune-digits test test-cuda test-cupy test-blocks deep lint format bench bench-ops \
	bench-gpu gpu-check growth profile fuzz packages opinfo package sanitize clean

help: ## show this list
	@echo "usage: make TARGET [ARGS='...'] [PYTHON=python3.12] [VENV=.venv]"
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

mnist: $(STAMP)-examples ## train the MNIST network (ARGS go to examples/mnist.py)
	$(BIN)/python examples/mnist.py $(ARGS)

cifar: $(STAMP)-examples ## train on CIFAR-10 (ARGS go to examples/cifar10.py)
	$(BIN)/python examples/cifar10.py $(ARGS)

finetune-digits: $(STAMP)-examples ## a PyTorch network for digits, fine-tuned to clothes (ARGS go to the example)
	$(BIN)/python examples/finetune_digits.py $(ARGS)

finetune: $(STAMP)-examples,fast ## ImageNet's EfficientNet-lite0 fine-tuned to CIFAR-10 (ARGS go to the example)
	$(BIN)/python examples/finetune_imagenet_to_cifar.py $(ARGS)

test: $(STAMP)-test ## run the parity tests against PyTorch (ARGS go to pytest)
	$(BIN)/python -m pytest -n $(WORKERS) $(ARGS)

test-cuda: $(STAMP)-test ## the same with every tensor on the GPU; without one, on a stand-in for CuPy
	$(BIN)/python -m pytest -n $(WORKERS) --device=cuda $(ARGS)

test-cupy: $(STAMP)-cupy ## the same, and the GPU's own tests, on CuPy itself, whose kernels the CPU runs
	$(BIN)/python -m pytest -n $(WORKERS) --device=cupy --timeout 900 $(ARGS)

test-blocks: $(STAMP)-test ## what is computed once more, small arrays as large ones: compiled, cut and shared
	$(BIN)/python -m pytest -n $(WORKERS) --tiny-blocks $(ARGS)

deep: $(STAMP)-test ## the same with thousands of drawn examples per property (hours)
	HYPOTHESIS_PROFILE=deep $(BIN)/python -m pytest -n $(WORKERS) --timeout 7200 $(ARGS)

lint: $(STAMP)-dev ## ruff check, ruff format --check, pyright
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m pyright

format: $(STAMP)-dev ## let ruff mend what it can
	$(BIN)/python -m ruff check --fix .
	$(BIN)/python -m ruff format .

bench: $(STAMP)-test ## time minitorch2 against PyTorch (ARGS go to benchmarks/run.py)
	$(BIN)/python benchmarks/run.py $(ARGS)

bench-ops: $(STAMP)-test ## the same for single operations (ARGS go to benchmarks/ops.py)
	$(BIN)/python benchmarks/ops.py $(ARGS)

bench-gpu: $(STAMP)-$(GPU_EXTRAS) ## time minitorch2 against PyTorch on a GPU (ARGS go to benchmarks/gpu.py)
	$(BIN)/python benchmarks/gpu.py $(ARGS)

gpu-check: $(STAMP)-$(GPU_EXTRAS) ## all that needs a GPU, in ten minutes: probe, tests, sanitizer, kernels, bench
	$(BIN)/python benchmarks/gpu_check.py $(ARGS)

growth: $(STAMP)-test ## how step time grows with depth and batch (ARGS go to benchmarks/growth.py)
	$(BIN)/python benchmarks/growth.py $(ARGS)

profile: $(STAMP)-test ## where the time of a step goes: make profile WORKLOAD=gpt
	$(BIN)/python benchmarks/profile_step.py $(WORKLOAD) $(ARGS)

packages: $(STAMP)-test ## models of torchvision, timm and transformers, training by Lightning and others, in both
	$(BIN)/pip install -q --upgrade --no-deps --target build/packages -r tools/packages.txt
	$(BIN)/python tools/compare_training.py
	$(BIN)/python tools/compare_packages.py $(ARGS)

opinfo: $(STAMP)-test ## PyTorch's own database of operators through minitorch2 (ARGS go to tools/compare_opinfo.py)
	$(BIN)/pip install -q --upgrade --no-deps --target build/opinfo expecttest==0.3.0
	$(BIN)/python tools/compare_opinfo.py $(ARGS)

fuzz: $(STAMP)-fuzz ## fuzz the reader of checkpoints for ten minutes (TARGET=archive, ...; see fuzz/README.md)
	mkdir -p runs/fuzz/$(TARGET)
	$(BIN)/python fuzz/fuzz_load.py $(TARGET) -max_total_time=600 $(ARGS) runs/fuzz/$(TARGET) fuzz/corpus/$(TARGET)

package: $(STAMP)-dev ## build wheel and sdist, try both in an empty environment elsewhere
	$(BIN)/python -m pytest -m package --timeout 900 $(ARGS) parity_tests/test_package.py

sanitize: $(STAMP)-test ## run the CUDA kernels, emulated, under the address and undefined-behaviour sanitizers
	$(BIN)/python -m pytest -m sanitize $(ARGS) parity_tests/test_cuda_emulation.py

clean: ## remove builds and caches (not .venv, not data/, not runs/)
	rm -rf build dist .pytest_cache .ruff_cache .hypothesis
	find . \( -path ./.git -o -path './.venv' -o -path './$(VENV)' -o -path ./data \) -prune -o -type d \
		\( -name __pycache__ -o -name '*.egg-info' \) -exec rm -rf {} +

$(BIN)/python:
	@$(PYTHON) -c 'import sys; v = sys.version_info; (3, 11) <= v < (3, 14) or sys.exit("minitorch2 needs Python 3.11 \
	to 3.13; $(PYTHON) is %d.%d. Name another: make PYTHON=python3.12 ..." % v[:2])'
	$(PYTHON) -m venv $(VENV)

# $(STAMP)-examples installs the extra of that name, and so on; kept apart so that a program needs no torch.
$(STAMP)-%: $(BIN)/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[$*]'
	@touch $@
