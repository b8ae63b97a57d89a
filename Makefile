# Mọi lệnh hằng ngày nằm ở đây. Gõ `make` để xem danh sách.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

VENV := .venv
BIN := $(VENV)/bin
RUN_STAMP := $(VENV)/.run-installed
DEV_STAMP := $(VENV)/.dev-installed
# Còn tệp này nghĩa là lần cài trước bị ngắt giữa chừng: bỏ đi, dựng lại từ đầu.
UNFINISHED := $(VENV)/.unfinished

FITS := import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))
# Nhận Python đầu tiên đủ mới và dựng được môi trường ảo; hoặc chỉ rõ: make run PYTHON=/đường/dẫn/python3
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3 python; do \
	if $$p -c '$(FITS)' 2>/dev/null; then echo $$p; exit; fi; done; echo python3)

# Cài dở, hoặc môi trường ảo bị dời chỗ hay mất Python: dấu "đã cài" không còn đúng.
ifneq ($(shell test ! -e $(UNFINISHED) && $(BIN)/python -c 'print(1)' 2>/dev/null),1)
$(RUN_STAMP) $(DEV_STAMP): rebuild
endif

define find-python
	@if ! $(PYTHON) -c 'pass' 2>/dev/null; then \
		echo 'Không tìm thấy Python ($(PYTHON)). Hãy cài Python 3.11 trở lên rồi chạy lại.'; \
		echo 'Python ($(PYTHON)) was not found. Install Python 3.11 or newer and run this again.'; exit 1; \
	elif ! $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then \
		echo "Cần Python 3.11 trở lên; ở đây là $$($(PYTHON) -V 2>&1). Cài bản mới, hoặc: make run PYTHON=python3.11"; \
		echo "Python 3.11 or newer is needed; this is $$($(PYTHON) -V 2>&1). Install one, or: make run PYTHON=python3.11"; \
		exit 1; \
	elif ! $(PYTHON) -c '$(FITS)' 2>/dev/null; then \
		echo '$(PYTHON) thiếu phần venv. Trên Debian, Ubuntu: apt-get install python3-venv'; \
		echo '$(PYTHON) lacks its venv part. On Debian, Ubuntu: apt-get install python3-venv'; exit 1; \
	fi
endef

# $(1): tệp khoá. Mã băm được kiểm từng gói: gói bị sửa thì không cài.
define install
	@if [ -e $(UNFINISHED) ] || ! $(BIN)/python -m pip --version >/dev/null 2>&1; then \
		echo 'Dựng môi trường ảo $(VENV) …'; \
		rm -rf $(VENV) && mkdir $(VENV) && touch $(UNFINISHED) && $(PYTHON) -m venv $(VENV) || exit 1; \
	fi
	@touch $(UNFINISHED)
	@echo 'Cài thư viện theo $(1) …'
	@if ! $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $(1); then \
		echo; \
		echo 'Chưa cài được thư viện (lý do ở dòng trên). Lần cài đầu cần mạng tới kho gói Python; cài xong thì'; \
		echo 'chạy, kiểm và thử đều không cần mạng nữa. Không có mạng: chép các gói của $(1) vào một thư mục, rồi'; \
		echo 'PIP_NO_INDEX=1 PIP_FIND_LINKS=/thư/mục make …'; \
		echo 'The libraries could not be installed (see above). The first install needs the network, to reach a'; \
		echo 'Python package index; running, checking and testing do not. Without one: put the packages of'; \
		echo '$(1) in a folder and call PIP_NO_INDEX=1 PIP_FIND_LINKS=/folder make …'; \
		exit 1; \
	fi
endef

.PHONY: help setup setup-dev run test check record bench lock clean rebuild

help:
	@echo 'An Phú Xanh — các lệnh:'
	@echo '  make run      cài (lần đầu) và chạy bot trên máy này'
	@echo '  make test     chạy mọi bài thử; thêm tham số: make test ARGS="-k tra_cuu"'
	@echo '  make check    soát mã: kiểu, lỗi thường gặp, trình bày (không cần mạng)'
	@echo '  make record   ghi lại lời bot trong tests/transcripts, rồi đọc bằng git diff'
	@echo '  make bench    đo tốc độ'
	@echo '  make setup    chỉ cài thư viện để chạy;  make setup-dev  thêm đồ để thử'
	@echo '  make lock     chọn lại phiên bản thư viện (cần mạng)'
	@echo '  make clean    xoá $(VENV) và các bộ nhớ đệm; không đụng tới dữ liệu'

setup: $(RUN_STAMP)

setup-dev: $(DEV_STAMP)

# Khoá của bộ thử gồm cả khoá để chạy, cùng phiên bản: cài một lần là đủ cho cả hai.
$(RUN_STAMP): requirements.lock
	$(find-python)
	$(call install,requirements.lock)
	@rm -f $(UNFINISHED) && touch $@

$(DEV_STAMP): requirements-dev.lock requirements.lock
	$(find-python)
	$(call install,requirements-dev.lock)
	@rm -f $(UNFINISHED) && touch $(RUN_STAMP) $@

run: setup
	@exec $(BIN)/python -m bot run $(ARGS)

test: setup-dev
	@$(BIN)/python -m pytest -n 2 $(ARGS)

check: setup-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

record: setup-dev
	@$(BIN)/python -m tests.record $(ARGS)

bench: setup-dev
	@$(BIN)/python -m bench $(ARGS)

# Chỉ tên, phiên bản và mã băm: không để lại địa chỉ kho gói nào của máy đã chọn, cũng không lời chú nào.
LOCK := --quiet --upgrade --generate-hashes --strip-extras --allow-unsafe --no-header --no-annotate \
	--no-emit-options --no-emit-index-url --no-emit-trusted-host --no-emit-find-links

# Bộ thử trước, bộ chạy theo sau: đồ để thử có thể giữ một thư viện ở bản cũ hơn, mà thử bản nào thì chạy bản ấy.
lock: setup-dev
	$(BIN)/pip-compile $(LOCK) --output-file requirements-dev.lock --extra dev pyproject.toml
	$(BIN)/pip-compile $(LOCK) --output-file requirements.lock --constraint requirements-dev.lock pyproject.toml
	@for lock in requirements.lock requirements-dev.lock; do \
		grep -E '^[a-z0-9]|^    --hash' $$lock > $$lock.new && mv $$lock.new $$lock; done
	@$(BIN)/python -m pytest tests/test_lock.py

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find bot storage tests bench -name __pycache__ -type d -prune -exec rm -rf {} +
