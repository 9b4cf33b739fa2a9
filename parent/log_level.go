package parent

import (
	"context"
	"log/slog"

	"github.com/rvrrpd/rvrrpd/ipc/keeping"
)

// Levels of the log, by rVRRPd's debug levels: 0 information, 1 low, 2 medium,
// 3 high, 5 extensive.
const (
	// LevelLow tells what was done to addresses.
	LevelLow = slog.LevelDebug
	// LevelMedium tells of announcements, too.
	LevelMedium = slog.LevelDebug - 1
	// LevelHigh tells of interfaces, too.
	LevelHigh = slog.LevelDebug - 2
	// LevelExtensive tells of each advertisement that is sent.
	LevelExtensive = slog.LevelDebug - 4
)

// DebugLevel is the level of the log for one of rVRRPd's debug levels, 0..5.
func DebugLevel(debug int) slog.Level {
	levels := [...]slog.Level{slog.LevelInfo, LevelLow, LevelMedium, LevelHigh, LevelExtensive, LevelExtensive}
	return levels[min(max(debug, 0), len(levels)-1)]
}

// verbose says whether lines of a level are logged, so that what goes into
// them is not gathered in vain.
func (b *broker) verbose(level slog.Level) bool {
	return b.log.Enabled(context.Background(), level)
}

// hearsay is the context of lines that the child or a neighbor has caused.
var hearsay = keeping.Hearsay
