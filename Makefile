SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
GO ?= go
REPORT ?=
SHARED ?= ../shared

.PHONY: build check test parts exim bench fuzz demo clock torture campaign suites

build:
	$(GO) build -trimpath -o weir ./cmd/weir

# What the integration tests need. Installed when we may; a test whose part is missing says so and is skipped.
PARTS := redis-server:/usr/bin/redis-server postfix:/usr/sbin/postfix rbldnsd:/usr/sbin/rbldnsd unbound:/usr/sbin/unbound swaks:/usr/bin/swaks haproxy:/usr/sbin/haproxy dovecot-lmtpd:/usr/sbin/dovecot dovecot-submissiond:/usr/lib/dovecot/submission dovecot-imapd:/usr/lib/dovecot/imap dovecot-sieve:/usr/bin/sievec openssl:/usr/bin/openssl \
	msmtp:/usr/bin/msmtp python3:/usr/bin/python3 libnet-ssleay-perl:/usr/share/doc/libnet-ssleay-perl
parts: exim
	@missing=; for p in $(PARTS); do [ -x "$${p#*:}" ] || missing="$$missing $${p%%:*}"; done; \
	if [ -n "$$missing" ] && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  echo "installing$$missing"; apt-get update -qq >/dev/null; \
	  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing >/dev/null; \
	elif [ -n "$$missing" ]; then echo "not installed, tests that need them are skipped:$$missing"; fi

