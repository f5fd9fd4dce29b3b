package affect

import (
	"fmt"
	"math"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Limits on what a card may ask for; a face network is far inside them, and a
// card with a slipped digit is not.
const (
	maxSide    = 1024
	maxClasses = 64
)

var (
	identifier = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)
	hexDigest  = regexp.MustCompile(`^[0-9a-fA-F]{64}$`)
)

// check holds the first thing wrong with a card.
type check struct {
	file string
	err  error
}

func (k *check) want(ok bool, key, format string, args ...any) {
	if !ok && k.err == nil {
		k.err = fmt.Errorf("%s: %s: %s", k.file, key, fmt.Sprintf(format, args...))
	}
}

// validate checks what JSON's types cannot.
func (c *Card) validate() error {
	k := &check{file: c.path}
	k.want(c.Schema == 1, "schema", "%d: this version reads schema 1", c.Schema)
	k.want(c.Name != "", "name", "must not be empty")
	k.want(c.Version != "", "version", "must not be empty")
	k.want(c.Licence != "", "licence", "must not be empty: say under which terms the network may be used")
	k.want(c.File != "" && filepath.Base(c.File) == c.File && c.File != "." && c.File != "..",
		"file", "%q: must be the name of a file beside the card", c.File)
	k.want(hexDigest.MatchString(c.SHA256), "sha256", "%q: must be 64 hexadecimal digits", c.SHA256)
	c.Input.validate(k)
	c.Outputs.validate(k)
	c.validateRegions(k)
	if a := c.KnownAnswer; a != nil {
		seed, isLCG := strings.CutPrefix(a.Input, "lcg:")
		_, err := strconv.ParseUint(seed, 10, 32)
		k.want(isLCG && err == nil, "known_answer.input", "%q: must be lcg:SEED with a 32-bit seed, as lcg:1", a.Input)
		for i, out := range a.Outputs {
			for j, v := range out {
				k.want(v >= -128 && v <= 255, fmt.Sprintf("known_answer.outputs[%d][%d]", i, j), "%d: must be one byte, -128 to 255", v)
			}
		}
	}
	return k.err
}

func (in *Input) validate(k *check) {
	k.want(in.Index >= 0, "input.index", "%d: must be 0 or more", in.Index)
	k.want(in.Width >= 8 && in.Width <= maxSide, "input.width", "%d: must be 8 to %d", in.Width, maxSide)
	k.want(in.Height >= 8 && in.Height <= maxSide, "input.height", "%d: must be 8 to %d", in.Height, maxSide)
	k.want(in.Channels == 1 || in.Channels == 3, "input.channels", "%d: must be 1 or 3", in.Channels)
	k.oneOf("input.colour", in.Colour, "grey", "rgb")
	k.want((in.Colour == "grey") == (in.Channels == 1), "input.colour", "%q does not go with %d channels: grey has 1, rgb has 3", in.Colour, in.Channels)
	k.want(len(in.Mean) == in.Channels, "input.mean", "%d values: must be one for each of the %d channels", len(in.Mean), in.Channels)
	k.want(len(in.Std) == in.Channels, "input.std", "%d values: must be one for each of the %d channels", len(in.Std), in.Channels)
	for i, v := range in.Mean {
		k.want(v >= 0 && v <= 255, fmt.Sprintf("input.mean[%d]", i), "%g: must be 0 to 255, in the units of the picture", v)
	}
	for i, v := range in.Std {
		k.want(v > 0 && v <= 255, fmt.Sprintf("input.std[%d]", i), "%g: must be above 0 and at most 255, in the units of the picture", v)
	}
	r, l := in.Template.RightEye, in.Template.LeftEye
	for key, p := range map[string][2]float32{"input.template.right_eye": r, "input.template.left_eye": l} {
		k.want(p[0] >= 0 && p[0] < float32(in.Width) && p[1] >= 0 && p[1] < float32(in.Height),
			key, "[%g, %g]: must be within the %dx%d input", p[0], p[1], in.Width, in.Height)
	}
	k.want(l[0]-r[0] >= 4, "input.template", "the person's right eye (x %g) must be at least 4 pixels to the left of the left eye (x %g)", r[0], l[0])
}

