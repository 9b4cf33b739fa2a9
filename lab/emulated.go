package lab

import (
	"os"
	"time"
)

// Implementation constants, of an emulated machine.
const (
	// emulatedWait is how many times longer everything is waited for there.
	emulatedWait = 4
	// emulatedReaction is by how much later a router, and who watches it, may
	// react there: ten times the tests' tolerance.
	emulatedReaction = 500 * time.Millisecond
	// emulatedParallel is how many labs are there at once.
	emulatedParallel = "2"
)

// Emulated says whether this machine is an emulated one, as the scripts of
// lab/vm tell. Its one processor computes some eight times slower than a real
// one, which no yardstick sees, because nothing is withheld.
func Emulated() bool { return os.Getenv("RVRRPD_LAB_EMULATED") != "" }

// Parallel is how many labs run at once: they mostly wait, six of them for two
// thirds of the time of two processors, but what starts in one must not delay what
// is measured in another.
func Parallel() string {
	if Emulated() {
		return emulatedParallel
	}
	return "10"
}

// OfMany is how many virtual routers a test has that has many, of which an
// emulated machine bears a tenth.
func OfMany(count int) int {
	if Emulated() {
		return max(5, count/10)
	}
	return count
}
