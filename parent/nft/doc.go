// Package nft is the only user of nftables: the leases that silence us when we are dead,
// and the rules that no setting of the kernel replaces.
package nft
