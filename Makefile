PYTHON ?= python3
BIN := .venv/bin

.PHONY: setup demo test test-hostile test-chaos test-containers check format clean \
	manifests lock offline

setup: .venv/installed

.venv/installed: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[dev,lab,local,ray]'
	touch $@

demo: setup
	$(BIN)/python -m rlm_kernel.agent.demo $(if $(MODEL),--model '$(MODEL)')

test: setup
	$(BIN)/rlm-kernel fetch
	$(BIN)/python -m compileall -q rlm_kernel # or hundreds of processes may, each for itself
	$(BIN)/pytest -n auto --maxprocesses 4 --dist loadfile

test-hostile: setup
	$(BIN)/pytest -m hostile

test-chaos: setup
	$(BIN)/pytest -m chaos -s

test-containers: setup offline
	$(BIN)/pytest -m containers -s

check: setup
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

format: setup
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

manifests: setup
	$(BIN)/kubectl kustomize deploy/k8s/base > deploy/k8s/rlm-sidecar-deployment.yaml

lock: setup
	$(BIN)/pip install --quiet uv
	PATH="$(CURDIR)/$(BIN):$$PATH" deploy/docker/lock

offline: deploy/docker/offline/.filled

deploy/docker/offline/.filled: deploy/docker/*.lock rlm_kernel/pyodide/*.lock | setup
	PATH="$(CURDIR)/$(BIN):$$PATH" deploy/docker/fill-offline
	touch $@

clean:
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache build dist
