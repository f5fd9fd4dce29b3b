package main

// report is what -json writes and the HTML shows. A score that is not defined
// (no positive picture, one class only) is null; Warnings say why.
type report struct {
	Model    modelInfo `json:"model"`
	Labels   string    `json:"labels"`
	Pictures int       `json:"pictures"`
	Answered int       `json:"answered"`
	Whole    int       `json:"whole_picture"` // crops whose face was not found: the whole picture was taken
	Unread   []string  `json:"not_answered"`  // file, line and reason of each picture without an answer
	Rounds   int       `json:"bootstrap_rounds"`
	Seed     uint64    `json:"seed"`
	Positive float64   `json:"positive_from"` // label from which an action unit counts as present
	Covered  string    `json:"covered"`       // keep or unknown

	scoreSet
	Groups *groupReport `json:"groups,omitempty"`
}

// scoreSet are the scores of some pictures: of all of them, or of one group.
type scoreSet struct {
	Expression *expressionReport  `json:"expression,omitempty"`
	Affect     *affectReport      `json:"valence_arousal,omitempty"`
	Units      *unitReport        `json:"action_units,omitempty"`
	Visibility []visibilityReport `json:"visibility,omitempty"`
	MTL        *interval          `json:"p_mtl,omitempty"`
	MTLNote    string             `json:"p_mtl_note,omitempty"`
	Warnings   []string           `json:"warnings"`
}

type modelInfo struct {
	Name    string   `json:"name"`
	Version string   `json:"version"`
	SHA256  string   `json:"sha256"`
	Card    string   `json:"card"`
	Backend string   `json:"backend"`
	Views   string   `json:"views"` // what an answer is made of
	Limits  []string `json:"limits"`
}

type expressionReport struct {
	Pictures    int           `json:"pictures"`
	Classes     []string      `json:"classes"`
	Accuracy    interval      `json:"accuracy"`
	MacroF1     interval      `json:"macro_f1"` // over the classes that occur in the labels
	PerClass    []classReport `json:"per_class"`
	Confusion   [][]int       `json:"confusion"`        // truth by row, answer by column
	Shares      [][]interval  `json:"confusion_shares"` // the same as parts of the row
	Calibration calibration   `json:"calibration"`
}

type classReport struct {
	Class     string   `json:"class"`
	Pictures  int      `json:"pictures"`
	Precision interval `json:"precision"`
	Recall    interval `json:"recall"`
	F1        interval `json:"f1"`
}

type calibration struct {
	Error interval `json:"expected_calibration_error"`
	Bins  []bin    `json:"bins"`
}

type affectReport struct {
	Derived  bool            `json:"derived"` // the network's labels were computed from others
	Pictures int             `json:"pictures"`
	Valence  cccReport       `json:"valence"`
	Arousal  cccReport       `json:"arousal"`
	MeanCCC  interval        `json:"mean_ccc"`
	scatter  [2][][2]float64 // truth, answer
}

type cccReport struct {
	CCC  interval `json:"ccc"`
	RMSE interval `json:"rmse"`
}

type unitReport struct {
	MacroF1     interval         `json:"macro_f1"` // at the card's thresholds, over the units with a positive label
	MacroAP     interval         `json:"macro_average_precision"`
	MacroAUC    interval         `json:"macro_auc"`
	MeanRank    interval         `json:"mean_spearman"`
	Units       []unitScores     `json:"units"`
	Calibration calibration      `json:"calibration"` // all units together
	Best        *thresholdReport `json:"best_thresholds,omitempty"`
}

type unitScores struct {
	Unit      int          `json:"unit"`
	Name      string       `json:"name"`
	Weak      bool         `json:"weak"`
	Pictures  int          `json:"pictures"` // labelled and answered
	Positives int          `json:"positives"`
	Unknown   int          `json:"unknown"` // labelled, but covered
	Threshold float64      `json:"threshold"`
	F1        interval     `json:"f1"`
	Precision interval     `json:"precision"`
	Recall    interval     `json:"recall"`
	AP        interval     `json:"average_precision"`
	AUC       interval     `json:"auc"`
	Spearman  interval     `json:"spearman"`
	ECE       interval     `json:"expected_calibration_error"`
	curve     [][2]float64 // recall, precision
}

// thresholdReport is what thresholds chosen on the validation part give on the
// rest.
type thresholdReport struct {
	Validation    int        `json:"validation_pictures"`
	Rest          int        `json:"rest_pictures"`
	MacroF1       interval   `json:"macro_f1"`
	MacroF1AtCard interval   `json:"macro_f1_at_card_thresholds"`
	Units         []bestUnit `json:"units"`
}

type bestUnit struct {
	Unit      int      `json:"unit"`
	Threshold number64 `json:"threshold"`
	F1        interval `json:"f1"`
	F1AtCard  interval `json:"f1_at_card_threshold"`
	weak      bool
	card      float64
}

type visibilityReport struct {
	Part      string   `json:"part"`
	Pictures  int      `json:"pictures"`
	Covered   int      `json:"covered"`
	F1Visible interval `json:"f1_visible"`
	F1Covered interval `json:"f1_covered"`
	AUC       interval `json:"auc"`
}

type groupReport struct {
	Groups []groupScores `json:"groups"`
	// WorstToBest is, by score, the lowest of the groups over the highest.
	WorstToBest map[string]number64 `json:"worst_to_best"`
	Left        []string            `json:"left_out"` // groups with too few pictures
	scores      []string            // names of the common ones, in order
	units       []string            // of those units that are compared one by one
}

type groupScores struct {
	Group    string `json:"group"`
	Pictures int    `json:"pictures"`
	// Scores are those compared, over the classes and units that every group
	// has enough of.
	Scores map[string]interval `json:"scores"`
	// Differences are the group's score less that of all other pictures, with
	// an interval for all groups together (Bonferroni).
	Differences map[string]interval `json:"differences"`
	differs     map[string]bool
	// All is what the report has of all pictures, of this group's alone.
	All scoreSet `json:"all_scores"`
}