func (o *Outputs) validate(k *check) {
	k.want(o.Expression != nil || o.ValenceArousal != nil || o.ActionUnits != nil,
		"outputs", "must name at least one of expression, valence_arousal, action_units")
	if e := o.Expression; e != nil {
		const key = "outputs.expression"
		k.place(key, e.Index, e.Offset)
		k.oneOf(key+".kind", e.Kind, Logits, Probability)
		k.want(len(e.Classes) >= 2 && len(e.Classes) <= maxClasses, key+".classes", "%d classes: must be 2 to %d", len(e.Classes), maxClasses)
		k.names(key+".classes", e.Classes, expressionClasses)
	}
	if v := o.ValenceArousal; v != nil {
		const key = "outputs.valence_arousal"
		k.place(key, v.Index, v.Offset)
		k.oneOf(key+".kind", v.Kind, Tanh, Linear, Raw)
		sorted := slices.Sorted(slices.Values(v.Order))
		k.want(slices.Equal(sorted, []string{"arousal", "valence"}), key+".order", `%q: must be ["valence", "arousal"] or ["arousal", "valence"]`, v.Order)
	}
	if a := o.ActionUnits; a != nil {
		a.validate(k)
	}
	if v := o.Visibility; v != nil {
		const key = "outputs.visibility"
		k.place(key, v.Index, v.Offset)
		k.oneOf(key+".kind", v.Kind, Logits, Probability)
		k.want(len(v.Parts) >= 1 && len(v.Parts) <= maxParts, key+".parts", "%d parts: must be 1 to %d", len(v.Parts), maxParts)
		k.names(key+".parts", v.Parts, facePartNames)
		k.thresholds(key+".thresholds", v.Thresholds, len(v.Parts), "parts")
	}
}

func (a *UnitOutput) validate(k *check) {
	const key = "outputs.action_units"
	k.place(key, a.Index, a.Offset)
	k.oneOf(key+".kind", a.Kind, Logits, Probability)
	k.want(len(a.Units) >= 1 && len(a.Units) <= maxClasses, key+".units", "%d units: must be 1 to %d", len(a.Units), maxClasses)
	for i, u := range a.Units {
		at := fmt.Sprintf("%s.units[%d]", key, i)
		k.want(u >= 1 && u <= maxUnit, at, "%d: must be a FACS number, 1 to %d", u, maxUnit)
		k.want(!slices.Contains(a.Units[:i], u), at, "%d is there twice", u)
	}
	k.thresholds(key+".thresholds", a.Thresholds, len(a.Units), "units")
	for i, u := range a.Weak {
		k.want(slices.Contains(a.Units, u), fmt.Sprintf("%s.weak[%d]", key, i), "%d: must be one of the units %v", u, a.Units)
	}
	if a.EyesClosedAt != nil {
		v := *a.EyesClosedAt
		k.want(v > 0 && v < 1, key+".eyes_closed_at", "%g: must be between 0 and 1", v)
		k.want(slices.Contains(a.Units, unitEyesClosed), key+".eyes_closed_at", "is set, but the network has no AU%d", unitEyesClosed)
	}
}

// validateRegions holds the covered regions against the parts and units that
// the network has.
func (c *Card) validateRegions(k *check) {
	var parts []string
	if v := c.Outputs.Visibility; v != nil {
		parts = v.Parts
	}
	for _, part := range slices.Sorted(mapKeys(c.Regions)) {
		key := "regions." + part
		k.want(parts != nil, key, "the network has no visibility output: leave regions out")
		k.want(slices.Contains(parts, part), key, "must be one of the parts of outputs.visibility: %s", strings.Join(parts, ", "))
		for i, u := range c.Regions[part] {
			at := fmt.Sprintf("%s[%d]", key, i)
			k.want(c.Outputs.ActionUnits != nil && slices.Contains(c.Outputs.ActionUnits.Units, u), at, "AU%d is not among the network's action units", u)
			k.want(!slices.Contains(c.Regions[part][:i], u), at, "AU%d is there twice", u)
		}
	}
}

func (k *check) place(key string, index, offset int) {
	k.want(index >= 0, key+".index", "%d: must be 0 or more", index)
	k.want(offset >= 0, key+".offset", "%d: must be 0 or more", offset)
}

func (k *check) oneOf(key, got string, allowed ...string) {
	k.want(slices.Contains(allowed, got), key, "%q%s: must be %s", got, suggest(got, allowed), strings.Join(allowed, " or "))
}

// names takes any identifier, so that a network with classes of its own works,
// but no near miss of a known one: its signals would get a name that nobody
// sets an alarm on.
func (k *check) names(key string, got, known []string) {
	for i, name := range got {
		at := fmt.Sprintf("%s[%d]", key, i)
		k.want(identifier.MatchString(name), at, "%q: must be lower-case letters, digits and _", name)
		k.want(!slices.Contains(got[:i], name), at, "%q is there twice", name)
		if !slices.Contains(known, name) {
			hint := suggest(name, known)
			k.want(hint == "", at, "%q%s: known names are %s", name, hint, strings.Join(known, ", "))
		}
	}
}

func (k *check) thresholds(key string, got []float32, want int, of string) {
	k.want(len(got) == want, key, "%d values for %d %s: must be one each", len(got), want, of)
	for i, v := range got {
		k.want(v >= 0 && v <= 1 && !math.IsNaN(float64(v)), fmt.Sprintf("%s[%d]", key, i), "%g: must be 0 to 1", v)
	}
}
