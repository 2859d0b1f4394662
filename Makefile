# ivr-workers: `make help` lists the targets.

VERSION   := 0.2.0
PREFIX    ?= /usr/local
SANITIZER ?=
PYTEST    ?= build/venv/bin/pytest

# Sanitized and plain objects never mix: each variant has its own directory.
VARIANT   := $(if $(SANITIZER),-$(SANITIZER))
B         := build/obj$(VARIANT)
BIN       := $(if $(SANITIZER),build/bin$(VARIANT),bin)
TESTBIN   := build/bin$(VARIANT)

PACKAGES  := rdkafka hiredis jansson libcurl libuv openssl glib-2.0
# Debian 12 calls it msgpack, Debian 13 msgpack-c.
PACKAGES  += $(shell pkg-config --exists msgpack-c 2>/dev/null && echo msgpack-c || echo msgpack)
# TLS to Redis: hiredis 1.x has it (Debian 13), 0.14 has not; rediss:// is refused then.
HAVE_HIREDIS_SSL := $(shell pkg-config --exists hiredis_ssl 2>/dev/null && echo 1)
PACKAGES  += $(if $(HAVE_HIREDIS_SSL),hiredis_ssl)
PKGFLAGS  := $(shell pkg-config --cflags $(PACKAGES) 2>/dev/null | sed 's/-I/-isystem /g') \
             $(if $(HAVE_HIREDIS_SSL),-DHAVE_HIREDIS_SSL)
PKGLIBS   := $(shell pkg-config --libs $(PACKAGES) 2>/dev/null)
# librdkafka allocates each header of each record on one thread and frees it on another: jemalloc's larger thread caches save
# an eighth of the status worker's instructions. Sanitizers bring an allocator of their own.
PKGLIBS   += $(if $(SANITIZER),,$(shell pkg-config --libs jemalloc 2>/dev/null))
# What people see is a word and a file; V=1 shows the commands.
Q         := $(if $(V),,@)

WARNINGS  := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
             -Wcast-qual -Wvla -Wformat=2 -Wundef -Werror
