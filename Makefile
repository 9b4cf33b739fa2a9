# rvrrpd: "make demo" and "make test" do all the set-up they need (Debian, Go, root).

GO       ?= go
PREFIX   ?= /usr/local
UNITDIR  ?= /usr/lib/systemd/system
SYSUSERSDIR ?= /usr/lib/sysusers.d
RELEASE  ?= $(shell cat VERSION)
# Of this tree, not of a repository that it was unpacked in.
OURS     := test "$$(git rev-parse --show-toplevel 2>/dev/null)" = "$$(pwd -P)"
COMMIT   ?= $(shell $(OURS) && git describe --always --abbrev=12 --exclude '*' --dirty)
# All programs must come from the same sources: their hash is the build identity.
BUILD    := $(shell find . -name '*.go' -o -name go.mod -o -name go.sum | LC_ALL=C sort | xargs sha256sum | sha256sum | cut -c1-24)
LDFLAGS  := -s -w -buildid= -X github.com/rvrrpd/rvrrpd/ipc.build=$(BUILD) -X github.com/rvrrpd/rvrrpd/ipc.release=$(RELEASE) -X github.com/rvrrpd/rvrrpd/ipc.commit=$(COMMIT)
STATIC   := CGO_ENABLED=0 $(GO) build -trimpath -buildvcs=false -ldflags '$(LDFLAGS)'
GOTESTSUM := $(GO) run gotest.tools/gotestsum@v1.13.0 --format=pkgname --format-hide-empty-pkg --rerun-fails=2
HELPERS  := rvrrpd-parent rvrrpd-spawn rvrrpd-netproc rvrrpd-read rvrrpd-keeper rvrrpd-audit rvrrpd-check rvrrpd-sniff
# What the first starts, or becomes, is found beside it or in /usr/libexec/rvrrpd.
PROGRAMS := rvrrpd $(HELPERS)
FUZZTIME ?= 60s
SOAK     ?= 100000h
COUNT    ?= 6

# The tests of vm-lab, and those that vm-test leaves out.
VM_TESTS := ^TestHardKill$$/^rvrrpd-rvrrpd|^TestChildCrash$$|^TestConfinement$$|^TestReassert$$|^TestOwner$$|^TestAudit$$/root
VM_MORE  := ^TestNothingAnswersTwice$$/parent_killed,_version_3.*(IPv6_false|interface_true)|^TestAcceptMode$$|^TestReload$$|^TestHandover$$/hmac
ARM64_TESTS := ^TestAudit$$/root|^TestVersion3$$/rvrrpd,rvrrpd,rfc9568|^TestChildCrash$$|^TestReload$$
VM_SKIP  := Flood|Scale|Hitless|CrashGap|TestSystemd|TestPackage|TestContainer|TestManyLinks|TestManyDevices|TestStall|TestSlowLink|TestTenCrashes|TestService|TestUnits
VM_ENV   := env RVRRPD_LAB_PREBUILT=$(CURDIR)/bin/vm/amd64
VM_ARM64 := lab/vm/foreign.sh -t 1200 arm64 bin/vm/arm64 env RVRRPD_LAB_PREBUILT=$(CURDIR)/bin/vm/arm64 bash -ec

.PHONY: build cross reproducible sbom test unit lab-test demo setup setup-demo generate check-generated fuzz soak bench microbench install uninstall deb clean-root clean vm-setup vm-programs vm-lab vm-test

build:
	@mkdir -p bin
	$(STATIC) -o bin/ $(PROGRAMS:%=./cmd/%)

# For each architecture that has seccomp filters.
cross:
	@for arch in amd64 arm64 riscv64; do mkdir -p bin/linux-$$arch && echo linux/$$arch && \
	  GOOS=linux GOARCH=$$arch $(STATIC) -o bin/linux-$$arch/ $(PROGRAMS:%=./cmd/%) || exit 1; done

# Two builds in different directories must be the same, byte for byte.
reproducible:
	@sh packaging/reproducible.sh

# What is in the programs, in CycloneDX JSON.
sbom:
	@mkdir -p bin
	@for p in $(PROGRAMS); do $(GO) run github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod@v1.10.0 \
	  app -json -std -licenses -noserial -main cmd/$$p -output bin/$$p.cdx.json . 2>bin/sbom.log && echo bin/$$p.cdx.json || { cat bin/sbom.log >&2; exit 1; }; done

setup:
	@./lab/setup.sh iproute2 procps gcc libc6-dev pkg-config libseccomp-dev keepalived frr radvd tcpdump tshark nftables strace systemd systemd-container mmdebstrap

vm-setup:
	@./lab/setup.sh qemu-system-x86 qemu-system-arm busybox-static cpio kmod mmdebstrap

