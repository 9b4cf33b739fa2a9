package sim

import "time"

// prng is splitmix64: small, seeded, the same everywhere and for ever.
type prng uint64

func (p *prng) next() uint64 {
	*p += 0x9e3779b97f4a7c15
	z := uint64(*p)
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// below returns a number in 0..n-1.
func (p *prng) below(n int) int { return int(p.next() % uint64(n)) }

// chance reports true in n of 100 cases.
func (p *prng) chance(n int) bool { return p.below(100) < n }

// duration returns a time in 0..d.
func (p *prng) duration(d time.Duration) time.Duration {
	return time.Duration(p.next() % uint64(d+1))
}

// pick returns one of the choices.
func pick[T any](p *prng, choices ...T) T { return choices[p.below(len(choices))] }
