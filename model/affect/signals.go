package affect

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Names of signals that don't carry a class, unit or part in them.
const (
	Valence    = "valence"
	Arousal    = "arousal"
	EyesClosed = "eyes_closed"
	Perclos    = "perclos"
)

const (
	expressionPrefix = "expression."
	compoundPrefix   = "compound."
	visiblePrefix    = "visible."
	unitPrefix       = "au"

	unitEyesClosed = 43
	maxUnit        = 99
	maxParts       = 8
)

// Expressions are the classes that the published networks know, in FER+'s
// order, with "other" (ABAW) last. A card states its own order and may have
// others. Registers number expressions by this order.
func Expressions() []string { return slices.Clone(expressionClasses) }

var (
	expressionClasses = []string{"neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt", "other"}
	facePartNames     = []string{"eyes", "mouth", "brow", "nose", "face"}
)

// compound is one of the seven compound expressions: the mean of two basic
// ones [Savchenko 2024, arXiv 2407.13184, section 3.3].
type compound struct{ name, human, first, second string }

var compounds = []compound{
	{"fearfully_surprised", "fearfully surprised", "fear", "surprise"},
	{"happily_surprised", "happily surprised", "happiness", "surprise"},
	{"sadly_surprised", "sadly surprised", "sadness", "surprise"},
	{"disgustedly_surprised", "disgustedly surprised", "disgust", "surprise"},
	{"angrily_surprised", "angrily surprised", "anger", "surprise"},
	{"sadly_fearful", "sadly fearful", "sadness", "fear"},
	{"sadly_angry", "sadly angry", "sadness", "anger"},
}

// unitNames are the action units' names in the Facial Action Coding System
// [Ekman, Friesen, Hager 2002].
var unitNames = map[int]string{
	1: "inner brow raiser", 2: "outer brow raiser", 4: "brow lowerer", 5: "upper lid raiser", 6: "cheek raiser",
	7: "lid tightener", 9: "nose wrinkler", 10: "upper lip raiser", 11: "nasolabial deepener", 12: "lip corner puller",
	13: "sharp lip puller", 14: "dimpler", 15: "lip corner depressor", 16: "lower lip depressor", 17: "chin raiser",
	18: "lip pucker", 20: "lip stretcher", 22: "lip funneler", 23: "lip tightener", 24: "lip pressor",
	25: "lips part", 26: "jaw drop", 27: "mouth stretch", 28: "lip suck", 41: "lid droop", 42: "slit",
	43: "eyes closed", 44: "squint", 45: "blink", 46: "wink",
}

// Signals lists the signals of a unit that runs the networks of cards, in the
// order of Stage's levels: what the networks give first (the first card's,
// then what the others add), then what is made of it. A signal whose sources
// the networks lack is not there.
func Signals(cards ...*Card) []string {
	base := baseSignals(cards)
	return append(base, derivedSignals(base)...)
}