setup-demo:
	@./lab/setup.sh iproute2

demo: setup-demo build
	@CGO_ENABLED=0 $(GO) build -trimpath -o bin/demo ./lab/demo && ./bin/demo

test: setup build
	$(GO) vet ./...
	$(GO) vet -tags lab ./...
	$(GO) vet -tags lab,vm ./lab
	CGO_ENABLED=1 $(GO) vet -tags seccompgen ./netproc/sandbox/...
	$(MAKE) --no-print-directory check-generated unit lab-test vm-lab

unit:
	CGO_ENABLED=1 $(GO) test -race ./...

# The lab needs root and real programs: static, as they are shipped. Some tests need
# every thread of their own process, and so neither cgo nor the race detector, which in
# the others would take more of the machine than all daemons. One package after the
# other, because compiling beside it would spoil what is measured.
# A test that fails is run again, twice at most, and told of: needing that is a
# defect of the test or of the daemon.
lab-test: build deb clean-root
	@rm -f bin/rerun.txt
	CGO_ENABLED=0 $(GOTESTSUM) --rerun-fails-report=bin/rerun.txt --packages="./lab/... ./parent/... ./children ./spawn/... ./sniff ./netproc/sandbox/..." -- -p 1 -tags lab -count=1 -timeout 30m
	@test ! -s bin/rerun.txt || { echo "NEEDED ANOTHER RUN, which is a defect to mend:"; cat bin/rerun.txt; }

# What emulated machines test: static, for each of their processors; in next is
# another release, which takes the place of the first.
vm-programs:
	@for arch in amd64 arm64; do dir=bin/vm/$$arch && mkdir -p $$dir/next && export GOOS=linux GOARCH=$$arch && \
	  $(STATIC) -o $$dir/ ./cmd/... ./netproc/sandbox/attempt && \
	  CGO_ENABLED=0 $(GO) build -trimpath -buildvcs=false -ldflags '-s -w -X github.com/rvrrpd/rvrrpd/ipc.build=next -X github.com/rvrrpd/rvrrpd/ipc.release=next' -o $$dir/next/ ./cmd/... && \
	  CGO_ENABLED=0 $(GO) test -c -tags lab,vm -o $$dir/ ./lab ./netproc/sandbox || exit 1; done

# The lab under Debian's own kernel, and on arm64: VM_TESTS, VM_MORE and ARM64_TESTS
# are those that there is always time for. Each machine has one processor, whose
# time others do not stretch: all at once.
vm-lab: vm-setup vm-programs
	@run() { (cd lab && vm/run.sh -t 1200 $(VM_ENV) $(CURDIR)/bin/vm/amd64/lab.test -test.run "$$1"); }; \
	run '$(VM_TESTS)' & some=$$!; run '$(VM_MORE)' & more=$$!; \
	$(VM_ARM64) './lab.test -test.run "$(ARM64_TESTS)"'; \
	status=$$?; wait $$some || status=1; wait $$more || status=1; exit $$status

# All that can run in such machines. They have one slow processor: floods, scales and
# what is measured to a few milliseconds are for real ones, and so are boots of
# containers and packages.
vm-test: vm-setup vm-programs
	cd lab && vm/run.sh -m 6144 -t 14400 $(VM_ENV) $(CURDIR)/bin/vm/amd64/lab.test -test.timeout 4h -test.v -test.skip '$(VM_SKIP)'
	cd netproc/sandbox && ../../lab/vm/run.sh -t 3600 $(VM_ENV) $(CURDIR)/bin/vm/amd64/sandbox.test
	$(VM_ARM64) './lab.test -test.v -test.run "$(ARM64_TESTS)" && ./sandbox.test'

generate:
	$(GO) generate ./...
	$(GO) test ./engine -update

check-generated:
	cd netproc/sandbox && CGO_ENABLED=1 $(GO) run -tags seccompgen ./gen -check
	CGO_ENABLED=1 $(GO) test -tags seccompgen ./netproc/sandbox/gen

# Every fuzz target of every package, for a while each. When the time is over
# Go sometimes takes its own deadline for a failure; there is no failing input
# then. Making an interesting input smaller is cut short: it may take all the time.
fuzz:
	@log=$$(mktemp); trap "rm -f $$log" EXIT; \
	for pkg in $$($(GO) list ./...); do \
	  for target in $$($(GO) test -list '^Fuzz' $$pkg | grep '^Fuzz'); do \
	    echo "$$pkg $$target"; $(GO) test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 100x $$pkg 2>&1 | tee $$log; \
	    grep -q '^ok' $$log || { grep -q 'context deadline exceeded' $$log && ! grep -q 'Failing input' $$log; } || exit 1; \
	  done; \
	done

