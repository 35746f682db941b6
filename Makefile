# Two commands matter: `make demo` runs the main job from nothing, `make test` passes all tests.
# The rest: build, programs, check (format, lint, licences, docs), bench, prove, clean.

SHELL := /bin/bash
TARGET ?= $(or $(CARGO_TARGET_DIR),target)
TRIPLE := x86_64-unknown-linux-gnu
CARGO_DIR := $(or $(CARGO_HOME),$(HOME)/.cargo)
# Paths of this machine must not reach the bytes of a program that goes into an image
REMAP := --remap-path-prefix=$(CURDIR)=/vitrine --remap-path-prefix=$(CARGO_DIR)=/cargo
# Static programs that see no file system: random numbers by the system call alone. The crate's other way looks for the
# C library's function at run time, does not find it in a static program, and opens /dev/urandom. The linker writes relocations
# as a bit map: a fifth of a megabyte less in an image
STATIC := -C target-feature=+crt-static --cfg getrandom_backend="linux_raw" -C link-arg=-Wl,-z,pack-relative-relocs
PROGRAMS := $(TARGET)/image-programs
export CARGO_TARGET_DIR := $(abspath $(TARGET))
export PATH := $(abspath $(TARGET))/release:$(PATH)
BUILT := $(CARGO_TARGET_DIR)/static/$(TRIPLE)

# $(call cargo_static,PACKAGES AND FEATURES[,PROFILE])
cargo_static = RUSTFLAGS='$(STATIC) $(REMAP)' cargo build --locked --profile $(or $(2),image) --target $(TRIPLE) \
	--target-dir $(CARGO_TARGET_DIR)/static $(1)
# $(call static,FEATURES): PID 1, resolver, launcher and metrics; the gateway is a build of its own
static = $(call cargo_static,-p vitrine-guest -p vitrine-resolver -p vitrine-launcher -p vitrine-metrics $(1))
# $(call beside,FOLDER,NAMES[,PROFILE]): the programs as shipped, and over them these of the last build
beside = mkdir -p $(CARGO_TARGET_DIR)/$(1) && install -m 0755 -t $(CARGO_TARGET_DIR)/$(1) $(PROGRAMS)/vitrine-* && \
	install -m 0755 -t $(CARGO_TARGET_DIR)/$(1) $(addprefix $(BUILT)/$(or $(3),image)/vitrine-,$(2)) || exit 1

.PHONY: help deps build programs verifier probe saboteur controls images demo compiled-tests test prove check bench fuzz conformance interop anchors mutants reproduce clean

help:
	@echo "make demo    the main job from nothing: lock, build, boot, tunnel, verdict, three refusals"
	@echo "make test    all tests, with virtual machines"
	@echo "make prove   tests that take longer: the whole behavioural proof three times, more network cards"
	@echo "make controls  variants that log on purpose, each caught by masks, screen or proof (50 min)"
	@echo "make check   format, lint, licences, documentation"
	@echo "make bench   times, sizes and memory, written as a table"
	@echo "make fuzz    every parser of foreign bytes, FUZZ_SECONDS each (60)"
	@echo "make conformance  public tools judge the gateway's HTTP"
	@echo "make interop other people's programs judge the log's formats, and we judge what they write"
	@echo "make anchors a local chain and the usual timestamp library judge anchors"
	@echo "make mutants changes one thing at a time in checks and parsers and asks if a test notices (hours)"
	@echo "make reproduce  programs and image under other conditions and on other hosts, byte by byte (four full compilations)"
	@echo "make build   the three programs: vitrine, vitrine-verify, vitrine-qemu"

deps:
	@tools/deps.sh

build: deps programs verifier
	cargo build --release --locked -p vitrine-builder -p vitrine-qemu

# What goes into the image: PID 1, resolver, gateway and metrics static, the agent against the host's libtss2 headers
programs: deps
	$(call static)
	$(call cargo_static,-p vitrine-gateway,gateway)
	RUSTFLAGS="$(REMAP)" cargo build --locked --profile image --target $(TRIPLE) \
		--target-dir $(CARGO_TARGET_DIR)/dynamic -p vitrine-agent
	@mkdir -p $(PROGRAMS)
	@install -m 0755 -t $(PROGRAMS) $(addprefix $(BUILT)/image/vitrine-,init resolver launcher metrics) $(BUILT)/gateway/vitrine-gateway
	@install -m 0755 $(CARGO_TARGET_DIR)/dynamic/$(TRIPLE)/image/vitrine-agent $(PROGRAMS)/vitrine-agent

# What an outsider downloads: one static file
verifier: deps
	$(call cargo_static,-p vitrine-verifier --bin vitrine-verify,verifier)
	@mkdir -p $(CARGO_TARGET_DIR)/release
	@install -m 0755 $(CARGO_TARGET_DIR)/static/$(TRIPLE)/verifier/vitrine-verify $(CARGO_TARGET_DIR)/release/

demo: build
	@tools/demo.sh

# For tests only: a PID 1 that tries what must be refused, beside the programs as shipped
probe: programs
	$(call static,--features vitrine-guest/probe)
	@$(call beside,$@-programs,init)

# For tests only: a PID 1 that breaks one rule of the watch, beside the programs as shipped
saboteur: programs
	$(call static,--features vitrine-guest/saboteur)
	@$(call beside,$@-programs,init)