CFLAGS    ?= $(if $(SANITIZER),-O1,-O2) -g
# glibc refuses to fortify what is not optimized; some distributions' compilers define it themselves.
FORTIFY   := $(if $(filter-out -O0,$(filter -O%,$(CFLAGS))),-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
HARDEN    := $(if $(SANITIZER),-fno-omit-frame-pointer -fsanitize=$(SANITIZER) -fno-sanitize-recover=all, \
               $(FORTIFY) -fstack-protector-strong) -fPIE
ALLCFLAGS = -std=gnu17 -D_GNU_SOURCE $(WARNINGS) $(CFLAGS) $(HARDEN) -I. -I$(GEN) -DIVR_VERSION='"$(VERSION)"' $(PKGFLAGS)
ALLLDFLAGS = $(LDFLAGS) -pie -Wl,-z,relro,-z,now $(if $(SANITIZER),-fsanitize=$(SANITIZER))
LIBS      = $(PKGLIBS) -lm -lpthread

GEN       := build/gen
PROGRAMS  := ivr-dispatch ivr-status ivr-report ivr-gateway ivrctl ivr-sandbox

# A program is its main file plus what it links; everything shared is in one archive, so a new .c file needs no list.
src        = $(wildcard $(addsuffix /*.c,$(1)))
SHARED_SRC := $(call src,common/* workers/program workers/store workers/calls workers/channel workers/contact workers/providers workers/providers/*)
dispatch_SRC := $(call src,workers/dispatch)
status_SRC   := $(call src,workers/status)
report_SRC   := $(call src,workers/report)
gateway_SRC  := $(call src,workers/gateway)
ivrctl_SRC   := $(call src,tools/ivrctl)
sandbox_SRC  := $(call src,tools/sandbox)
simulator_SRC := $(call src,tests/simulator)
UNIT_SRC   := $(call src,tests/unit)
CORPUS_SRC := $(call src,tests/corpus)
BENCH_SRC  := $(call src,tests/bench)
SCHEMAS_SRC := $(call src,tests/schemas)
HOURS_SRC := $(call src,tests/hours)
FUZZ_SRC   := $(call src,tests/fuzz)
DEPLOY_SRC := $(call src,tests/deploy)
LUA        := $(wildcard workers/*/*.lua workers/*/lib/*.lua)

obj        = $(patsubst %.c,$(B)/%.o,$(1))
SHARED_OBJ := $(call obj,$(SHARED_SRC)) $(B)/gen/scripts.o
# Unit tests may test the parts of a worker that are not its main.
PARTS_OBJ  := $(filter-out %/main.o,$(call obj,$(dispatch_SRC) $(status_SRC) $(report_SRC) $(gateway_SRC) $(ivrctl_SRC)))
UNITS      := $(patsubst tests/unit/%.c,$(TESTBIN)/unit/%,$(UNIT_SRC))
C_FILES     = $(SHARED_SRC) $(dispatch_SRC) $(status_SRC) $(report_SRC) $(gateway_SRC) $(ivrctl_SRC) \
              $(sandbox_SRC) $(simulator_SRC) $(UNIT_SRC) $(CORPUS_SRC) $(BENCH_SRC) $(SCHEMAS_SRC) $(HOURS_SRC) $(FUZZ_SRC) $(DEPLOY_SRC)
H_FILES     = $(wildcard common/*/*.h workers/*/*.h workers/*/*/*.h tools/*/*.h tests/*/*.h)

.DEFAULT_GOAL := all
.PHONY: all help deps deps-test deps-deploy deploy-static deploy-test image-test alerts sbom programs demo test test-busy test-next-year test-programs sanitized chaos chaos-short checker soak fuzz fuzz-short fuzz-programs unit corpus scripts scripts-servers schemas schemas-test hours-test computed integration attacks bench bench-peer bench-growth bench-report lint linted format install uninstall clean .FORCE

all: programs compile_commands.json ## build every program into bin/

programs: $(addprefix $(BIN)/,$(PROGRAMS)) $(TESTBIN)/ivr-simulator

help: ## list the targets
	@awk -F':.*## ' '/^[a-z_-]+:.*## /{printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo "  variables      SANITIZER=address,undefined|thread  PREFIX=/usr/local  DESTDIR=  T=test_name"

deps: ## install what building and the demo need (Debian 12 or 13)
	@tests/deps.sh build

deps-test: deps ## install what the tests need besides
	@tests/deps.sh test

deps-deploy: deps-test ## install what deploy-test needs besides
	@tests/deps.sh deploy

# ---- building ----

# Objects that were built with other flags are built again.
$(B)/flags: .FORCE
	@mkdir -p $(@D)
	@printf '%s\n' '$(CC) $(subst ','"'"',$(ALLCFLAGS))' | cmp -s - $@ || \
	  printf '%s\n' '$(CC) $(subst ','"'"',$(ALLCFLAGS))' > $@

$(B)/%.o: %.c $(B)/flags
	@mkdir -p $(@D)
	@echo "  CC    $<"
	$(Q)$(CC) $(ALLCFLAGS) -MMD -MP -c -o $@ $<

$(B)/gen/%.o: $(GEN)/%.c $(B)/flags
	@mkdir -p $(@D)
	@echo "  CC    $<"
	$(Q)$(CC) $(ALLCFLAGS) -MMD -MP -c -o $@ $<

# The Lua scripts become one library of Redis Functions, and a C string (workers/store/library.sh says how).
$(GEN)/scripts.c $(GEN)/scripts.h $(GEN)/layout.h $(GEN)/library.lua &: $(LUA) workers/store/library.sh
	@mkdir -p $(GEN)
	@echo "  LUA   $(GEN)/library.lua"
	$(Q)sh workers/store/library.sh $(GEN) $(LUA)

$(SHARED_OBJ) $(PARTS_OBJ): | $(GEN)/scripts.h
$(call obj,$(sandbox_SRC) $(simulator_SRC) $(UNIT_SRC) $(CORPUS_SRC) $(BENCH_SRC) $(SCHEMAS_SRC) $(HOURS_SRC)): | $(GEN)/scripts.h

$(B)/libivr.a: $(SHARED_OBJ)
	@rm -f $@
	@echo "  AR    $@"
	$(Q)$(AR) rcs $@ $^

define program
$(BIN)/$(1): $$(call obj,$$($(2)_SRC)) $(B)/libivr.a
	@mkdir -p $$(@D)
	@echo "  LINK  $$@"
	$$(Q)$$(CC) $$(ALLLDFLAGS) -o $$@ $$(filter-out %.a,$$^) $(B)/libivr.a $$(LIBS)
endef
$(eval $(call program,ivr-dispatch,dispatch))
$(eval $(call program,ivr-status,status))
$(eval $(call program,ivr-report,report))
$(eval $(call program,ivr-gateway,gateway))
$(eval $(call program,ivrctl,ivrctl))
$(eval $(call program,ivr-sandbox,sandbox))

$(TESTBIN)/ivr-simulator: $(call obj,$(simulator_SRC)) $(B)/libivr.a
	@mkdir -p $(@D)
	@echo "  LINK  $@"
	$(Q)$(CC) $(ALLLDFLAGS) -o $@ $(filter-out %.a,$^) $(B)/libivr.a $(LIBS)

$(TESTBIN)/ivr-corpus: $(call obj,$(CORPUS_SRC)) $(B)/libivr.a
	@mkdir -p $(@D)
	@echo "  LINK  $@"
	$(Q)$(CC) $(ALLLDFLAGS) -o $@ $(filter-out %.a,$^) $(B)/libivr.a $(LIBS)

# Tests of the simulator link its parts besides.
$(filter $(TESTBIN)/unit/test_simulator_%,$(UNITS)): $(filter-out %/main.o,$(call obj,$(simulator_SRC)))

$(TESTBIN)/unit/%: $(B)/tests/unit/%.o $(PARTS_OBJ) $(B)/libivr.a
	@mkdir -p $(@D)
	@echo "  LINK  $@"
	$(Q)$(CC) $(ALLLDFLAGS) -o $@ $(filter-out %.a,$^) $(B)/libivr.a $(LIBS) -lcmocka

$(TESTBIN)/bench/%: $(B)/tests/bench/%.o $(B)/libivr.a
	@mkdir -p $(@D)
	@echo "  LINK  $@"
	$(Q)$(CC) $(ALLLDFLAGS) -o $@ $< $(B)/libivr.a $(LIBS)

$(TESTBIN)/schemas/%: $(B)/tests/schemas/%.o $(B)/libivr.a
	@mkdir -p $(@D)
	@echo "  LINK  $@"
	$(Q)$(CC) $(ALLLDFLAGS) -o $@ $< $(B)/libivr.a $(LIBS)

$(TESTBIN)/hours/%: $(B)/tests/hours/%.o $(B)/libivr.a
	@mkdir -p $(@D)
	@echo "  LINK  $@"
	$(Q)$(CC) $(ALLLDFLAGS) -o $@ $< $(B)/libivr.a $(LIBS)

# A fuzz target of providers is built once for each of them.
FUZZ_OF_PROVIDERS := callback response
FUZZ_PROVIDERS := $(notdir $(patsubst %/,%,$(wildcard tests/corpus/*/)))
FUZZ_TARGETS := $(filter-out fuzz $(FUZZ_OF_PROVIDERS),$(notdir $(FUZZ_SRC:.c=))) \
                $(foreach t,$(FUZZ_OF_PROVIDERS),$(addprefix $(t)-,$(FUZZ_PROVIDERS)))