# Virtual routers on simulated LANs, for SOAK of virtual time.
soak:
	$(GO) test ./engine/sim -run 'TestSimulation$$' -count=1 -soak $(SOAK) -timeout 0 -v

# rvrrpd beside keepalived: some half an hour. QUICK=1 takes three minutes, ROWS=regexp
# chooses rows, KEEPALIVED_BIN another keepalived; while the file HOLD is there nothing
# is measured. -trimpath, as the demo: run from here.
bench: setup build
	@CGO_ENABLED=0 $(GO) build -trimpath -o bin/bench ./lab/bench && QUICK="$(QUICK)" ROWS="$(ROWS)" HOLD="$(HOLD)" ./bin/bench

# Steps of the engine, of messages and of packets, in ns: for benchstat.
microbench:
	$(GO) test -run '^$$' -bench . -benchmem -count $(COUNT) ./engine/... ./ipc/... ./netproc/...

install: build
	install -D -m 0755 bin/rvrrpd $(DESTDIR)$(PREFIX)/sbin/rvrrpd
	for p in $(HELPERS); do install -D -m 0755 bin/$$p $(DESTDIR)/usr/libexec/rvrrpd/$$p || exit 1; done
	install -D -m 0644 docs/man/rvrrpd.8 $(DESTDIR)$(PREFIX)/share/man/man8/rvrrpd.8
	install -D -m 0644 docs/man/rvrrpd.conf.5 $(DESTDIR)$(PREFIX)/share/man/man5/rvrrpd.conf.5
	install -d -m 0755 $(DESTDIR)$(UNITDIR)
	for u in packaging/systemd/*; do sed 's#/usr/sbin/#$(PREFIX)/sbin/#' $$u >$(DESTDIR)$(UNITDIR)/$${u##*/} && chmod 0644 $(DESTDIR)$(UNITDIR)/$${u##*/} || exit 1; done
	install -D -m 0644 packaging/completion/rvrrpd.bash $(DESTDIR)$(PREFIX)/share/bash-completion/completions/rvrrpd
	install -D -m 0644 packaging/sysusers/rvrrpd.conf $(DESTDIR)$(SYSUSERSDIR)/rvrrpd.conf
	install -d -m 0755 $(DESTDIR)/etc/rvrrpd
	test -e $(DESTDIR)/etc/rvrrpd/rvrrpd.conf || install -m 0600 conf/rvrrpd.conf $(DESTDIR)/etc/rvrrpd/rvrrpd.conf

uninstall:
	rm -f $(DESTDIR)$(PREFIX)/sbin/rvrrpd $(DESTDIR)$(PREFIX)/share/man/man8/rvrrpd.8 $(DESTDIR)$(PREFIX)/share/man/man5/rvrrpd.conf.5 \
	  $(DESTDIR)$(PREFIX)/share/bash-completion/completions/rvrrpd $(DESTDIR)$(SYSUSERSDIR)/rvrrpd.conf
	rm -rf $(DESTDIR)/usr/libexec/rvrrpd
	for u in packaging/systemd/*; do rm -f $(DESTDIR)$(UNITDIR)/$${u##*/}; done
	@echo "left: $(DESTDIR)/etc/rvrrpd, and the user rvrrpd if there is one"

# A package for Debian, as reproducible as the programs are.
deb: build
	@rm -rf bin/stage bin/*.deb && $(MAKE) --no-print-directory -s install DESTDIR=bin/stage PREFIX=/usr
	@install -d bin/stage/usr/share/doc/rvrrpd/docs && cp -r README.md CHANGELOG.md examples bin/stage/usr/share/doc/rvrrpd/ && cp -r docs/*.md docs/decisions docs/performance bin/stage/usr/share/doc/rvrrpd/docs/
	@GO=$(GO) packaging/notices.sh >bin/stage/usr/share/doc/rvrrpd/copyright
	@gzip -9nf bin/stage/usr/share/man/man8/rvrrpd.8 bin/stage/usr/share/man/man5/rvrrpd.conf.5
	@STAGE=bin/stage RELEASE=$(RELEASE) GOARCH=$$($(GO) env GOARCH) SOURCE_DATE_EPOCH=$$($(OURS) && git log -1 --format=%ct || echo 0) \
	  $(GO) run github.com/goreleaser/nfpm/v2/cmd/nfpm@v2.45.2 package --config packaging/nfpm.yaml --packager deb --target bin/ >/dev/null
	@rm -rf bin/stage

# A Debian with nothing but its essential packages, where a test installs ours.
clean-root: bin/clean-root.tar

bin/clean-root.tar:
	@mkdir -p bin
	@. /etc/os-release && mmdebstrap --quiet --format=tar --variant=essential --include=passwd,systemd $$VERSION_CODENAME $@.new && mv $@.new $@

clean:
	rm -rf bin
