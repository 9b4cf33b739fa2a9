#!/bin/sh
# Prints under which terms the programs may be passed on: ours, and those of
# every module that is linked into them and of Go itself, as they stand in them.
set -eu
go=${GO:-go}
echo 'rvrrpd: Copyright the rvrrpd developers. Apache License, version 2.0:'
echo 'http://www.apache.org/licenses/LICENSE-2.0, on Debian also in'
echo '/usr/share/common-licenses/Apache-2.0.'
echo
echo 'The programs contain parts of the following.'
{
	printf 'Go %s\n' "$($go env GOROOT)"
	$go list -deps -f '{{with .Module}}{{if not .Main}}{{.Path}} {{.Dir}}{{end}}{{end}}' ./cmd/... | sort -u
} | while read -r name dir; do
	printf '\n== %s\n' "$name"
	file=$(find -L "$dir" -maxdepth 1 -type f \( -iname 'licen[cs]e*' -o -iname 'copying*' \) | LC_ALL=C sort | head -n 1)
	[ -n "$file" ] || { echo "no license in $name" >&2; exit 1; }
	cat "$file"
done
