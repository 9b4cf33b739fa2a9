#!/bin/sh
# Prints which modules of go.mod, and which tools that are run with "go run", have a
# newer version than ours. It fails for none: a new version is somebody's decision
# (docs/dependencies.md), and a build machine need not reach the network.
set -eu
go=${GO:-go}
modules=$($go list -m -f '{{if not .Main}}{{.Path}}@{{.Version}}{{end}}' $(sed -n 's/^\t\([^ ]*\) v.*/\1/p' go.mod))
# A tool's module is what comes before its command.
tools=$(grep -ohE '[a-z][A-Za-z0-9./-]+@v[0-9][0-9.]*' Makefile .ci/run | sed 's#/cmd/[^@]*##')
looked=0 behind=0 unknown=0
for pinned in $(printf '%s\n' $modules $tools | LC_ALL=C sort -u); do
	path=${pinned%@*} version=${pinned##*@} status=0
	newest=$(timeout 20 $go list -m -f '{{.Version}}' "$path@latest" 2>/dev/null) || status=$?
	if [ $status != 0 ]; then
		unknown=$((unknown + 1))
		[ $status != 124 ] || break # nobody answers: the others would take as long
		continue
	fi
	looked=$((looked + 1))
	[ "$newest" != "$version" ] || continue
	# What is released last is not always newer than a version between two releases.
	[ "$(printf '%s\n' "$version" "$newest" | sort -V | tail -n 1)" = "$newest" ] || continue
	behind=$((behind + 1))
	printf '%s %s: there is %s\n' "$path" "$version" "$newest"
done
if [ $looked = 0 ]; then
	echo "not looked for: no module proxy can be reached"
else
	echo "$behind of $looked modules and tools have a newer version, $unknown could not be asked for"
fi
