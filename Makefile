# make demo    set up and show the main job, on a bare machine
# make test    set up and run everything that decides whether the tree is good
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
OUT := demo-output
# what the integration tests start: a database server, and a browser with a Chinese font
SYSTEM := postgresql chromium fonts-noto-cjk
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: demo test system lint types bench clean

demo: $(VENV)/.app
	@BINGLI=$(BIN)/bingli OUT=$(OUT) bash examples/demo.sh

test: system $(VENV)/.dev lint types
	$(BIN)/bingli models pull
	$(BIN)/bingli models install-vllm || echo "没有 vLLM 环境，用到它的测试会跳过。" >&2
	$(BIN)/pytest -n 2 --dist loadfile

system:
	@missing=; for package in $(SYSTEM); do dpkg -s $$package >/dev/null 2>&1 || missing="$$missing $$package"; done; \
	test -z "$$missing" || { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends $$missing; } \
	|| echo "未能安装$$missing（需要 Debian 和 root），用到它们的测试会跳过。" >&2

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev
	$(BIN)/mypy

bench: $(VENV)/.dev
	$(BIN)/python -m eval.bench
	$(BIN)/python -m eval.bench_service
	$(BIN)/python -m eval.bench_storage
	$(BIN)/bingli models pull
	$(BIN)/bingli eval tokens eval/data/stays/07.json --format bingli --type 入院记录 --timed 1

$(VENV)/.app: pyproject.toml constraints.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { echo "需要 Python 3.11 以上和 venv 模块（Debian：apt-get install python3-venv）。" >&2; exit 2; }
	@echo "安装依赖（首次约 2 分钟）…"
	@$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .
	@touch $@

# torch comes first and alone: asked for together with others, pip takes the build for graphics cards
$(VENV)/.dev: $(VENV)/.app
	@$(BIN)/python -m pip install --quiet torch==2.13.0
	@$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[dev]"
	@touch $@

clean:
	rm -rf $(VENV) $(OUT) .mypy_cache .pytest_cache .ruff_cache .hypothesis
