#!/usr/bin/env bash
# Runs a command as root under Debian's own kernel, in an emulated machine whose
# root is this machine's, read through 9p, with an overlay in memory: what the
# command writes is gone afterwards, but its output. Its exit status is ours; 124
# when the time is over.
#
#   lab/vm/run.sh [-m MiB] [-t SECONDS] COMMAND [ARGUMENT...]
#
# Debian's kernel is what users of Debian run: it has bonds, VLANs, dummies and
# netem, AppArmor and Landlock's second version.
set -euo pipefail
memory=2048 limit=600
while getopts m:t: option; do
	case $option in
	m) memory=$OPTARG ;;
	t) limit=$OPTARG ;;
	*) exit 2 ;;
	esac
done
shift $((OPTIND - 1))
[ $# -ge 1 ] || { sed -n 2,8p "$0"; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
. "$here/kernel.sh"
kernel amd64
work=$(mktemp -d /var/tmp/rvrrpd-vm.XXXXXX)
trap 'rm -rf "$work"' EXIT

initramfs "$work/initramfs" "$(command -v busybox)" virtio virtio_ring virtio_pci_modern_dev virtio_pci_legacy_dev virtio_pci fscache netfs 9pnet 9pnet_virtio 9p overlay
cat >"$work/initramfs/init" <<INIT
#!/bin/busybox sh
b=/bin/busybox
\$b mount -t proc proc /proc
\$b mount -t sysfs sysfs /sys
\$b mount -t devtmpfs devtmpfs /dev
load
\$b mount -t 9p -o trans=virtio,version=9p2000.L,ro,cache=loose,msize=262144 host /mnt/lower || echo "no 9p"
\$b mount -t tmpfs tmpfs /mnt/writable
\$b mkdir /mnt/writable/upper /mnt/writable/work
\$b mount -t overlay -o lowerdir=/mnt/lower,upperdir=/mnt/writable/upper,workdir=/mnt/writable/work overlay /mnt/root || echo "no overlay"
for d in proc sys dev; do \$b mount --move /\$d /mnt/root/\$d; done
\$b mount -t tmpfs tmpfs /mnt/root/run
\$b mkdir -p /mnt/root/lib/modules
\$b ln -sfn $modules /mnt/root/lib/modules/$version
exec \$b switch_root /mnt/root /bin/bash $work/guest
INIT
mkdir -p "$work/initramfs/mnt/"{lower,writable,root}
{
	printf 'export PATH=%q HOME=/root LC_ALL=C RVRRPD_LAB_EMULATED=1\n' "$PATH"
	cat <<-'GUEST'
		mkdir -p /dev/pts /dev/shm
		mount -t devpts devpts /dev/pts
		mount -t tmpfs tmpfs /dev/shm
		mount -t cgroup2 cgroup2 /sys/fs/cgroup
		mount -t securityfs securityfs /sys/kernel/security 2>/dev/null
		ip link set lo up
	GUEST
	printf 'cd %q\n' "$PWD"
	printf '%q ' "$@"
	printf '\necho "vm: exit $?"\nsync\necho o >/proc/sysrq-trigger\nsleep 60\n'
} >"$work/guest"
pack "$work/initramfs" "$work/initrd"

emulate "$limit" qemu-system-x86_64 -cpu max -m "$memory" -kernel "$image" -initrd "$work/initrd" -append "console=ttyS0 quiet panic=-1" \
	-fsdev local,id=host,path=/,security_model=none,readonly=on,multidevs=remap -device virtio-9p-pci,fsdev=host,mount_tag=host