# Programs with mistakes made on purpose, then all mutation controls: fifty minutes, as root
CONTROLS := guest/control-janitor-off metrics/control-endpoint-label guest/control-panic-name,vitrine-resolver/control-panic-name
controls: images
	@set -e; for features in $(CONTROLS); do \
		$(call static,--features vitrine-$$features); \
		$(call beside,control-programs/$${features##*/},init resolver metrics); \
	done
	$(call cargo_static,-p vitrine-gateway --features vitrine-gateway/control-keep-request,gateway)
	@$(call beside,control-programs/control-keep-request,gateway,gateway)
	vitrine-qemu controls --names $(CARGO_TARGET_DIR)/vm/names --upstream $(CARGO_TARGET_DIR)/vm/upstream --app $(CARGO_TARGET_DIR)/vm/nosy

# The images that all VM tests share
images: build probe saboteur
	@tools/test-images.sh

# What is in no build by default, in one build
WITH_FEATURES_ATTEST := -p vitrine-attest --features ml-dsa --lib --locked
WITH_FEATURES_VERIFIER := -p vitrine-verifier --features cpu-evidence,anchors,object-storage,ml-dsa --lib --test cpu --test anchor \
	--test bucket --test witness --test logged --locked

# So that `make -j2 images compiled-tests` uses the second core while the first links an image's programs
compiled-tests: deps
	cargo test --workspace --locked --no-run
	cargo test $(WITH_FEATURES_ATTEST) --no-run
	cargo test $(WITH_FEATURES_VERIFIER) --no-run

test: images
	VITRINE_AGENT_BINARY=$(abspath $(PROGRAMS))/vitrine-agent \
		VITRINE_RESOLVER_BINARY=$(abspath $(PROGRAMS))/vitrine-resolver \
		VITRINE_GATEWAY_BINARY=$(abspath $(PROGRAMS))/vitrine-gateway cargo test --workspace --locked --no-fail-fast
	@tools/object-storage/install.sh
	cargo test $(WITH_FEATURES_ATTEST)
	cargo test $(WITH_FEATURES_VERIFIER)
	@echo "all tests passed"

# What make test leaves out for its length
prove: images
	cargo test -p vitrine-qemu --test vm --locked -- --ignored --nocapture
	@echo "passed, but for what says \"skipped\" above"

check: deps
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	cargo clippy -p vitrine-attest -p vitrine-verifier --all-targets --locked \
		--features vitrine-verifier/cpu-evidence,vitrine-verifier/anchors,vitrine-verifier/object-storage,vitrine-verifier/ml-dsa -- -D warnings
	@tools/deny.sh
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked --document-private-items
	@tools/check-tree.sh

bench: build probe
	@tools/deps.sh bench
	cargo build --release --locked -p vitrine-qemu --example bench_tunnel --example bench_scan
	cargo build --release --locked -p vitrine-resolver --example native
	cargo build --release --locked -p vitrine-initramfs --example archive
	$(call cargo_static,-p vitrine-verifier --example bench_check --example bench_log,verifier)
	@tools/bench/build.sh
	@tools/bench/peers.sh
	@tools/bench/tunnel.sh
	@tools/bench/dns.sh
	@tools/bench/gateway.sh
	@tools/bench/scan.sh
	@tools/bench/watch.sh
	@tools/bench/verify.sh
	@tools/bench/evidence.sh
	@tools/bench/log.sh

# See fuzz/README.md; a stable compiler takes the sanitizer's flags with RUSTC_BOOTSTRAP
FUZZ_SECONDS ?= 60
fuzz:
	cd fuzz && cargo run --locked --example seeds
	cd fuzz && export RUSTC_BOOTSTRAP=1 && cargo fuzz build && for target in $$(cargo fuzz list); do \
		cargo fuzz run $$target -- -max_total_time=$(FUZZ_SECONDS) || exit 1; done

# See docs/gateway.md: the tools are installed below the target folder
conformance: programs
	@tools/conformance/run.sh

# See docs/interop.md: installs the peers below the target folder
interop:
	@tools/interop/run.sh

# See docs/anchors.md: a compiler, a local chain and a timestamp library, installed below the target folder
anchors:
	@tools/anchors/run.sh

# See docs/mutants.md and .cargo/mutants.toml: what is mutated and why; MUTANTS takes more flags, such as --shard 1/8
MUTANTS ?=
mutants:
	@command -v cargo-mutants >/dev/null || { echo "cargo install --locked cargo-mutants" >&2; exit 2; }
	@# cargo-mutants tries the tests of the mutated crates alone, without the test kit: so we try all of them before
	CARGO_PROFILE_DEV_DEBUG=0 cargo test --locked -p vitrine-attest -p vitrine-verifier -p vitrine-testkit \
		--lib --test=kit --test=attacks --test=policy --test=memory --test=beacon -- --skip=a_new_kit
	CARGO_PROFILE_DEV_DEBUG=0 cargo mutants --jobs 1 --baseline=skip --timeout 300 $(MUTANTS)

# The reproducibility matrix with whole compilations; `make test` has the one of images. See docs/reproduce.md
reproduce: build
	@tools/reproduce.sh

clean:
	cargo clean
	rm -rf out
