package pipeline

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"mien/firmware/modbus"
	"mien/model/affect"
	"mien/model/face"
)

var unknown = float32(math.NaN())

// places says where in Sight.Levels the values of the register map stand; -1
// is a signal that the network lacks.
type places struct {
	expressions     [len(modbus.Expressions)]int
	units           [len(modbus.AUs)]int
	valence         int
	arousal         int
	closed, perclos int
	pain            int
	eyes, mouth     uint8 // bits of Sight.Covered
}

func placesOf(signals []string, card *affect.Card) (p places) {
	at := func(name string) int { return slices.Index(signals, name) }
	for i, name := range modbus.Expressions {
		p.expressions[i] = at("expression." + name)
	}
	for i, unit := range modbus.AUs {
		p.units[i] = at("au" + strconv.Itoa(unit))
	}
	p.valence, p.arousal = at(affect.Valence), at(affect.Arousal)
	p.closed, p.perclos, p.pain = at(affect.EyesClosed), at(affect.Perclos), at(affect.Pain)
	if v := card.Outputs.Visibility; v != nil {
		for i, part := range v.Parts {
			switch part {
			case "eyes":
				p.eyes = 1 << i
			case "mouth":
				p.mouth = 1 << i
			}
		}
	}
	return p
}

// reasons brings the quality gate's reasons into the words of the register map.
var reasons = map[face.Reason]uint8{
	face.Good: 0, face.Missing: 2, face.TooSmall: 3, face.CutOff: 4, face.Blurred: 5, face.TooDark: 6, face.TooBright: 7,
	face.Turned: 8, face.Rolled: 8, face.Tilted: 8, face.Unsure: 9, face.Flat: 15,
}

// Numbers of modbus.Reasons that no face.Reason stands for.
const (
	reasonStale  = 11
	reasonCamera = 12
)

// see copies what a frame gave into the snapshot.
func (p *places) see(s *Sight, snap *modbus.Snapshot) {
	level := func(at int) float32 {
		if at < 0 {
			return unknown
		}
		return s.Levels[at]
	}
	for i, at := range p.expressions {
		snap.Expressions[i] = level(at)
	}
	for i, at := range p.units {
		snap.AU[i] = level(at)
	}
	snap.Valence, snap.Arousal = level(p.valence), level(p.arousal)
	snap.EyesClosed, snap.PERCLOS, snap.Pain = level(p.closed), level(p.perclos), level(p.pain)
	snap.Expression, snap.ExpressionLevel = -1, unknown
	if i := slices.Index(modbus.Expressions[:], s.Class); i >= 0 {
		snap.Expression, snap.ExpressionLevel = int8(i), s.ClassP
	}
	snap.Compound, snap.CompoundLevel = -1, unknown
	for i := range modbus.Compounds {
		if s.Compound == compoundNames[i] {
			snap.Compound, snap.CompoundLevel = int8(i), s.CompoundP
		}
	}
	snap.Reason = reasons[s.Reason]
	snap.Faces, snap.FaceScore, snap.FaceSize, snap.Covered = 0, unknown, unknown, 0
	if s.View.Found {
		snap.Faces = uint16(max(s.View.Count, 1))
		snap.FaceScore, snap.FaceSize = s.View.Face.Score, s.View.Face.Box.Width()
	}
	if s.Covered&p.eyes != 0 {
		snap.Covered |= modbus.CoveredEyes
	}
	if s.Covered&p.mouth != 0 {
		snap.Covered |= modbus.CoveredMouth
	}
}

// blind makes every reading of the snapshot Unknown.
func blind(snap *modbus.Snapshot, reason uint8) {
	for i := range snap.Expressions {
		snap.Expressions[i] = unknown
	}
	for i := range snap.AU {
		snap.AU[i] = unknown
	}
	snap.Valence, snap.Arousal = unknown, unknown
	snap.EyesClosed, snap.PERCLOS, snap.Pain = unknown, unknown, unknown
	snap.Expression, snap.ExpressionLevel = -1, unknown
	snap.Compound, snap.CompoundLevel = -1, unknown
	snap.Faces, snap.FaceScore, snap.FaceSize, snap.Covered = 0, unknown, unknown, 0
	snap.Reason = reason
}

// compoundNames are the compound expressions as signals name them.
var compoundNames = func() (names [len(modbus.Compounds)]string) {
	for i, name := range modbus.Compounds {
		names[i] = strings.ReplaceAll(name, " ", "_")
	}
	return
}()

// availability is the share of the last hour with valid results, in minutes.
type availability struct {
	valid, total [60]uint16 // ticks
	minute       time.Duration
	at           int
}

// tick counts one moment as valid or not.
func (a *availability) tick(valid bool, now time.Duration) {
	if a.minute == 0 {
		a.minute = now
	}
	for now-a.minute >= time.Minute {
		a.minute += time.Minute
		a.at = (a.at + 1) % len(a.valid)
		a.valid[a.at], a.total[a.at] = 0, 0
	}
	a.total[a.at]++
	if valid {
		a.valid[a.at]++
	}
}

// share is the part of the counted moments that were valid.
func (a *availability) share() float32 {
	var valid, total uint32
	for i := range a.valid {
		valid += uint32(a.valid[i])
		total += uint32(a.total[i])
	}
	if total == 0 {
		return unknown
	}
	return float32(valid) / float32(total)
}
