package drift

import (
	"math"
	"slices"
)

// longest is how many days of the past are kept.
const longest = 10

// Past is one day that was compared.
type Past struct {
	Date   string   `json:"date"`
	Read   float64  `json:"read"`   // seconds with a face
	Values []number `json:"values"` // of Baseline.Of, on their scales
}

// Course is what became of the days since a baseline was made.
type Course struct {
	Days []Past `json:"days"` // the newest, oldest first
	// Told has each quantity that has changed, and since which date.
	Told     map[string]string `json:"told"`
	Compared int               `json:"compared"` // days
	Passed   int               `json:"passed"`   // days that were not compared
	Row      int               `json:"row"`      // of those, the newest in a row
	Why      string            `json:"why"`      // not, of the newest of those
}

// Day compares a day with the baseline. It tells why that cannot be, "" where it
// can.
func (c *Course) Day(b *Baseline, names []string, d *Day) string {
	if why := leaves(d, max(least, b.Read/2)); why != "" {
		c.Passed++
		c.Row++
		c.Why = d.Date + ": " + why
		return why
	}
	values := d.values(names)
	p := Past{Date: d.Date, Read: d.Read, Values: make([]number, len(b.Of))}
	for i := range b.Of {
		p.Values[i] = number(math.NaN())
		if at := slices.Index(names, b.Of[i].Name); at >= 0 {
			p.Values[i] = number(values[at])
		}
	}
	if c.Days = append(c.Days, p); len(c.Days) > longest {
		c.Days = slices.Delete(c.Days, 0, 1)
	}
	c.Compared++
	c.Row = 0
	if c.Told == nil {
		c.Told = make(map[string]string)
	}
	for i := range b.Of {
		n := &b.Of[i]
		switch _, on := c.Told[n.Name]; {
		case !on:
			if k := c.over(n, i, 1); k > 0 {
				c.Told[n.Name] = c.since(n, i, k)
			}
		case c.over(n, i, 0.5) == 0:
			delete(c.Told, n.Name)
		}
	}
	return ""
}

// over gives the shortest window over which a quantity is beyond so much of its
// limit, in days; 0: none. What a longer window holds is past where the newest
// days no longer have it.
func (c *Course) over(n *Norm, i int, factor float64) int {
	for k, days := range windows {
		mean, ok := c.mean(i, days)
		if !ok || math.Abs(mean-n.Mean) <= factor*n.limits[k] || !n.kind.worth(n.Mean, mean, factor) {
			continue
		}
		if days > 3 {
			if newest, _ := c.mean(i, 3); (newest-n.Mean)/(mean-n.Mean) < 0.5 {
				continue
			}
		}
		return days
	}
	return 0
}

// mean is a quantity's over the newest days; false where not all have it.
func (c *Course) mean(i, days int) (float64, bool) {
	if len(c.Days) < days {
		return math.NaN(), false
	}
	sum := 0.0
	for _, d := range c.Days[len(c.Days)-days:] {
		sum += float64(d.Values[i])
	}
	return sum / float64(days), sum == sum
}

// since is the first of the days in a window that shows at least half of the change.
func (c *Course) since(n *Norm, i, days int) string {
	mean, _ := c.mean(i, days)
	list := c.Days[len(c.Days)-days:]
	for _, d := range list {
		if (float64(d.Values[i])-n.Mean)/(mean-n.Mean) >= 0.5 {
			return d.Date
		}
	}
	return list[len(list)-1].Date
}