FUZZ_LINK = @mkdir -p $(@D); echo "  LINK  $@"; \
            $(CC) $(ALLCFLAGS) $(ALLLDFLAGS) -fsanitize=fuzzer $(1) -o $@ $(filter-out %.a,$^) $(B)/libivr.a $(LIBS)

fuzz-programs: $(addprefix $(TESTBIN)/fuzz/,$(FUZZ_TARGETS))

define fuzz_of_provider
$(TESTBIN)/fuzz/$(1)-%: tests/fuzz/$(1).c $(B)/tests/fuzz/fuzz.o $(PARTS_OBJ) $(B)/libivr.a
	$$(call FUZZ_LINK,-DFUZZ_PROVIDER=$$*)
endef
$(foreach t,$(FUZZ_OF_PROVIDERS),$(eval $(call fuzz_of_provider,$(t))))

$(TESTBIN)/fuzz/%: tests/fuzz/%.c $(B)/tests/fuzz/fuzz.o $(PARTS_OBJ) $(B)/libivr.a
	$(call FUZZ_LINK)

compile_commands.json: Makefile $(C_FILES)
	@echo '[' > $@.tmp; for f in $(C_FILES); do \
	  printf '{"directory": "%s", "file": "%s", "command": "%s"},\n' "$(CURDIR)" "$$f" \
	    "$$(printf '%s' '$(CC) $(subst ','"'"',$(ALLCFLAGS)) -c' | sed 's/"/\\"/g') $$f" >> $@.tmp; done; \
	sed '$$ s/},$$/}/' $@.tmp > $@; echo ']' >> $@; rm -f $@.tmp

