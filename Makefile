# Foreshock. `make run` starts it, `make demo` shows it, `make test` proves it.

SHELL := /usr/bin/env bash
.SHELLFLAGS := -eu -o pipefail -c
CARGO ?= cargo
TARGET := $(or $(CARGO_TARGET_DIR),target)
FORESHOCK := $(TARGET)/release/foreshock

.PHONY: help run demo test simulate clients lint format deny bench bench-kafka bench-build build chaos chaos-kafka \
	overload tools test-tools \
	kafka-up kafka-down image chart

help:
	@echo "make run      build and start Foreshock on this machine"
	@echo "make demo     show it: a simulated shop with a failure coming (FAULT=name to choose)"
	@echo "make test     run every test"
	@echo "make simulate the stages under crashes, moves and zombies, seed by seed (SEEDS=number, or SEED=one to see again)"
	@echo "make clients  real OTLP clients, also those that need a long build"
	@echo "make kafka-up start a real Apache Kafka on this machine (KAFKA_BROKERS=3: three brokers)"
	@echo "make kafka-down end it (KAFKA_WIPE=1: and remove its data)"
	@echo "make lint     format, clippy, cargo deny"
	@echo "make bench    measure"
	@echo "make bench-templates  measure templates of raw lines, beside Drain3"
	@echo "make bench-quality  what the log detectors find in labelled logs"
	@echo "make bench-metrics  what the metric detectors find in labelled metrics"
	@echo "make bench-noise  pages on simulated weeks of pure noise"
	@echo "make bench-kafka  measure on a real Apache Kafka"
	@echo "make chaos    kill it again and again under load, look what is lost (KILLS=number)"
	@echo "make chaos-kafka kill, hold and cut off its services and three brokers of Kafka under load (KILLS=number)"
	@echo "make image    the container image (IMAGE=name to name it)"
	@echo "make chart    check the Helm chart as make test does, and pack it"
	@echo "make overload send it twice what it can take, look whether it keeps its limits (BYTES=number)"

# What has to be there before anything can be built; names the package where it can't be installed.
tools:
	@deploy/build-tools

build: tools
	$(CARGO) build --release --locked -p foreshock

run: build
	$(FORESHOCK) run

demo: build
	$(FORESHOCK) demo --fault $(or $(FAULT),bad-release)

test: tools test-tools
	$(CARGO) test --workspace --locked --no-fail-fast
	@set -e; for hook in tests/*/run; do [ -x "$$hook" ] || continue; echo "== $$hook"; "$$hook"; done

# The real servers that tests run against.
test-tools:
	@deploy/test-tools
	@deploy/helm/tools >/dev/null

# Of variables, make hands on those of the environment and of its command line: see deploy/kafka/up and down.
kafka-up:
	@deploy/kafka/up

kafka-down:
	@deploy/kafka/down

# `make test` runs the first thousand.
simulate: tools
	$(if $(SEED),FORESHOCK_SIMULATE_SEED=$(SEED),FORESHOCK_SIMULATE_SEEDS=$(or $(SEEDS),10000)) \
		$(CARGO) test --locked -p foreshock-detect --test simulate -- --nocapture

# Every real OTLP client; `make test` runs those that need no long build.
clients: tools
	@CLIENTS=all tests/clients/run

lint: tools format deny
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings

format:
	$(CARGO) fmt --all --check

deny:
	@if $(CARGO) deny --version >/dev/null 2>&1; then $(CARGO) deny --locked check; \
	else echo "SKIPPED: cargo deny is not installed (cargo install cargo-deny)"; fi

# In one command: each package by itself would choose other features of what they share, and build all of it twice.
bench-build: tools
	$(CARGO) build --release --locked -p foreshock -p foreshock-benches

# Beside the OpenTelemetry Collector, built by the recipe in ../shared where that is there. BENCH adds options.
PEERS ?= ../shared/peers/otelcol
COLLECTOR ?= $(HOME)/.cache/foreshock-peers/otelcol
bench: bench-build peers
	$(CARGO) build --release --locked -p foreshock-ingest --example receive
	python3 benches/side_by_side --bin $(TARGET)/release --repeats 3 $(BESIDE) $(BENCH)

# With a Kafka of its own for each row; about half an hour.
bench-kafka: bench-build peers test-tools
	python3 benches/side_by_side --bin $(TARGET)/release --kafka --repeats 3 $(BESIDE) $(BENCH)

BESIDE = $(if $(wildcard $(PEERS)/build.sh),--peers $(PEERS) --collector $(COLLECTOR))
.PHONY: peers
peers:
	@if [ -f $(PEERS)/build.sh ]; then bash $(PEERS)/build.sh $(COLLECTOR); \
	else echo "SKIPPED: no recipe for the Collector in $(PEERS); Foreshock is measured alone"; fi

# Beside Drain3, from PyPI into a folder of its own. TEMPLATES adds options; about three minutes.
LOGHUB ?= ../shared/data/loghub
.PHONY: bench-templates
bench-templates: tools
	$(CARGO) build --release --locked -p foreshock-benches --bin templates
	$(TARGET)/release/templates --loghub $(LOGHUB) --python "$$(benches/templates/tools)" $(TEMPLATES)

# What the log detectors find, scored; QUALITY passes options on.
.PHONY: bench-quality
bench-quality: bench-build
	python3 benches/quality --only logs --foreshock $(FORESHOCK) --shared $(or $(SHARED),../shared) $(QUALITY)

# The same of metrics: the NAB, events of labelled sets, forecasts.
.PHONY: bench-metrics
bench-metrics: bench-build
	python3 benches/quality --only metrics --seeds 10 --foreshock $(FORESHOCK) --shared $(or $(SHARED),../shared) $(QUALITY)

# Twenty weeks of ten thousand series with twenty faults each: about an hour. NOISE passes options on.
.PHONY: bench-noise
bench-noise: tools
	$(CARGO) build --release --locked -p foreshock-benches --bin noise
	$(TARGET)/release/noise --faults 20 $(NOISE)

# About eight minutes and up to 20 GB of disk for 100 kills.
chaos: bench-build
	$(TARGET)/release/chaos --foreshock $(FORESHOCK) --kills $(or $(KILLS),100)

# About fifteen minutes and up to 20 GB of disk for 100 disturbances.
chaos-kafka: bench-build
	$(TARGET)/release/chaos-kafka --foreshock $(FORESHOCK) --kills $(or $(KILLS),100)

# Writes a journal of BYTES (20 GB by default, never more) and reads it again.
overload: bench-build
	$(TARGET)/release/overload --foreshock $(FORESHOCK) --bytes $(or $(BYTES),20000000000)

# With docker, podman or buildah, whichever is there.
image:
	@deploy/docker/build-image

# Into $(TARGET)/chart.
chart: tools
	@tests/chart/run
	@"$$(deploy/helm/tools)/helm" package deploy/helm/foreshock --destination $(TARGET)/chart
