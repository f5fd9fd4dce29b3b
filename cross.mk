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
archive: tools
	@$(GO) run ./tools/fetch -arch $(CPU)
	@rm -rf $(STAGE) && mkdir -p $(STAGE)/lib
	GOOS=linux GOARCH=$(CPU) GOARM=7 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $(STAGE)/mien ./firmware/mien
	GOOS=linux GOARCH=$(CPU) GOARM=7 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $(STAGE)/plc ./tools/plc
	@cp $(LIB)/* $(STAGE)/lib/
	@cp -r LICENSE README.md docs board/mien.service board/mien-gateway.service $(STAGE)/ && rm $(STAGE)/docs/*.go
	@$(GO) run ./tools/generate -notices > $(STAGE)/NOTICES
	@$(GO) run ./firmware/mien config > $(STAGE)/mien.toml
	@tar -C dist --sort=name --owner=0 --group=0 --numeric-owner --mode=u=rwX,go=rX -czf $(STAGE).tar.gz $(notdir $(STAGE))
	@echo "$(STAGE).tar.gz  $$(stat -c %s $(STAGE).tar.gz) bytes"

.PHONY: selftest-arm64
selftest-arm64: arm64 ## the arm64 archive's own self-test under qemu-user (the C API; LiteRT runs on the emulated board)
	@tools/setup.sh qemu-user-static libstdc++6-arm64-cross
	@printf '[camera]\nclip = "demo.mjpeg"\n[model]\nbackend = "tflite"\n[state]\ndir = "dist/selftest"\n' > dist/selftest.toml
	qemu-aarch64-static -L /usr/aarch64-linux-gnu dist/mien-$(VERSION)-linux-arm64/mien selftest -config dist/selftest.toml
