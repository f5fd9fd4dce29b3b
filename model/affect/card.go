// Package affect is the multi-task network: from an aligned face to
// expressions, valence and arousal, facial action units and the visibility of
// the face's parts, and from those, over time, to the signals that alarms are
// set on.
//
// All that is particular to a network stands in its model card, a JSON file
// beside the .tflite file; nothing of it is compiled in. A network may lack
// any of the outputs; its signals are then missing from Signals, and an alarm
// on one of them can be refused before the unit starts.
//
//	Card     what a network is: input, outputs, thresholds, rights
//	Network  a card and an interpreter: Infer fills a Result for one face
//	Stage    results over time: blending, derived signals, filters
//	Describe what a signal's name means, for people
package affect

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"

	"mien/given"
	"mien/model/tflite"
)

// Kinds of output: what is done to a tensor's real value.
const (
	Logits      = "logits"      // softmax over expressions; sigmoid for units and visibility
	Probability = "probability" // already 0..1
	Tanh        = "tanh"        // the network ends in tanh: already -1..1
	Linear      = "linear"      // the network ends in a linear layer trained on -1..1: clipped
	Raw         = "raw"         // tanh is applied here
)

// Card is a model card: the JSON file beside a .tflite file. Pixel coordinates
// count from the centre of pixel 0.
type Card struct {
	Schema      int              `json:"schema"`
	Name        string           `json:"name"`
	Version     string           `json:"version"`
	File        string           `json:"file"`   // name of the .tflite file, beside the card
	SHA256      string           `json:"sha256"` // of that file, 64 hexadecimal digits
	Licence     string           `json:"licence"`
	Description string           `json:"description"`
	Input       Input            `json:"input"`
	Outputs     Outputs          `json:"outputs"`
	Regions     map[string][]int `json:"regions"` // action units that are Unknown while the part is covered
	KnownAnswer *KnownAnswer     `json:"known_answer"`
	Data        []DataSource     `json:"data"`
	Scores      json.RawMessage  `json:"scores"` // free form, shown by mien explain -model
	Limits      []string         `json:"limits"` // what the network is not for

	path string // for errors
}

// Input says how a face becomes the input tensor, NHWC with N = 1.
type Input struct {
	Index    int       `json:"index"`
	Width    int       `json:"width"`
	Height   int       `json:"height"`
	Channels int       `json:"channels"` // 1 or 3
	Colour   string    `json:"colour"`   // grey or rgb
	Mean     []float32 `json:"mean"`     // one a channel, in 0..255
	Std      []float32 `json:"std"`
	Template Template  `json:"template"`
}

// Template is where the eyes are in the input after a similarity transform.
// The person's right eye is at the picture's left.
type Template struct {
	RightEye [2]float32 `json:"right_eye"`
	LeftEye  [2]float32 `json:"left_eye"`
}

// Outputs names the tensors. A nil field is an output that the network lacks.
type Outputs struct {
	Expression     *ExpressionOutput `json:"expression"`
	ValenceArousal *AffectOutput     `json:"valence_arousal"`
	ActionUnits    *UnitOutput       `json:"action_units"`
	Visibility     *VisibilityOutput `json:"visibility"`
}

// ExpressionOutput is a tensor of one score a class, Logits or Probability.
type ExpressionOutput struct {
	Index   int      `json:"index"`
	Offset  int      `json:"offset"` // first element, where one tensor carries several outputs
	Kind    string   `json:"kind"`
	Classes []string `json:"classes"`
}

// AffectOutput is a tensor of valence and arousal: Tanh, Linear or Raw.
type AffectOutput struct {
	Index   int      `json:"index"`
	Offset  int      `json:"offset"`
	Kind    string   `json:"kind"`
	Order   []string `json:"order"`   // valence and arousal, as the tensor holds them
	Derived bool     `json:"derived"` // trained on labels computed from others, not on people's ratings
}

// UnitOutput is a tensor of one level an action unit, Logits or Probability.
type UnitOutput struct {
	Index      int       `json:"index"`
	Offset     int       `json:"offset"`
	Kind       string    `json:"kind"`
	Units      []int     `json:"units"`      // FACS numbers
	Thresholds []float32 `json:"thresholds"` // level from which a unit counts as present
	Weak       []int     `json:"weak"`       // too weak for a default alarm
	// EyesClosedAt is the level of AU43 at which the eyes are 80 % closed.
	// Absent: 0.8.
	EyesClosedAt *float32 `json:"eyes_closed_at"`
}

// VisibilityOutput is a tensor of one score a part of the face, Logits or
// Probability: 1 is uncovered.
type VisibilityOutput struct {
	Index      int       `json:"index"`
	Offset     int       `json:"offset"`
	Kind       string    `json:"kind"`
	Parts      []string  `json:"parts"`
	Thresholds []float32 `json:"thresholds"` // below it the part is covered
}

// KnownAnswer is what a fixed pseudo-random input must give: proof that the
// interpreter, its kernels or an accelerator compute this network.
type KnownAnswer struct {
	Input   string  `json:"input"`   // "lcg:SEED", see tflite.CheckAnswer
	Outputs [][]int `json:"outputs"` // raw elements of every output tensor, by output index
}

// DataSource is one of the sources of the training data.
type DataSource struct {
	Name    string `json:"name"`
	Licence string `json:"licence"`
	Note    string `json:"note"`
}

// maxCard bounds a card's file: the largest so far has 28 KB.
const maxCard = 1 << 20

// Load reads the card at path and the model beside it, and checks the one
// against the other. Errors name the file, the key and what is allowed.
func Load(path string) (*Card, []byte, error) {
	text, err := given.Read(path, maxCard)
	if err != nil {
		return nil, nil, fmt.Errorf("read model card: %w", err)
	}
	card, err := ParseCard(path, text)
	if err != nil {
		return nil, nil, err
	}
	file := filepath.Join(filepath.Dir(path), card.File)
	model, err := given.Read(file, tflite.MaxFile)
	if err != nil {
		return nil, nil, fmt.Errorf("read the model that %s names: %w", path, err)
	}
	if err := card.CheckModel(model); err != nil {
		return nil, nil, err
	}
	return card, model, nil
}

// CheckModel says whether model is the file that the card describes.
func (c *Card) CheckModel(model []byte) error {
	sum := sha256.Sum256(model)
	if got := hex.EncodeToString(sum[:]); got != strings.ToLower(c.SHA256) {
		return fmt.Errorf("%s: sha256: the card says %s, %s (%d bytes) has %s: the file is damaged, or of another version: put the card and the model of one version beside each other",
			c.path, c.SHA256, c.File, len(model), got)
	}
	return nil
}

// Path is where the card was read from, or the name ParseCard was given.
func (c *Card) Path() string { return c.path }

// Threshold is the level from which an action unit counts as present, and
// whether the network has that unit.
func (c *Card) Threshold(unit int) (float32, bool) {
	if c.Outputs.ActionUnits == nil {
		return 0, false
	}
	for i, u := range c.Outputs.ActionUnits.Units {
		if u == unit {
			return c.Outputs.ActionUnits.Thresholds[i], true
		}
	}
	return 0, false
}

// eyesClosedAt is the level of AU43 at which the eyes are 80 % closed.
func (c *Card) eyesClosedAt() float32 {
	if o := c.Outputs.ActionUnits; o != nil && o.EyesClosedAt != nil {
		return *o.EyesClosedAt
	}
	return closedShare
}
