# One archive for each kind of board: make amd64 arm64 armv7. Pure Go (the
# TensorFlow Lite library is opened at run time), so no cross compiler.

.PHONY: amd64 arm64 armv7

amd64: ## dist/mien-VERSION-linux-amd64.tar.gz: PCs
	@$(MAKE) --no-print-directory archive NAME=amd64 CPU=amd64
arm64: ## dist/mien-VERSION-linux-arm64.tar.gz: Raspberry Pi 3, 4, 5, Zero 2 W (64-bit), Jetson
	@$(MAKE) --no-print-directory archive NAME=arm64 CPU=arm64
armv7: ## dist/mien-VERSION-linux-armv7.tar.gz: 32-bit Raspberry Pi OS; bring your own TFLite library
	@$(MAKE) --no-print-directory archive NAME=armv7 CPU=arm

HOST := $(shell $(GO) env GOHOSTARCH 2>/dev/null)

.PHONY: archive
archive: STAGE = dist/mien-$(VERSION)-linux-$(NAME)
archive: LIB = .deps/$(if $(filter $(HOST),$(CPU)),lib,lib-$(CPU))
# What a builder's own settings would change in the bytes is set.
archive: FOR_UNIT = GOOS=linux GOARCH=$(CPU) GOARM=7 GOAMD64=v1 GOARM64=v8.0 GOFLAGS=-buildvcs=false GOEXPERIMENT= CGO_ENABLED=0
# Go names the loader of another calling convention for arm than Debian's armhf has.
archive: LOADER = $(if $(filter arm,$(CPU)),-I /lib/ld-linux-armhf.so.3)
archive: tools
	@$(GO) run ./tools/fetch -arch $(CPU)
	@rm -rf $(STAGE) && mkdir -p $(STAGE)/lib
	$(FOR_UNIT) $(GO) build -trimpath -ldflags '$(strip $(LDFLAGS) $(LOADER))' -o $(STAGE)/mien ./firmware/mien
	$(FOR_UNIT) $(GO) build -trimpath -ldflags '$(strip $(LDFLAGS) $(LOADER))' -o $(STAGE)/plc ./tools/plc
	@cp $(LIB)/* $(STAGE)/lib/
	@cp -r LICENSE README.md SECURITY.md docs board/mien.service board/mien-gateway.service $(STAGE)/ && rm $(STAGE)/docs/*.go
	@$(GO) run ./tools/generate -notices > $(STAGE)/NOTICES
	@$(GO) run ./firmware/mien config > $(STAGE)/mien.toml
	@$(GO) run ./tools/sbom -folder $(STAGE) > $(STAGE).cdx.json
	@LC_ALL=C tar -C dist --format=gnu --sort=name --mtime="@$$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner --mode=u=rwX,go=rX \
		-cf - $(notdir $(STAGE)) | gzip -n > $(STAGE).tar.gz
	@echo "$(STAGE).tar.gz  $$(stat -c %s $(STAGE).tar.gz) bytes"

.PHONY: deb
deb: ## Debian packages dist/mien_VERSION_ARCH.deb with all that an archive has; ONLY=arm64 is one of amd64, arm64, armhf
	@set -ef; $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o dist/mien-here ./firmware/mien; \
	for arch in $${ONLY:-amd64 arm64 armhf}; do \
		case $$arch in amd64) name=amd64 cpu=amd64 ;; arm64) name=arm64 cpu=arm64 ;; armhf) name=armv7 cpu=arm ;; \
		*) echo "deb: ONLY is one of amd64, arm64, armhf" >&2; exit 2 ;; esac; \
		$(MAKE) --no-print-directory archive NAME=$$name CPU=$$cpu; \
		MIEN=dist/mien-here packaging/build.sh $$arch dist/mien-$(VERSION)-linux-$$name; \
	done

.PHONY: repo
repo: ## KEY=your gpg key: the packages of dist/ into the signed repository OUT=dist/repo, for apt on units and a USB stick (docs/install.md)
	@tools/setup.sh apt-utils gpg
	@packaging/repo.sh "$${OUT:-dist/repo}"

# A check that could not be made is no pass.
.PHONY: vulns
vulns: ## ask Go's database of known faults (vuln.go.dev) about both programs; fails where one is known, and where it cannot be asked
	@$(GO) tool -modfile=tools.mod govulncheck ./firmware/mien ./tools/plc; rc=$$?; \
	case $$rc in 0 | 3) ;; *) echo "vulns: NOT CHECKED: vuln.go.dev could not be asked; a machine with a network can" >&2 ;; esac; exit $$rc

.PHONY: test-deb
test-deb: ## the packages in a clean Debian with systemd: install, upgrade, rollback, remove, purge, and what may go wrong (needs root)
	@tools/test-deb.sh

.PHONY: selftest-arm64
selftest-arm64: arm64 ## the arm64 archive's own self-test under qemu-user (the C API; LiteRT runs on the emulated board)
	@tools/setup.sh qemu-user-static libstdc++6-arm64-cross
	@printf '[camera]\nclip = "demo.mjpeg"\n[model]\nbackend = "tflite"\n[state]\ndir = "dist/selftest"\n' > dist/selftest.toml
	qemu-aarch64-static -L /usr/aarch64-linux-gnu dist/mien-$(VERSION)-linux-arm64/mien selftest -config dist/selftest.toml
