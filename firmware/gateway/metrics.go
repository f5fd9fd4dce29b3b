package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"mien/firmware/config"
	"mien/firmware/health"
	"mien/firmware/operator"
	"mien/firmware/state"
)

// Metrics tells Prometheus what the unit knows, at each scrape the newest. While the unit
// is away there is mien_up 0 and nothing else: no value is older than the unit's silence.
type Metrics struct {
	Config config.Metrics
	Mirror *operator.Mirror
	Say    func(format string, args ...any) // tells a technician; it must not wait
}

const (
	maxScrapers     = 32 // connections
	maxScrapersEach = 8  // of one address
	maxScrapes      = 4  // at one moment
)

// metric is one family of one value. NaN is none.
type metric struct {
	desc  *prometheus.Desc
	kind  prometheus.ValueType
	value func(s *state.State, now time.Duration) float64
}

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("mien_"+name, help, labels, nil)
}

func gauge(name, help string, value func(s *state.State, now time.Duration) float64) metric {
	return metric{describe(name, help), prometheus.GaugeValue, value}
}

func counter(name, help string, value func(s *state.State, now time.Duration) float64) metric {
	return metric{describe(name, help), prometheus.CounterValue, value}
}

func one(is bool) float64 {
	if is {
		return 1
	}
	return 0
}

// shortest is x with no more digits than it has: 0.987, not 0.9869999885559082.
func shortest(x float32) float64 {
	y, _ := strconv.ParseFloat(strconv.FormatFloat(float64(x), 'g', -1, 32), 64)
	return y
}

// age is how old the newest result is.
func age(s *state.State, now time.Duration) time.Duration { return max(0, now-s.ResultAt) }

// valid says whether what the unit sees may be acted on, as the status bit of the
// registers does.
func valid(s *state.State, now time.Duration) bool {
	return s.Trusted && s.Results > 0 && (s.About.StaleAfter <= 0 || age(s, now) <= s.About.StaleAfter)
}

var metrics = []metric{
	gauge("results_valid", "1 while results come and may be acted on.", func(s *state.State, now time.Duration) float64 { return one(valid(s, now)) }),
	counter("results_total", "Results since the unit was started.", func(s *state.State, _ time.Duration) float64 { return float64(s.Results) }),
	gauge("result_age_seconds", "Age of the newest result.", func(s *state.State, now time.Duration) float64 {
		if s.Results == 0 {
			return math.NaN()
		}
		return age(s, now).Seconds()
	}),
	gauge("latency_seconds", "From the capture of the newest result's frame until the result.", func(s *state.State, _ time.Duration) float64 {
		if s.Results == 0 {
			return math.NaN()
		}
		return s.Latency.Seconds()
	}),
	counter("frames_dropped_total", "Frames lost or left out since the unit was started.", func(s *state.State, _ time.Duration) float64 { return float64(s.Dropped) }),
	gauge("availability_ratio", "Share of the last hour with valid results.", func(s *state.State, _ time.Duration) float64 { return shortest(s.Available) }),
	gauge("uptime_seconds", "Time since the unit was started.", func(s *state.State, now time.Duration) float64 { return max(0, now-s.About.Started).Seconds() }),
	gauge("temperature_celsius", "Temperature of the processor.", func(s *state.State, _ time.Duration) float64 { return shortest(s.Temperature) }),
	gauge("faces", "Faces in view.", func(s *state.State, _ time.Duration) float64 { return float64(s.Faces) }),
	gauge("output_test", "1 while the output test is in force.", func(s *state.State, _ time.Duration) float64 { return one(s.Testing) }),
	gauge("inhibited", "1 while all alarms are inhibited.", func(s *state.State, _ time.Duration) float64 { return one(s.Summary.Inhibited) }),
	gauge("time_synchronised", "1 while a time source sets the machine's clock.", func(s *state.State, _ time.Duration) float64 { return one(s.TimeSynced) }),
	gauge("pilot_recording", "1 while a pilot records.", func(s *state.State, _ time.Duration) float64 { return one(s.Pilot.Recording) }),
	counter("journal_events_total", "Number of the newest event in the journal; it goes on over restarts.", func(s *state.State, _ time.Duration) float64 { return float64(s.Summary.Events) }),
}

var (
	upDesc     = describe("up", "1 while the gateway hears its unit.")
	unitDesc   = describe("unit_info", "What the unit is; always 1.", "unit", "version", "config_crc", "network_crc")
	faultDesc  = describe("fault", "1 while the fault is on.", "code", "name")
	activeDesc = describe("alarm_active", "1 while the alarm is on: its condition is present, and it is shown.", "alarm", "priority")
	unackDesc  = describe("alarm_unacknowledged", "1 while somebody has to acknowledge the alarm.", "alarm", "priority")
	lostDesc   = describe("alarm_unknown", "1 while the alarm cannot be judged.", "alarm", "priority")
	hiddenDesc = describe("alarm_covered", "1 while the alarm is shelved, suppressed or out of service.", "alarm", "priority")
	countDesc  = describe("alarm_occurrences_total", "Times that the alarm came on since it was configured.", "alarm", "priority")
	outputDesc = describe("output_on", "1 while the output line is on.", "output")
	inputDesc  = describe("input_active", "1 while the input line is active.", "input")
	levelDesc  = describe("signal_level", "Level of a signal that metrics.levels names; none while it is Unknown.", "signal")
)

