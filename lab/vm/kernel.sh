# Debian's kernels for emulated machines; to be sourced.

# Where kernels are kept: they are the same for every checkout.
cache=${RVRRPD_VM_CACHE:-/var/cache/rvrrpd-lab}

# locked COMMAND... runs what must not run twice at a time: several machines may begin at
# once, and apt-get(8) of one must not change what that of another reads.
locked() {
	mkdir -p "$cache"
	(
		flock 9
		"$@"
	) 9>"$cache/lock"
}

# fill DIRECTORY COMMAND... has a command fill a directory of the cache, once.
fill() {
	local dir=$1
	shift
	[ ! -e "$dir/done" ] || return 0
	rm -rf "$dir"
	mkdir -p "$dir"
	"$@" && touch "$dir/done"
}

# fetch ARCHITECTURE puts the kernel that Debian's users have into its directory.
fetch() {
	local dir=$cache/$1 package
	package=$(apt-cache depends "linux-image-$1:$1" 2>/dev/null | sed -n 's/ *Depends: \(linux-image-[0-9][^: ]*\).*/\1/p' | head -n 1)
	[ -n "$package" ] || { echo "no kernel for $1 is known: apt-get update" >&2; return 1; }
	mkdir "$dir/deb" &&
		(cd "$dir/deb" && apt-get download -qq "$package:$1" && dpkg-deb -x ./*.deb "$dir/tree") &&
		rm -rf "$dir/deb" &&
		depmod -b "$dir/tree" "$(ls "$dir/tree/lib/modules")"
}

# kernel ARCHITECTURE fetches it, once, and sets image, modules and version.
kernel() {
	local dir=$cache/$1
	locked fill "$dir" fetch "$1"
	version=$(ls "$dir/tree/lib/modules")
	modules=$dir/tree/lib/modules/$version
	image=$dir/tree/boot/vmlinuz-$version
}

# initramfs DIRECTORY BUSYBOX MODULE... prepares one with modules, which the
# command load in it loads.
initramfs() {
	local dir=$1 busybox=$2 module file
	shift 2
	mkdir -p "$dir/"{bin,proc,sys,dev,modules,mnt}
	cp "$busybox" "$dir/bin/busybox"
	for module; do
		file=$(find "$modules" -name "$module.ko*" | head -n 1)
		[ -z "$file" ] || cp "$file" "$dir/modules/"
	done
	printf '#!/bin/busybox sh\ncd /modules\nfor round in 1 2 3 4; do for m in *.ko; do /bin/busybox insmod $m 2>/dev/null; done; done\n' >"$dir/bin/load"
	chmod +x "$dir/bin/load"
}

# pack DIRECTORY FILE makes the archive of an initramfs.
pack() {
	chmod +x "$1/init"
	(cd "$1" && find . | cpio --quiet -o -H newc | gzip -1) >"$2"
}

# emulate SECONDS EMULATOR... runs a machine to its end and returns the exit
# status that its guest has told; 124 when the time is over. It needs
# work. The guest's time goes with the instructions that it executes, a nanosecond
# each, and with ours while it waits: what the host withholds it does not notice,
# so tests can judge by time. That wants a single thread.
emulate() {
	local limit=$1 status
	shift
	set +e
	timeout --foreground "$limit" "$@" -accel tcg,thread=single -icount shift=0,sleep=on -rtc clock=vm -smp 1 -nic none -display none -serial stdio -monitor none -no-reboot </dev/null 2>"$work/qemu.log" |
		sed -u 's/\r//g' | tee "$work/out" | sed -u '/^\[ *[0-9.]*\] /d; /^vm: exit [0-9]*$/d'
	status=${PIPESTATUS[0]}
	set -e
	if [ "$status" = 124 ]; then
		echo "vm: $limit s are over"
		return 124
	fi
	status=$(sed -n 's/^vm: exit \([0-9]*\)$/\1/p' "$work/out" | tail -n 1)
	if [ -z "$status" ]; then
		cat "$work/qemu.log" >&2
		echo "vm: it did not come to an end"
		return 125
	fi
	return "$status"
}
