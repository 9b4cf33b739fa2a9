#!/usr/bin/env bash
# Runs tests on another processor, emulated, under Debian's own kernel for it: in
# a Debian of its own, whose packages are unpacked and nothing more.
#
#   lab/vm/foreign.sh [-t SECONDS] ARCHITECTURE DIRECTORY COMMAND [ARGUMENT...]
#
# The directory is copied into the machine, to the same place, and the command
# runs in it, as root. Its exit status is ours; 124 when the time is over.
set -euo pipefail
limit=900
while getopts t: option; do
	case $option in
	t) limit=$OPTARG ;;
	*) exit 2 ;;
	esac
done
shift $((OPTIND - 1))
[ $# -ge 3 ] || { sed -n 2,9p "$0"; exit 2; }
architecture=$1 directory=$(readlink -f "$2")
shift 2
case $architecture in
arm64) emulator=(qemu-system-aarch64 -machine virt -cpu max,pauth-impdef=on) console=ttyAMA0 ;;
*) echo "$architecture: Debian $(. /etc/os-release && echo "$VERSION_ID") has no kernel for it; accepted: arm64" >&2; exit 2 ;;
esac
here=$(cd "$(dirname "$0")" && pwd)
. "$here/kernel.sh"

add() {
	dpkg --print-foreign-architectures | grep -qx "$1" || { dpkg --add-architecture "$1" && apt-get update -qq; }
}
locked add "$architecture"
kernel "$architecture"
root=$cache/$architecture/root.tar
if [ ! -e "$root" ]; then
	. /etc/os-release
	mmdebstrap --quiet --variant=extract --architectures="$architecture" --format=tar \
		--include=bash,coreutils,dash,iproute2,mount,nftables,procps,busybox-static,util-linux "$VERSION_CODENAME" "$root.new"
	mv "$root.new" "$root"
fi
work=$(mktemp -d /var/tmp/rvrrpd-vm.XXXXXX)
trap 'rm -rf "$work"' EXIT

tar -xf "$root" -C "$work" ./bin/busybox
initramfs "$work/initramfs" "$work/bin/busybox" llc stp bridge veth macvlan nfnetlink nf_tables nft_chain_nat crc32c_generic libcrc32c
cp "$root" "$work/initramfs/root.tar"
tar -cf "$work/initramfs/tests.tar" -C / "${directory#/}"
cat >"$work/initramfs/init" <<'INIT'
#!/bin/busybox sh
b=/bin/busybox
$b mount -t proc proc /proc
$b mount -t sysfs sysfs /sys
$b mount -t devtmpfs devtmpfs /dev
load
# A process cannot pivot off the first root file system.
$b mount -t tmpfs -o size=80% tmpfs /mnt
$b tar -xf /root.tar -C /mnt
$b tar -xf /tests.tar -C /mnt
$b cp /guest /mnt/guest
$b rm /root.tar /tests.tar
for d in proc sys dev; do $b mount --move /$d /mnt/$d; done
exec $b switch_root /mnt /bin/bash /guest
INIT
{
	cat <<-'GUEST'
		export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C RVRRPD_LAB_EMULATED=1
		mkdir -p /dev/pts /dev/shm /run /tmp
		mount -t devpts devpts /dev/pts
		mount -t tmpfs tmpfs /dev/shm
		mount -t cgroup2 cgroup2 /sys/fs/cgroup
		[ -e /bin/sh ] || ln -s bash /bin/sh
		[ -e /etc/passwd ] || printf 'root:x:0:0::/root:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n' >/etc/passwd
		[ -e /etc/group ] || printf 'root:x:0:\nnogroup:x:65534:\n' >/etc/group
		ip link set lo up
	GUEST
	printf 'uname -rm\ncd %q\n' "$directory"
	printf '%q ' "$@"
	printf '\necho "vm: exit $?"\nsync\necho o >/proc/sysrq-trigger\nsleep 60\n'
} >"$work/initramfs/guest"
pack "$work/initramfs" "$work/initrd"
emulate "$limit" "${emulator[@]}" -m 3072 -kernel "$image" -initrd "$work/initrd" -append "console=$console quiet panic=-1"