# ---- running and testing ----

# What deps installs is found only by a make that starts afterwards, hence the second one.
demo: deps ## a campaign of 500 calls from nothing to its summary (CALLS=20000 KAFKA=host:port REDIS=url KEEP=1)
	@$(MAKE) --no-print-directory programs
	@$(BIN)/ivr-sandbox $(if $(CALLS),--calls $(CALLS)) $(if $(KAFKA),--kafka $(KAFKA)) \
	  $(if $(REDIS),--redis $(REDIS)) $(if $(KEEP),--keep)

# The quick ones first. Parts of one run never overlap: what they measure and wait for would suffer. Those that only
# compute are one part.
TEST_PARTS := test-programs unit computed scripts fuzz-short integration chaos-short
test: deps-test ## every test: units, scripts on Redis, the whole system on Kafka and Redis, minutes of fuzzing and chaos
	@MAKE="$(MAKE)" tests/all.sh $(TEST_PARTS)

# The environment passes BUSY and DAYS_AHEAD to any of these.
test-busy: deps-test ## every test while as many other processes compute as there are cores
	@MAKE="$(MAKE)" BUSY="$$(nproc)" tests/all.sh $(TEST_PARTS)

test-next-year: deps-test ## every test that has to do with dates, with every clock a year ahead
	@MAKE="$(MAKE)" DAYS_AHEAD=366 tests/all.sh $(filter-out fuzz-short,$(TEST_PARTS))

sanitized: deps-test ## units, corpus and the whole system under AddressSanitizer, LeakSanitizer, UndefinedBehaviorSanitizer
	@MAKE="$(MAKE)" tests/all.sh SANITIZER=address,undefined test-programs unit integration

computed: hours-test schemas-test checker deploy-static

test-programs:
	@$(MAKE) --no-print-directory -j$$(nproc) programs $(UNITS) $(TESTBIN)/ivr-corpus $(TESTBIN)/schemas/decode $(TESTBIN)/hours/ask

T ?= $(notdir $(UNITS))
# The corpus belongs to the unit tests, unless one of them is asked for.
CORPUS := $(if $(filter file,$(origin T)),$(TESTBIN)/ivr-corpus)
# They wait more than they work.
UNIT_JOBS ?= 3
unit: $(addprefix $(TESTBIN)/unit/,$(T)) $(CORPUS) ## unit tests and the corpus (T=test_x for one test)
	@failed=0; printf '%s\n' $(addprefix $(TESTBIN)/unit/,$(T)) | xargs -P $(UNIT_JOBS) -I {} \
	  sh -c '{} > {}.log 2>&1 || { tail -n 40 {}.log; echo "FAILED {}"; exit 1; }' && \
	  echo "unit tests: $(words $(T)) programs passed" || failed=1; \
	$(if $(CORPUS),$(CORPUS) || failed=1;) exit $$failed

corpus: $(TESTBIN)/ivr-corpus ## what providers say and are told (P=twilio/callback for the cases that begin so)
	@$< $(P)

scripts: $(GEN)/scripts.h ## the Lua: what is pure in the plain interpreter, all of it on a private Redis
	@cd tests/lua && lua5.1 run.lua
	@$(PYTEST) -q tests/scripts

SERVER_UNITS := $(addprefix $(TESTBIN)/unit/,test_redis test_redis_replicas test_redis_cluster test_record)
scripts-servers: programs $(SERVER_UNITS) ## the scripts on Redis and Valkey of Debian 13, and a Redis without functions (as root)
	@tests/deps.sh servers
	@tests/scripts/servers.sh

schemas: programs ## write what schemas/channels.schema.json says about providers, from their own tables
	@schemas/generate.py $(BIN)/ivrctl

schemas-test: programs $(TESTBIN)/schemas/decode ## the schemas, their examples, and that our decoders agree with them
	@TEST_BIN=$(abspath $(BIN)) TEST_DECODE=$(abspath $(TESTBIN)/schemas/decode) $(PYTEST) -q tests/schemas

hours-test: $(TESTBIN)/hours/ask ## calling hours against Python's zoneinfo, in every zone and around every change of a clock
	@TEST_ASK=$(abspath $<) $(PYTEST) -q tests/hours

