SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
GO ?= go
REPORT ?=
SHARED ?= ../shared

.PHONY: build check test parts bench fuzz demo torture campaign corpora

build:
	$(GO) build -trimpath -o weir ./cmd/weir

# What the integration tests need. Installed when we may; a test whose part is missing says so and is skipped.
PARTS := postfix:/usr/sbin/postfix rbldnsd:/usr/sbin/rbldnsd swaks:/usr/bin/swaks haproxy:/usr/sbin/haproxy
parts:
	@missing=; for p in $(PARTS); do [ -x "$${p#*:}" ] || missing="$$missing $${p%%:*}"; done; \
	if [ -n "$$missing" ] && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  echo "installing$$missing"; apt-get update -qq >/dev/null; \
	  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing >/dev/null; \
	elif [ -n "$$missing" ]; then echo "not installed, tests that need them are skipped:$$missing"; fi

check:
	@unformatted="$$(gofmt -l cmd proxy filters scoring rules .ci)"; [ -z "$$unformatted" ] || { echo "not gofmt'd: $$unformatted"; exit 1; }
	$(GO) vet ./... ./.ci/report
	$(GO) mod verify >/dev/null

test: parts
	$(GO) test -race -timeout 20m -json ./... | $(GO) run ./.ci/report $(REPORT)

fuzz:
	@for f in $$(grep -rlE '^func Fuzz' --include='*_test.go' .); do \
	  for n in $$(sed -nE 's/^func (Fuzz[A-Za-z0-9_]*).*/\1/p' $$f); do \
	    echo "$$n in $$(dirname $$f)"; $(GO) test -run '^$$' -fuzz "^$$n\$$" -fuzztime $(or $(FUZZTIME),20s) ./$$(dirname $$f); done; done

demo:
	$(GO) run ./cmd/weir demo

# What runs against ../shared: never part of `make test`.
campaign: build
	python3 $(SHARED)/campaign/evaluate.py $(ARGS) -- ./weir stream --offline
