// Package conformance holds tests alone: they hold docs/conformance.md and
// the manual page against the source, so that neither can rot.
package conformance
