package main

import (
	"fmt"
	"math"
	"time"
)

// times is a histogram of durations: buckets 2 % wide from 1 µs to over a
// minute, so that a run of days takes no more room than one of seconds.
type times struct {
	bucket [920]uint32
	n      int
	most   time.Duration
}

const bucketGrowth = 1.02

func (h *times) add(d time.Duration) {
	i := 0
	if d > time.Microsecond {
		i = int(math.Log(float64(d)/float64(time.Microsecond)) / math.Log(bucketGrowth))
	}
	h.bucket[min(i, len(h.bucket)-1)]++
	h.n++
	h.most = max(h.most, d)
}

// quantile is the upper end of the bucket in which the share q (0 to 1) of
// what was added is reached; 0 for nothing.
func (h *times) quantile(q float64) time.Duration {
	if h.n == 0 {
		return 0
	}
	left := int(math.Ceil(q * float64(h.n)))
	for i, n := range h.bucket {
		if left -= int(n); left <= 0 {
			return min(h.most, time.Duration(math.Pow(bucketGrowth, float64(i+1))*float64(time.Microsecond)))
		}
	}
	return h.most
}

// stats counts what happened on the line.
type stats struct {
	requests   int
	timeouts   int // no answer in time
	damaged    int // wrong CRC, length or function
	foreign    int // another slave's address in the answer
	exceptions int // refused by the unit
	reopened   int // times the port was lost and opened again
	response   times
	turnaround times
}

func ms(d time.Duration) float64 {
	return float64(d.Round(10*time.Microsecond)) / float64(time.Millisecond)
}

func (s *stats) String() string {
	return fmt.Sprintf("%d requests; response p50 %.2f ms, p99 %.2f ms, max %.2f ms; turnaround p50 %.2f ms, p99 %.2f ms, max %.2f ms; "+
		"%d without answer, %d damaged, %d from another slave, %d refused, opened again: %d", s.requests,
		ms(s.response.quantile(0.5)), ms(s.response.quantile(0.99)), ms(s.response.most),
		ms(s.turnaround.quantile(0.5)), ms(s.turnaround.quantile(0.99)), ms(s.turnaround.most),
		s.timeouts, s.damaged, s.foreign, s.exceptions, s.reopened)
}

// summary is the statistics for JSON.
type summary struct {
	Requests   int                `json:"requests"`
	Timeouts   int                `json:"timeouts"`
	Damaged    int                `json:"damaged"`
	Foreign    int                `json:"foreign"`
	Exceptions int                `json:"exceptions"`
	Reopened   int                `json:"reopened"`
	Response   map[string]float64 `json:"response_ms"`
	Turnaround map[string]float64 `json:"turnaround_ms"`
}

func (s *stats) summary() summary {
	three := func(h *times) map[string]float64 {
		return map[string]float64{"p50": ms(h.quantile(0.5)), "p99": ms(h.quantile(0.99)), "max": ms(h.most)}
	}
	return summary{s.requests, s.timeouts, s.damaged, s.foreign, s.exceptions, s.reopened, three(&s.response), three(&s.turnaround)}
}