// baseSignals are those that a network gives for one frame.
func baseSignals(cards []*Card) []string {
	var names []string
	add := func(name string) {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	for _, c := range cards {
		if o := c.Outputs.Expression; o != nil {
			for _, class := range o.Classes {
				add(expressionPrefix + class)
			}
		}
	}
	for _, c := range cards {
		if c.Outputs.ValenceArousal != nil {
			add(Valence)
			add(Arousal)
		}
	}
	for _, c := range cards {
		if o := c.Outputs.ActionUnits; o != nil {
			for _, u := range o.Units {
				add(unitName(u))
			}
		}
	}
	for _, c := range cards {
		if o := c.Outputs.Visibility; o != nil {
			for _, part := range o.Parts {
				add(visiblePrefix + part)
			}
		}
	}
	return names
}

// derivedSignals are those that a Stage makes of the base signals.
func derivedSignals(base []string) []string {
	has := func(names ...string) bool {
		for _, n := range names {
			if !slices.Contains(base, n) {
				return false
			}
		}
		return true
	}
	var names []string
	for _, c := range compounds {
		if has(expressionPrefix+c.first, expressionPrefix+c.second) {
			names = append(names, compoundPrefix+c.name)
		}
	}
	if has(unitName(unitEyesClosed)) {
		names = append(names, EyesClosed, Perclos)
	}
	return names
}

func unitName(unit int) string { return unitPrefix + strconv.Itoa(unit) }

// Info tells people and programs what a signal is.
type Info struct {
	Name     string
	Human    string  // "AU4 brow lowerer"
	Unit     string  // "probability", "level", "share of time", "index", or "" where it has none
	Min, Max float32 // what the signal can be
	From     string  // what it is made of, in words; "" for what the network gives itself
	// Derived says that the network learnt this signal from labels computed
	// from other labels, not from people's ratings. Every screen that shows
	// the signal says so.
	Derived bool
	// Weak says that the network is too often wrong here for a default alarm.
	Weak bool
	// Threshold is the level from which an action unit counts as present, or a
	// part of the face as visible; NaN-free: HasThreshold says if there is one.
	Threshold    float32
	HasThreshold bool
}

// Describe explains a signal's name as the networks of cards have it; without
// cards it tells what holds for any network. It is false for a name that no
// network can have.
func Describe(name string, cards ...*Card) (Info, bool) {
	in := Info{Name: name, Max: 1}
	switch rest, prefix := cutPrefix(name); {
	case name == Valence:
		in.Human, in.Min = "valence, unpleasant to pleasant", -1
	case name == Arousal:
		in.Human, in.Min = "arousal, calm to excited", -1
	case name == EyesClosed:
		in.Human, in.Unit = "eyes closed", "degree of closure"
		in.From = "AU43, scaled so that 0.8 is eyes 80 % closed"
	case name == Perclos:
		in.Human, in.Unit = "PERCLOS", "share of time"
		in.From = "share of the known time in which the eyes were at least 80 % closed"
	case prefix == expressionPrefix:
		in.Human, in.Unit = strings.ReplaceAll(rest, "_", " "), "probability"
	case prefix == visiblePrefix:
		in.Human, in.Unit = strings.ReplaceAll(rest, "_", " ")+" visible", "probability"
	case prefix == compoundPrefix:
		i := slices.IndexFunc(compounds, func(c compound) bool { return c.name == rest })
		if i < 0 {
			return Info{}, false
		}
		in.Human, in.Unit = compounds[i].human, "probability"
		in.From = fmt.Sprintf("mean of %s and %s", compounds[i].first, compounds[i].second)
	case prefix == unitPrefix:
		u, err := strconv.Atoi(rest)
		if err != nil || u < 1 || u > maxUnit || unitName(u) != name {
			return Info{}, false
		}
		in.Human, in.Unit = strings.TrimSpace(fmt.Sprintf("AU%d %s", u, unitNames[u])), "level"
	default:
		return Info{}, false
	}
	for _, c := range cards {
		in.ofCard(c)
	}
	return in, true
}

// ofCard adds what one card says of the signal. The first card that has a
// threshold sets it.
func (in *Info) ofCard(c *Card) {
	rest, prefix := cutPrefix(in.Name)
	if o := c.Outputs.ValenceArousal; o != nil && (in.Name == Valence || in.Name == Arousal) {
		in.Derived = in.Derived || o.Derived
	}
	if o := c.Outputs.ActionUnits; o != nil && prefix == unitPrefix {
		u, _ := strconv.Atoi(rest)
		in.Weak = in.Weak || slices.Contains(o.Weak, u)
		if t, ok := c.Threshold(u); ok && !in.HasThreshold {
			in.Threshold, in.HasThreshold = t, true
		}
	}
	if o := c.Outputs.Visibility; o != nil && prefix == visiblePrefix {
		if i := slices.Index(o.Parts, rest); i >= 0 && !in.HasThreshold {
			in.Threshold, in.HasThreshold = o.Thresholds[i], true
		}
	}
}

func cutPrefix(name string) (rest, prefix string) {
	for _, p := range []string{expressionPrefix, compoundPrefix, visiblePrefix, unitPrefix} {
		if rest, ok := strings.CutPrefix(name, p); ok && rest != "" && (p == unitPrefix || identifier.MatchString(rest)) {
			return rest, p
		}
	}
	return name, ""
}