# The tests wait more than they work: JOBS processes, each with a Kafka and a Redis of its own, take turns at the files.
JOBS ?= 3
WHOLE_SYSTEM = TEST_BIN=$(abspath $(BIN)) TEST_SIMULATOR=$(abspath $(TESTBIN)/ivr-simulator) \
  $(PYTEST) -q -c tests/integration/pytest.ini $(if $(SANITIZER),-m 'not memory') $(if $(P),,-n $(JOBS) --dist loadfile --no-loadscope-reorder)
integration: programs ## the whole system, and attacks on it, on a real Kafka and Redis (P=test_statuses.py for one file, JOBS=3 at a time)
	@$(WHOLE_SYSTEM) $(if $(P),tests/integration/$(P),tests/integration tests/attacks)

attacks: programs ## what nobody can do who should not (P=test_ownership.py for one file)
	@$(WHOLE_SYSTEM) tests/attacks$(if $(P),/$(P))

# The fuzzer is clang's; F=request for one target.
FUZZ_SECONDS ?= 600
FUZZ = $(MAKE) --no-print-directory -j$$(nproc) CC=clang SANITIZER=fuzzer-no-link,address,undefined fuzz-programs && \
       tests/fuzz/run.sh build/bin-fuzzer-no-link,address,undefined/fuzz
# Two channels against each other on the scripts is Python's: `make scripts` has the short of it.
fuzz: deps-test $(GEN)/scripts.h ## fuzz every parser of outside bytes for ten minutes each (FUZZ_SECONDS=600 F=request)
	@$(if $(filter-out two_channels,$(or $(F),all)),$(FUZZ) $(FUZZ_SECONDS) $(F))
	@$(if $(filter two_channels,$(or $(F),two_channels)),FUZZ_SECONDS=$(FUZZ_SECONDS) $(PYTEST) -q -s tests/scripts/test_two_channels.py)

fuzz-short: ## three seconds of each: the seeds, and what was found before
	@$(FUZZ) 3 $(F)

soak: deps-test ## steady load for twenty minutes: memory and descriptors stay flat (SOAK_MINUTES=20)
	@$(MAKE) --no-print-directory programs
	@build/venv/bin/python tests/soak/run.py --minutes $(or $(SOAK_MINUTES),20)

# A run of an hour or less; the same seed makes the same schedule of faults.
chaos: deps-test ## a campaign while everything is killed (CHAOS_SEED=1 CHAOS_CALLS=20000 CHAOS_MINUTES=8 CHAOS_GAP=5 CHAOS_MODE=plain, or all)
	@$(MAKE) --no-print-directory programs
	@TEST_BIN=$(abspath $(BIN)) TEST_SIMULATOR=$(abspath $(TESTBIN)/ivr-simulator) build/venv/bin/python tests/chaos/run.py \
	  $(if $(CHAOS_SEED),--seed $(CHAOS_SEED)) $(if $(CHAOS_CALLS),--calls $(CHAOS_CALLS)) \
	  $(if $(CHAOS_MINUTES),--minutes $(CHAOS_MINUTES)) $(if $(CHAOS_GAP),--gap $(CHAOS_GAP)) $(if $(CHAOS_MODE),--mode $(CHAOS_MODE))

DEPLOY_TEST = TEST_BIN=$(abspath $(BIN)) $(PYTEST) -q -c tests/deploy/pytest.ini
deploy-static: programs
	@$(DEPLOY_TEST) tests/deploy/test_static.py tests/deploy/test_binaries.py tests/deploy/test_documents.py

deploy-test: deps-deploy ## manifests, alerts and dashboard with kubeconform and promtool; hardening; the bill of materials
	@$(MAKE) --no-print-directory programs
	@$(DEPLOY_TEST) tests/deploy

image-test: deps ## build the image for real on a base of Debian's packages, run it, say its size (minutes; as root)
	@tests/deps.sh image
	@tests/deploy/image.sh

alerts: ## write the Prometheus operator's rules from those of Prometheus
	@deploy/prometheus/operator.sh

sbom: programs ## a bill of materials of the programs, CycloneDX, into build/sbom.cdx.json
	@python3 deploy/sbom.py $(VERSION) $(addprefix $(BIN)/,$(PROGRAMS)) > build/sbom.cdx.json.new
	@mv build/sbom.cdx.json.new build/sbom.cdx.json
	@echo "build/sbom.cdx.json"

checker: ## the tests of the chaos runs' checker
	@$(PYTEST) -q tests/chaos/test_checker.py