// Describe and Collect make Metrics a prometheus.Collector.
func (m Metrics) Describe(to chan<- *prometheus.Desc) {
	for _, k := range metrics {
		to <- k.desc
	}
	for _, d := range []*prometheus.Desc{upDesc, unitDesc, faultDesc, activeDesc, unackDesc, lostDesc, hiddenDesc, countDesc, outputDesc, inputDesc, levelDesc} {
		to <- d
	}
}

func (m Metrics) Collect(to chan<- prometheus.Metric) {
	give := func(d *prometheus.Desc, kind prometheus.ValueType, value float64, labels ...string) {
		if value == value {
			to <- prometheus.MustNewConstMetric(d, kind, value, labels...)
		}
	}
	const gauge, counter = prometheus.GaugeValue, prometheus.CounterValue
	run, there := m.Mirror.There()
	var s state.State
	m.Mirror.Latest().Load(&s)
	if again, still := m.Mirror.There(); !there || !still || again != run { // what was loaded may be of nobody
		give(upDesc, gauge, 0)
		return
	}
	give(upDesc, gauge, 1)
	now, a := m.Mirror.Now(), s.About
	give(unitDesc, gauge, 1, a.Unit, a.Version, fmt.Sprintf("%04x", a.ConfigCRC), fmt.Sprintf("%04x", a.NetworkCRC))
	for _, k := range metrics {
		give(k.desc, k.kind, k.value(&s, now))
	}
	for _, f := range health.Faults() {
		on := slices.ContainsFunc(s.Faults, func(is health.Active) bool { return is.Fault == f })
		give(faultDesc, gauge, one(on), f.Info().Code, f.Info().Name)
	}
	for i := range s.Alarms {
		is := &s.Alarms[i]
		labels := []string{is.Name, is.Priority.String()}
		give(activeDesc, gauge, one(is.State.Active()), labels...)
		give(unackDesc, gauge, one(is.State.NeedsAck()), labels...)
		give(lostDesc, gauge, one(is.Unknown), labels...)
		give(hiddenDesc, gauge, one(is.State.Covered()), labels...)
		give(countDesc, counter, float64(is.Count), labels...)
	}
	for i, name := range a.Outputs {
		give(outputDesc, gauge, one(i < len(s.Outputs) && s.Outputs[i]), name)
	}
	for i, name := range a.Inputs {
		give(inputDesc, gauge, one(i < len(s.Inputs) && s.Inputs[i]), name)
	}
	for i, k := range a.Signals {
		if slices.Contains(m.Config.Levels, k.Name) && (a.Purpose != "" || !config.Emotion(k.Name)) && i < len(s.Levels) {
			give(levelDesc, gauge, shortest(s.Levels[i]), k.Name)
		}
	}
}

// Handler answers scrapes of /metrics.
func (m Metrics) Handler() http.Handler {
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(m)
	scrape := promhttp.HandlerFor(registry, promhttp.HandlerOpts{MaxRequestsInFlight: maxScrapes, Timeout: 5 * time.Second})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		switch {
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "only GET", http.StatusMethodNotAllowed)
		case r.URL.Path == "/metrics":
			scrape.ServeHTTP(w, r)
		case r.URL.Path == "/":
			io.WriteString(w, "mien: Prometheus scrapes /metrics\n")
		default:
			http.NotFound(w, r)
		}
	})
}

// Serve answers those on l that may ask, until ctx ends, and closes l.
func (m Metrics) Serve(ctx context.Context, l net.Listener) error {
	s := &http.Server{
		Handler:           m.Handler(),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       5 * time.Second,
		WriteTimeout:      10 * time.Second,
		IdleTimeout:       2 * time.Minute, // scrapes are a minute apart at most, as a rule
		MaxHeaderBytes:    16 << 10,
	}
	defer context.AfterFunc(ctx, func() { s.Close() })()
	allowed := m.Config.Networks()
	var mu sync.Mutex // covers told
	told := map[netip.Addr]time.Time{}
	err := s.Serve(&guarded{Listener: l, most: maxScrapers, mostEach: maxScrapersEach, each: map[string]int{}, keepOut: func(from netip.Addr) bool {
		if slices.ContainsFunc(allowed, func(p netip.Prefix) bool { return p.Contains(from) }) {
			return false
		}
		mu.Lock()
		defer mu.Unlock()
		if now := time.Now(); m.Say != nil && now.Sub(told[from]) >= time.Minute {
			if len(told) >= maxScrapers {
				clear(told)
			}
			told[from] = now
			m.Say("metrics: %s is not in metrics.allow, and is not answered", from)
		}
		return true
	}})
	if !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("metrics: %w", err)
	}
	return nil
}
