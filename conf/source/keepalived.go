package source

import "regexp"

// keepalived's users bring its words. Each is answered with the key that does
// the same here, or with why there is none.

// none begins what is said of a word that has no counterpart.
const none = "nothing, "

// Reasons why there is no counterpart.
const (
	noScripts  = none + "no program is run; the log tells of each change of state"
	noUnicast  = none + "advertisements go to the group of VRRP alone"
	noRoles    = none + "a router starts as Backup and the priority decides"
	noGroups   = none + "each virtual router stands for itself"
	noTracking = none + "the link of the virtual router itself is followed, and no other"
	noMail     = none + "no mail is sent"
)

// ofKeepalived are keepalived's words, and what stands for them here.
var ofKeepalived = map[string]string{
	"vrrp_instance":     "[[vrouter]]",
	"virtual_router_id": "group",
	"virtual_ipaddress": "vip",
	"advert_int":        "timers = { advert = SECONDS }",
	"nopreempt":         "preemption = false, which is the default",
	"accept":            "accept_mode = true, which is the default",
	"no_accept":         "accept_mode = false",
	"strict_mode":       "strict",
	"vrrp_strict":       "strict",
	"use_vmac":          `iftype = "macvlan", and vifname for its name`,
	"use_vmac_addr":     `iftype = "macvlan"`,
	"vmac_xmit_base":    none + `advertisements leave by the interface with iftype = "macvlan", too`,
	"authentication":    "auth_type and auth_secret",
	"auth_pass":         `auth_secret, with auth_type = "rfc2338-simple"`,
	"auth_hmac":         `[vrouter.hmac], with auth_type = "hmac"`,

	"garp_master_delay":          "garp = { delay = SECONDS }",
	"garp_master_repeat":         "garp = { repeat = TIMES }",
	"garp_master_refresh":        "garp = { refresh = SECONDS }",
	"garp_interval":              "garp = { interval = SECONDS }",
	"gna_interval":               "na = { interval = SECONDS }",
	"vrrp_garp_master_delay":     "garp = { delay = SECONDS }",
	"vrrp_garp_master_repeat":    "garp = { repeat = TIMES }",
	"vrrp_garp_master_refresh":   "garp = { refresh = SECONDS }",
	"vrrp_garp_interval":         "garp = { interval = SECONDS }",
	"vrrp_gna_interval":          "na = { interval = SECONDS }",
	"garp_master_refresh_repeat": none + "a refresh announces each address once",
	"garp_lower_prio_delay":      none + "what is announced again after a split is as in garp and na",
	"garp_lower_prio_repeat":     none + "what is announced again after a split is as in garp and na",

	"vrrp_startup_delay":         "startup_delay",
	"vrrp_version":               "version, of each [[vrouter]]",
	"vrrp_skip_check_adv_addr":   none + "the addresses are always compared",
	"vrrp_mcast_group4":          none + "the group of VRRP is 224.0.0.18",
	"vrrp_mcast_group6":          none + "the group of VRRP is ff02::12",
	"mcast_src_ip":               none + "the source is the first address of the interface",
	"checksum_compatibility":     "checksum",
	"virtual_ipaddress_excluded": none + "every virtual address is advertised, up to 255",
	"virtual_routes":             "[[protocols.static]], while any virtual router is Active",
	"static_routes":              "[[protocols.static]], while any virtual router is Active",
	"virtual_rules":              none + "there is no policy routing",

	"global_defs":           "keys at the top of the file",
	"router_id":             none + "it was for mail",
	"state":                 noRoles,
	"unicast_peer":          noUnicast,
	"unicast_src_ip":        noUnicast,
	"vrrp_sync_group":       noGroups,
	"track_interface":       noTracking,
	"track_script":          noScripts,
	"track_file":            noScripts,
	"vrrp_script":           noScripts,
	"notify":                noScripts,
	"notify_master":         noScripts,
	"notify_backup":         noScripts,
	"notify_fault":          noScripts,
	"notify_stop":           noScripts,
	"script_user":           noScripts,
	"smtp_alert":            noMail,
	"smtp_server":           noMail,
	"notification_email":    noMail,
	"dont_track_primary":    none + "a link that is down cannot be Active",
	"dynamic_interfaces":    none + "interfaces may always come late",
	"native_ipv6":           none + "the addresses say the family",
	"linkbeat_use_polling":  none + "the kernel reports what becomes of a link",
	"preempt":               "preemption = true",
	"process_name":          none + "the processes have names of their own",
	"enable_traps":          none + "there is no SNMP",
	"net_namespace":         none + "the daemon runs in the namespace that it is started in",
	"vrrp_rt_priority":      none + "CPUSchedulingPolicy= in the units of systemd",
	"vrrp_process_priority": none + "Nice= in the units of systemd",
}

// keepalivedBlock is how a file of keepalived's begins its parts.
var keepalivedBlock = regexp.MustCompile(`(?m)^[ \t]*(?:vrrp_instance|vrrp_sync_group|vrrp_script|virtual_server)[ \t]+[^\s={]+(?:[ \t]+[^\s={]+)?[ \t]*(?:\{.*)?$|^[ \t]*(?:global_defs|static_routes|static_ipaddress)[ \t]*(?:\{.*)?$`)

// keepalivedLine returns the line at which a text that is no TOML or JSON looks
// like keepalived's, 0 if it does not.
func keepalivedLine(data []byte) int {
	at := keepalivedBlock.FindIndex(data)
	if at == nil {
		return 0
	}
	return lineAt(data, at[0])
}
