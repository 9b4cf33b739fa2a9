// Package auth authenticates advertisements: the authentication data of
// VRRPv2 as RFC 2338 and rVRRPd have it, and the HMAC trailer of
// draft-cassen-vrrp-auth-hmac as keepalived has it, with replay protection.
// It is pure: time and the memory of what was received are its arguments.
package auth
