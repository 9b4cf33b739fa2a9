#!/bin/sh
# Every module that is linked into a program is in its bill of materials, with
# its version.
set -eu
for program in rvrrpd rvrrpd-parent rvrrpd-spawn rvrrpd-netproc rvrrpd-read rvrrpd-keeper rvrrpd-audit rvrrpd-check rvrrpd-sniff; do
	go version -m "bin/$program" | awk '$1 == "dep" { print $2 "@" $3 }' | while read -r module; do
		grep -q "\"pkg:golang/$module?type=module" "bin/$program.cdx.json" || { echo "bin/$program.cdx.json lacks $module"; exit 1; }
	done
	echo "bin/$program.cdx.json: $(go version -m "bin/$program" | grep -c '	dep	') modules, as linked"
done
