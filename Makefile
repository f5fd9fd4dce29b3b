# mien: make demo shows it, make test proves it. make help lists the rest.

SHELL   := /bin/bash
GO      ?= go
ifndef VERSION
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
endif
LDFLAGS := -s -w -X main.version=$(VERSION)

export CGO_ENABLED ?= 0
export VERSION

.DEFAULT_GOAL := help
include cross.mk

.PHONY: help tools deps build demo test test-race faults bench generate clean

help: ## this list
	@awk -F':.*## ' '/^[a-z0-9 -]+:.*## /{printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

tools:
	@tools/setup.sh go git python3-pip npm

deps: tools ## fetch the pinned libraries and face detectors into .deps (offline once they are there)
	@$(GO) run ./tools/fetch

build: deps ## leave bin/mien, with its libraries in bin/lib
	@mkdir -p bin/lib
	$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/mien ./firmware/mien
	@cp -u .deps/lib/* bin/lib/

demo: build ## the main job on the clip that ships with mien: no camera, no pins needed
	@bin/mien demo $(DEMO)

test: deps ## everything the tests need, then every test
	@tools/setup.sh gcc libturbojpeg0 mbpoll qemu-user-static libstdc++6-arm64-cross
	$(GO) vet ./...
	$(GO) test -timeout 20m ./...

test-race: deps ## the Go tests under the race detector (needs gcc)
	@tools/setup.sh gcc
	CGO_ENABLED=1 $(GO) test -race -short -timeout 30m ./firmware/... ./drivers/... ./board/...

faults: deps ## inject N=1000 faults of more than 25 kinds; each must reach its safe state in time and come back
	$(GO) run ./tools/faults -n $(or $(N),1000)

bench: build ## what the pipeline costs above its networks, start, memory, latency; JSON=1 ends with one line
	$(GO) run ./tools/bench $(if $(JSON),-json) $(if $(TABLES),-tables $(TABLES))

generate: ## write again every document that comes from a table in the code
	$(GO) run ./tools/generate

clean: ## remove what was built (not what was fetched)
	rm -rf bin dist
