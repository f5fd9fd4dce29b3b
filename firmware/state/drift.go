package state

// Drift is how the days since the pilot compare with it.
type Drift struct {
	State     DriftState `json:"state"`
	Why       string     `json:"why,omitempty"`     // what has changed, or why nothing is compared
	First     string     `json:"first,omitempty"`   // date of the baseline's first day
	Last      string     `json:"last,omitempty"`    // and of its last
	Days      int        `json:"days,omitempty"`    // that it is made of
	By        string     `json:"by,omitempty"`      // what it was made by: "pilot" or "command"
	Network   string     `json:"network,omitempty"` // that it is of
	DayRead   float64    `json:"hours_a_day,omitempty"`
	Learnt    int        `json:"learnt,omitempty"` // days that count so far, of a baseline that is being made
	Wants     int        `json:"wants,omitempty"`  // and of how many; 0: of those of the pilot
	Fewest    int        `json:"fewest"`           // days that any baseline needs
	Compared  int        `json:"compared"`         // days
	Newest    string     `json:"newest,omitempty"` // of them
	Passed    int        `json:"passed"`           // days that did not count
	PassedWhy string     `json:"passed_why,omitempty"`
	Today     string     `json:"today,omitempty"`
	TodayRead float64    `json:"today_hours"` // in which a face was read
	Of        []DriftOf  `json:"quantities"`
}

// DriftState is what is done with days.
type DriftState string

const (
	DriftNone     DriftState = "none"     // nobody asked for a baseline: nothing is kept
	DriftLearns   DriftState = "learns"   // days become a baseline
	DriftCompares DriftState = "compares" // days are compared with it
	DriftRefused  DriftState = "refused"  // it is of another network, or damaged
)

// DriftOf is one quantity.
type DriftOf struct {
	Name     string  `json:"name"`
	Unit     string  `json:"unit"`
	Baseline float64 `json:"baseline"` // mean of its days
	Days     int     `json:"days"`     // that know it
	Between  float64 `json:"between"`  // standard deviation from day to day
	Spread   float64 `json:"spread"`   // standard deviation of readings
	// A mean of three days below or above these is told.
	Below float64 `json:"below"`
	Above float64 `json:"above"`
	// Mean of the newest day, of three and of ten; nil where there are not so many.
	Mean  [3]*float64 `json:"mean_1_3_10"`
	Since string      `json:"since,omitempty"` // date from which on it has changed; "": it has not
}
