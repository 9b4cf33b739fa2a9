package parent

import (
	"time"

	"github.com/rvrrpd/rvrrpd/pace"
)

// complaint is a trouble that lasts.
type complaint = pace.Complaint

// rate is a token bucket.
type rate = pace.Rate

// repairRate is that of lines about what is put back: whoever removes it again
// and again gets five lines, and one in ten seconds, which say how often.
var repairRate = rate{Period: 10 * time.Second, Burst: 5}
