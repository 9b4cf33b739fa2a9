# Completion of rvrrpd(8) for bash.
_rvrrpd() {
	local cur=$2 prev=$3
	local options="-m --mode -c --conf -g --cfg-format -d --debug --check --plan --audit -i --iface -r --read -w --write --count --vrid --own --json -h --help -v --version"
	COMPREPLY=()
	case $prev in
	-c | --conf | --plan | -r | --read | -w | --write)
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return ;;
	-m | --mode) mapfile -t COMPREPLY < <(compgen -W "0 1 2" -- "$cur") && return ;;
	-g | --cfg-format) mapfile -t COMPREPLY < <(compgen -W "toml json" -- "$cur") && return ;;
	-d | --debug) mapfile -t COMPREPLY < <(compgen -W "0 1 2 3 5" -- "$cur") && return ;;
	-i | --iface)
		local name names=
		for name in /sys/class/net/*; do names+=" ${name##*/}"; done
		mapfile -t COMPREPLY < <(compgen -W "$names" -- "$cur") && return ;;
	--count | --vrid | --own) return ;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "$options -m0 -m1 -m2" -- "$cur")
}
complete -F _rvrrpd rvrrpd
