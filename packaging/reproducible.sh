#!/bin/sh
# Builds this tree in two directories whose names have nothing in common, with
# a compiler cache of its own each, and compares the programs and packages.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
commit=$(git describe --always --abbrev=12 --exclude '*' --dirty)
for name in a another/and-longer; do
	mkdir -p "$dir/$name"
	git ls-files -z --cached --others --exclude-standard | tar --null --files-from=- -cf - | tar -xf - -C "$dir/$name"
	GOCACHE="$dir/$name.cache" GOFLAGS=-modcacherw make -s -C "$dir/$name" build COMMIT="$commit"
	make -s -C "$dir/$name" deb COMMIT="$commit" # what makes the package need not be built anew
done
for file in rvrrpd rvrrpd-parent rvrrpd-spawn rvrrpd-netproc rvrrpd-read rvrrpd-keeper rvrrpd-audit rvrrpd-check rvrrpd-sniff $(cd "$dir/a/bin" && echo *.deb); do
	cmp "$dir/a/bin/$file" "$dir/another/and-longer/bin/$file"
	(cd "$dir/a/bin" && sha256sum "$file")
done