# Exim's package would put Postfix's out, so its program alone is installed, with the libraries and the user that it needs:
# the one with the PROXY protocol, which Debian's small one does not have.
EXIM := /usr/local/sbin/exim4
exim:
	@[ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null || exit 0; \
	! { $(EXIM) -bV 2>/dev/null | grep -w PROXY >/dev/null; } || exit 0; \
	echo "installing exim4"; dir="$$(mktemp -d)"; trap 'rm -rf "$$dir"' EXIT; cd "$$dir"; \
	apt-get update -qq >/dev/null; apt-get download -qq exim4-daemon-heavy 2>/dev/null; dpkg -x exim4-daemon-heavy_*.deb .; \
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
	  $$(dpkg-deb -f exim4-daemon-heavy_*.deb Depends | tr , '\n' | sed -nE 's/^ *(lib[^ |]*).*/\1/p') >/dev/null; \
	id -u Debian-exim >/dev/null 2>&1 || useradd --system --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin Debian-exim; \
	install usr/sbin/exim4 $(EXIM)

check:
	@unformatted="$$(gofmt -l cmd proxy filters scoring rules .ci)"; [ -z "$$unformatted" ] || { echo "not gofmt'd: $$unformatted"; exit 1; }
	$(GO) vet ./... ./.ci/report ./.ci/performance ./.ci/suites
	GOOS=freebsd $(GO) build ./... # only what has its own file for it may need Linux
	$(GO) mod verify >/dev/null

# The race detector looks at all but RE2, which is C++ made into Go. With each of its memory accesses watched it takes seven
# times as long to compile the patterns of the default rules, in each process that judges; so tests have a copy in which
# its functions are marked, and what orders one thread after another still counts.
RE2 := github.com/wasilibs/go-re2
.race/go.mod: go.mod go.sum
	@rm -rf .race; mkdir .race; $(GO) mod download $(RE2)
	@cp -r "$$($(GO) list -m -f '{{.Dir}}' $(RE2))" .race/re2; chmod -R u+w .race/re2
	@sed -i 's,^func ,//go:norace\n&,' .race/re2/internal/wasm/libcre2.wasm.go
	@cp go.sum .race/go.sum; sed '$$a replace $(RE2) => $(CURDIR)/.race/re2' go.mod >.race/go.mod

test: parts .race/go.mod
	GOFLAGS="$$($(GO) env GOFLAGS) -modfile=$(CURDIR)/.race/go.mod" \
	$(GO) test -race -timeout 40m -json ./... | $(GO) run ./.ci/report $(REPORT)
	$(GO) test -run 'MemoryOfAnIdleSession|ASlowTextIsSaidToBeSo' ./proxy ./filters/pattern # which mean nothing under the race detector

# Unbounded, the first input with new coverage is made smaller for a minute, and nothing else is tried.
fuzz:
	@for f in $$(grep -rlE '^func Fuzz' --include='*_test.go' .); do \
	  for n in $$(sed -nE 's/^func (Fuzz[A-Za-z0-9_]*).*/\1/p' $$f); do \
	    echo "$$n in $$(dirname $$f)"; $(GO) test -run '^$$' -fuzz "^$$n\$$" -fuzztime $(or $(FUZZTIME),20s) -fuzzminimizetime 10x ./$$(dirname $$f); done; done

demo:
	$(GO) run ./cmd/weir demo

# What the whole program costs, into docs/performance.md.
bench:
	$(GO) test -run '^$$' -bench Program -benchtime 4000x ./cmd/weir | tee /dev/stderr | $(GO) run ./.ci/performance docs/performance.md

# Whether all holds when the clock is set while weir runs: weir is built with another time package, and Go's library with it.
clock:
	$(GO) test -v -count=1 -timeout 30m -tags clock -run TestTheClockIsSet ./cmd/weir

# What runs against $(SHARED): never part of `make test`.
campaign: build
	python3 $(SHARED)/campaign/evaluate.py $(ARGS) -- ./weir stream --offline

TORTURE_TARGET ?= 127.0.0.1:25025
TORTURE_SINK ?= 127.0.0.1:25026
# Test suites of others: SPF, ARC, forged messages.
suites:
	$(GO) run ./.ci/suites $(ARGS) $(SHARED)/material

torture: build
	@dir="$$(mktemp -d)"; pid=; trap '[ -z "$$pid" ] || kill $$pid; rm -rf "$$dir"' EXIT; \
	cp -r $(SHARED)/smtptorture "$$dir/t"; chmod -R u+w "$$dir/t"; (cd "$$dir/t" && $(GO) build -o ../smtptorture .); \
	printf 'version: 1\nhostname: mx.torture.example\nrelay_domains: [torture.example]\nlisten: [{ addr: "$(TORTURE_TARGET)", tls: starttls }]\ntls: { cert: cert.pem, key: key.pem }\nbackend: { addrs: ["$(TORTURE_SINK)"], timeout: 4s }\nlimits: { message_size: 50MiB, command_timeout: 8s, sessions_per_ip: 1000 }\nrules: rules.yaml\nlog: { level: error }\n' >"$$dir/weir.yaml"; \
	printf 'version: 1\nthresholds: { tag: 6, reject: off }\n' >"$$dir/rules.yaml"; \
	openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=mx.torture.example -keyout "$$dir/key.pem" -out "$$dir/cert.pem" 2>/dev/null; \
	./weir serve -c "$$dir/weir.yaml" & pid=$$!; \
	for i in $$(seq 50); do (exec 3<>/dev/tcp/127.0.0.1/$${TORTURE_PORT:-25025}) 2>/dev/null && break; sleep 0.2; done; \
	"$$dir/smtptorture" -target $(TORTURE_TARGET) -sink $(TORTURE_SINK) -bound 12s -client-timeout 8s -heavy -features filter,percent-guard \
	  -authserv-id mx.torture.example -pid $$pid -max-rss 400 $(ARGS)

# The same with a real server between weir and the sink, as far as that server lets it.
torture-postfix torture-exim: parts
	@dir="$$(mktemp -d)"; trap 'rm -rf "$$dir"' EXIT; \
	cp -r $(SHARED)/smtptorture "$$dir/t"; chmod -R u+w "$$dir/t"; (cd "$$dir/t" && $(GO) build -o ../smtptorture .); \
	SMTPTORTURE="$$dir/smtptorture -features filter $(ARGS)" $(GO) test -v -count=1 -tags torture -run TestTorture/$(@:torture-%=%) ./cmd/weir
