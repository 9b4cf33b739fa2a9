#!/bin/sh
# Builds this tree in two directories whose names have nothing in common, with
# a compiler cache of its own each, and compares the programs.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
commit=$(git describe --always --abbrev=12 --exclude '*' --dirty)
for name in a another/and-longer; do
	mkdir -p "$dir/$name"
	git ls-files -z --cached --others --exclude-standard | tar --null --files-from=- -cf - | tar -xf - -C "$dir/$name"
	GOCACHE="$dir/$name.cache" GOFLAGS=-modcacherw make -s -C "$dir/$name" build COMMIT="$commit"
done
for program in rvrrpd rvrrpd-netproc; do
	cmp "$dir/a/bin/$program" "$dir/another/and-longer/bin/$program"
	(cd "$dir/a/bin" && sha256sum "$program")
done