chaos-short: programs ## a minute of the same
	@TEST_BIN=$(abspath $(BIN)) TEST_SIMULATOR=$(abspath $(TESTBIN)/ivr-simulator) \
	  $(PYTEST) -q tests/chaos/test_plan.py tests/chaos/test_campaign.py tests/chaos/test_short.py

bench: deps-test ## measure dispatch and status beside a peer in Go and the machine's limits (CALLS=60000)
	@$(MAKE) --no-print-directory programs bench-peer
	@mkdir -p build/bench
	@build/venv/bin/python tests/bench/run.py $(if $(CALLS),--calls $(CALLS)) --json build/bench/run.json

bench-growth: deps-test programs ## what growth costs a call, and what a second replica adds (CALLS=1000000)
	@mkdir -p build/bench
	@build/venv/bin/python tests/bench/growth.py $(if $(CALLS),--calls $(CALLS)) --json build/bench/growth.json

bench-report: build/bench/python ## write tests/bench/RESULTS.md and its charts from what these two left
	@PYTHONPATH=$< build/venv/bin/python tests/bench/report.py build/bench

build/bench/python: tests/bench/requirements.txt | deps-test
	@mkdir -p $(@D)
	@build/venv/bin/pip install -q --disable-pip-version-check --upgrade --target $@ -r $< && touch $@

# The peer is built where Go is there and has its modules, or can have them; without it the bench goes on alone.
PEER_SRC := $(wildcard tests/bench/peer/*.go tests/bench/peer/go.*)
bench-peer: $(if $(shell command -v go 2>/dev/null),build/bin/bench-peer)

build/bin/bench-peer: $(PEER_SRC)
	@mkdir -p $(@D)
	@echo "  GO    $@"
	$(Q)cd tests/bench/peer && go build -trimpath -o $(abspath $@) . || \
	  { echo "no peer: its modules could not be had"; rm -f $(abspath $@); }

CLANG_FORMAT ?= clang-format
CLANG_TIDY   ?= clang-tidy
LUACHECK     ?= luacheck

# Another major version formats and warns otherwise: both count only with the one that CI has. One process a file:
# clang-tidy 14 invents va_list findings from its second file on. What passed is not checked again until it changes.
LINTED     = $(patsubst %.c,build/lint/%.ok,$(C_FILES))
has_14     = $(findstring version 14.,$(shell $(1) --version 2>/dev/null))

build/lint/%.ok: %.c .clang-tidy $(wildcard tests/.clang-tidy)
	@mkdir -p $(@D)
	@$(CC) $(ALLCFLAGS) -MM -MP -MT $@ -MF $(@:.ok=.d) $<
	@$(CLANG_TIDY) --quiet $< -- $(ALLCFLAGS) 2>$(@:.ok=.err) || { cat $(@:.ok=.err); exit 1; }
	@touch $@

linted: $(LINTED)

lint: $(GEN)/scripts.h ## formatting, our own rules and clang-tidy
	@$(if $(call has_14,$(CLANG_FORMAT)),$(CLANG_FORMAT) --dry-run -Werror $(C_FILES) $(H_FILES),\
	  echo "lint: formatting is checked with clang-format 14 only: skipped")
	@sh tests/rules.sh
	@$(LUACHECK) -q --no-color $(LUA) tests/lua
	@$(if $(call has_14,$(CLANG_TIDY)),$(MAKE) --no-print-directory -k -j$$(nproc) --output-sync=target linted,\
	  echo "lint: warnings are checked with clang-tidy 14 only: skipped")

format: ## format every C file
	@$(CLANG_FORMAT) -i $(C_FILES) $(H_FILES)

# ---- installing ----

install: programs ## install the programs (PREFIX=/usr/local, DESTDIR=)
	install -d $(DESTDIR)$(PREFIX)/bin
	install -m 755 $(addprefix $(BIN)/,$(filter-out ivr-sandbox,$(PROGRAMS))) $(DESTDIR)$(PREFIX)/bin

uninstall: ## remove them
	rm -f $(addprefix $(DESTDIR)$(PREFIX)/bin/,$(PROGRAMS))

clean: ## remove what was built; downloads in build/kafka and build/venv stay
	rm -rf bin build/bin* build/obj* build/lint build/gen compile_commands.json

-include $(shell find $(B) build/lint -name '*.d' 2>/dev/null)
