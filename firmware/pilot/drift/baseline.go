package drift

import (
	"math"
	"slices"
	"time"

	"gonum.org/v1/gonum/mathext"
)

const (
	// Fewest is how many days a baseline is made of at least.
	Fewest = 7
	// least is how long a face must have been read on a day that counts, seconds.
	least = 3600
	// chance is how often a day may be told falsely, over all quantities. It is the
	// nominal one: days in a row have parts of their windows in common, and a change
	// is told once, so that what comes is less. See tools/line -drift.
	chance = 0.002
	// weather is by how much the light of a day is at least taken to be like that of
	// the day before: weather lasts for days, and a pilot is too short to tell how long.
	weather = 0.5
)

// windows are over how many of the newest days a mean is compared: a large change is
// told after a day, a smaller one after three, a lasting small one after ten.
var windows = [...]int{1, 3, 10}

// parts are the windows' of the chance that a day is told falsely.
var parts = [len(windows)]float64{0.2, 0.6, 0.2}

// Learner makes a baseline of days, of which it keeps sums only.
type Learner struct {
	Days    int      `json:"days"` // that count
	Passed  int      `json:"passed"`
	Read    float64  `json:"read"`    // seconds of all together
	Longest float64  `json:"longest"` // of them
	First   string   `json:"first"`   // date
	Last    string   `json:"last"`
	Of      []course `json:"of"` // each quantity
}

// course is how a quantity went from day to day: sums of differences to the first.
type course struct {
	N        int     `json:"n"`
	First    float64 `json:"first"`
	Last     float64 `json:"last"`
	Sum      float64 `json:"sum"`
	Squares  float64 `json:"squares"`
	Products float64 `json:"products"` // of each day with the one before
	All      Sum     `json:"all"`      // readings of all days
}

func (c *course) add(y float64, all Sum) {
	if y != y {
		return
	}
	if c.N == 0 {
		c.First = y
	}
	y -= c.First
	if c.N > 0 {
		c.Products += y * c.Last
	}
	c.N++
	c.Last = y
	c.Sum += y
	c.Squares += y * y
	c.All.Seconds += all.Seconds
	c.All.Sum += all.Sum
	c.All.Squares += all.Squares
}

func (c *course) mean() float64 { return c.First + c.Sum/float64(c.N) }

// squares is the sum of squared differences to the mean.
func (c *course) squares() float64 { return max(c.Squares-c.Sum*c.Sum/float64(c.N), 0) }

// lag is the correlation of a day with the one before, without the bias that few
// days have.
func (c *course) lag() float64 {
	all := c.squares()
	if c.N < 3 || all == 0 {
		return 0
	}
	n, m := float64(c.N), c.Sum/float64(c.N)
	return (c.Products-m*(2*c.Sum-c.Last)+(n-1)*m*m)/all + 1/n
}

// spread is the standard deviation of all readings, in the quantity's unit.
func (c *course) spread() float64 {
	if c.All.Seconds == 0 {
		return 0
	}
	m := c.All.Sum / c.All.Seconds
	return math.Sqrt(max(c.All.Squares/c.All.Seconds-m*m, 0))
}

// Day counts a day. It tells why it does not, "" where it does.
func (l *Learner) Day(names []string, d *Day) string {
	if why := l.leaves(d); why != "" {
		l.Passed++
		return why
	}
	if l.Of == nil {
		l.Of = make([]course, len(names))
	}
	l.Days++
	l.Read += d.Read
	l.Longest = max(l.Longest, d.Read)
	if l.First == "" {
		l.First = d.Date
	}
	l.Last = d.Date
	for i, y := range d.values(names) {
		l.Of[i].add(y, d.Of[i])
	}
	return ""
}

func (l *Learner) leaves(d *Day) string { return leaves(d, max(least, l.Longest/2)) }

// leaves tells why a day does not count that needs so many seconds with a face.
func leaves(d *Day, needs float64) string {
	switch {
	case d.Broken:
		return "the clock was set"
	case d.Read < needs:
		return "a face was read for " + hours(d.Read) + ", it takes " + hours(needs)
	}
	return ""
}

// Baseline is what days are compared with.
type Baseline struct {
	Unit     string    `json:"unit"`     // its name then
	Networks []string  `json:"networks"` // SHA-256
	Network  string    `json:"network"`  // in words
	Made     time.Time `json:"made"`
	By       string    `json:"by"` // what it was made of: "pilot", or whose command
	First    string    `json:"first"`
	Last     string    `json:"last"`
	Days     int       `json:"days"`
	Read     float64   `json:"read"` // seconds with a face, of a day
	Of       []Norm    `json:"of"`
}

// Norm is what a quantity is like.
type Norm struct {
	Name    string  `json:"name"`
	N       int     `json:"n"`       // days that it is from
	Mean    float64 `json:"mean"`    // on the kind's scale
	Between float64 `json:"between"` // standard deviation from day to day, likewise
	Freedom float64 `json:"freedom"` // degrees of it that Between has
	Lag     float64 `json:"lag"`     // correlation of a day with the one before
	Spread  float64 `json:"spread"`  // standard deviation of readings, in the quantity's unit

	kind   Kind
	limits [len(windows)]float64 // of the mean over each window, on the kind's scale
}

// Baseline makes one of the days so far, nil where they are too few.
func (l *Learner) Baseline(names []string) *Baseline {
	if l.Days < Fewest {
		return nil
	}
	b := &Baseline{First: l.First, Last: l.Last, Days: l.Days, Read: l.Read / float64(l.Days)}
	for i := range names {
		if c := &l.Of[i]; c.N >= Fewest {
			b.Of = append(b.Of, Norm{Name: names[i], N: c.N, Mean: c.mean(), Spread: c.spread()})
		}
	}
	l.differ(names, b, Level)
	l.differ(names, b, Luma)
	l.differ(names, b, Share, Pixels, Score)
	b.prepare()
	return b
}

// differ finds by how much days differ in quantities of these kinds. Days
// of one week may be like each other (a crew that changes weekly, the weather): how
// much is taken from all of them together, since few days tell little of it. A
// variance from few days is uncertain too: those of levels are drawn towards what
// all levels have in common, as parts of the variance of their readings, by as much
// as that is the same for all [Smyth 2004].
func (l *Learner) differ(names []string, b *Baseline, of ...Kind) {
	var norms []*Norm
	var courses []*course
	lag := 0.0
	for i := range b.Of {
		if n := &b.Of[i]; slices.Contains(of, KindOf(n.Name)) {
			c := &l.Of[slices.Index(names, n.Name)]
			norms, courses = append(norms, n), append(courses, c)
			lag += c.lag()
		}
	}
	if len(norms) == 0 {
		return
	}
	if lag /= float64(len(norms)); of[0] == Luma {
		lag = max(lag, weather)
	}
	lag = min(max(lag, 0), 0.9)
	logs := make([]float64, 0, len(norms))
	variances := make([]float64, len(norms))
	freedom := 0.0
	for i, n := range norms {
		days := float64(n.N)
		n.Lag = lag
		n.Freedom = max((days-1)*(1-lag*lag)/(1+lag*lag), 1)
		variances[i] = courses[i].squares() / (days - 1) / max(1-(inflation(lag, n.N)-1)/(days-1), 0.1)
		floor := kinds[KindOf(n.Name)].between
		variances[i] = max(variances[i], floor*floor)
		freedom += n.Freedom / float64(len(norms))
		logs = append(logs, math.Log(variances[i]/readings(n)))
	}
	prior, worth := common(logs, freedom)
	for i, n := range norms {
		n.Between = math.Sqrt(variances[i])
		if of[0] == Level {
			n.Between = math.Sqrt((worth*prior*readings(n) + n.Freedom*variances[i]) / (worth + n.Freedom))
			n.Freedom += worth
		}
	}
}

// readings is the variance of a level's readings, never nothing.
func readings(n *Norm) float64 { return max(n.Spread, 0.005) * max(n.Spread, 0.005) }

// common is what variances have in common of which these are the logarithms, and how
// many degrees of freedom that is worth; no more than three times their own, as the
// quantities are not independent.
func common(logs []float64, freedom float64) (prior, worth float64) {
	if len(logs) < 3 {
		return 1, 0
	}
	mean, squares := 0.0, 0.0
	for _, x := range logs {
		mean += x / float64(len(logs))
	}
	for _, x := range logs {
		squares += (x - mean) * (x - mean) / float64(len(logs)-1)
	}
	mean -= mathext.Digamma(freedom/2) - math.Log(freedom/2)
	worth = 3 * freedom
	if left := squares - trigamma(freedom/2); left > trigamma(worth/2) {
		low, high := 1e-3, worth/2
		for range 60 { // trigamma falls
			if mid := (low + high) / 2; trigamma(mid) > left {
				low = mid
			} else {
				high = mid
			}
		}
		worth = 2 * low
	}
	return math.Exp(mean + mathext.Digamma(worth/2) - math.Log(worth/2)), worth
}

func trigamma(x float64) float64 { return mathext.Zeta(2, x) }

// inflation is by how much the variance of a mean of n days is larger than that of
// independent ones, where each is so much like the one before.
func inflation(lag float64, n int) float64 {
	v, power := 1.0, 1.0
	for j := 1; j < n; j++ {
		power *= lag
		v += 2 * (1 - float64(j)/float64(n)) * power
	}
	return v
}

// prepare computes the limits. Each of the comparisons of a day, of every quantity
// over every window, has its part of the chance that a day is told falsely.
func (b *Baseline) prepare() {
	for i := range b.Of {
		n := &b.Of[i]
		n.kind = KindOf(n.Name)
		for k, days := range windows {
			t := student(n.Freedom, chance*parts[k]/float64(len(b.Of)))
			n.limits[k] = t * n.Between * math.Sqrt(inflation(n.Lag, days)/float64(days)+inflation(n.Lag, n.N)/float64(n.N))
		}
	}
}

// student gives the t that is exceeded, on either side, with this chance.
func student(freedom, outside float64) float64 {
	x := mathext.InvRegIncBeta(freedom/2, 0.5, outside)
	return math.Sqrt(freedom * (1 - x) / x)
}
