// Evaluate measures a network on labelled pictures, on the unit's own way from
// pixels to an answer: the same decoder, face detector, alignment, sampling,
// int8 network and dequantisation.
//
//	go run ./tools/evaluate -labels FILE.csv [-crops] [-predictions OUT.csv]
//	    [-json OUT.json] [-html OUT.html] [-config OUT.toml] [-model FILE]
//
// The labels are a CSV beside its pictures (JPEG, PNG or binary PGM). Its first
// line names the columns, in any order; only file is needed, and an empty cell
// or an absent column is not labelled:
//
//	file           the picture, relative to the CSV
//	group          a kind of person or condition: all scores are compared by it
//	person         pictures of one person are drawn together in the bootstrap,
//	               and never split between validation and test
//	part           validation or test; validation pictures choose thresholds
//	expression     one of the card's classes
//	valence        -1 to 1
//	arousal        -1 to 1
//	AU1, AU2, …    0 to 1; present from -positive on, AU43 (closed eyes) from twice that
//	visible_eyes, visible_mouth    1 uncovered, 0 covered
//
// Without -crops the picture is a camera frame: the largest face counts, and a
// picture without a face has no answer, as on the unit. With -crops it is a
// face crop: the face is searched with the crop put into squares of 1 to 2.1
// times its size, edges repeated; where none is found, the whole picture is
// taken with the eyes at a third and two thirds of its width and at 0.37 of its
// height. Every readable picture then gets an answer.
//
// Scores come with 95 % percentile bootstrap intervals from a fixed seed, all of
// them once more for each group; where a group differs from the other pictures
// by more than chance there is a warning.
//
// Exit status: 0 measured, 1 a file cannot be read or written, 2 wrong use or
// wrong labels.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"mien/model/affect"
	"mien/model/tflite"
)

type options struct {
	labels, pictures                string
	predictions, json, html, config string
	model                           string
	crops, mirror                   bool
	covered                         string
	positive, validation            float64
	rounds                          int
	seed                            uint64
	backend, library                string
}

// errUse: the command line or the labels are wrong.
var errUse = errors.New("wrong use")

func main() {
	err := run(os.Args[1:], os.Stdout, os.Stderr)
	switch {
	case err == nil:
	case errors.Is(err, flag.ErrHelp):
	case errors.Is(err, errUse):
		fmt.Fprintln(os.Stderr, strings.TrimPrefix(err.Error(), errUse.Error()+": "))
		os.Exit(2)
	default:
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func parse(args []string, stderr io.Writer) (o options, err error) {
	f := flag.NewFlagSet("evaluate", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.StringVar(&o.labels, "labels", "", "CSV of labels beside its pictures (needed)")
	f.StringVar(&o.pictures, "pictures", "", "folder that the file column is relative to (default: the CSV's)")
	f.BoolVar(&o.crops, "crops", false, "the pictures are face crops: every one gets an answer")
	f.StringVar(&o.predictions, "predictions", "", "write one row a picture to this CSV")
	f.StringVar(&o.json, "json", "", "write all scores to this file")
	f.StringVar(&o.html, "html", "", "write a report with plots to this file")
	f.StringVar(&o.config, "config", "", "write the best action unit thresholds to this TOML file")
	f.StringVar(&o.model, "model", "", "network to measure: a .tflite file with its card (.json) beside it, or the card (default: the one in the binary)")
	f.StringVar(&o.covered, "covered", "keep", "action units of a covered region: keep their levels, or leave them unknown as the unit does")
	f.BoolVar(&o.mirror, "mirror", true, "the mean of each face and its mirror, which the unit has over two frames (model.mirror); false: of one view")
	f.Float64Var(&o.positive, "positive", 0.25, "label from which an action unit is present: a quarter of full strength; closed eyes (AU43) twice that")
	f.Float64Var(&o.validation, "validation", 0.3, "share of the pictures that choose thresholds, where the labels have no part column")
	f.IntVar(&o.rounds, "bootstrap", 1000, "draws for the intervals")
	f.Uint64Var(&o.seed, "seed", 1, "seed of all drawing")
	f.StringVar(&o.backend, "backend", tflite.Auto, "auto, litert, tflite or gotflite")
	f.StringVar(&o.library, "library", "", "TensorFlow Lite library to open (default: the fetched one)")
	if err := f.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return o, err
		}
		return o, fmt.Errorf("%w: %w", errUse, err)
	}
	wrong := func(format string, args ...any) (options, error) {
		return o, fmt.Errorf("%w: %s", errUse, fmt.Sprintf(format, args...))
	}
	switch {
	case f.NArg() > 0:
		return wrong("what is %q? all arguments are flags: see -help", f.Arg(0))
	case o.labels == "":
		return wrong("-labels is needed: the CSV that names the pictures; see -help")
	case o.covered != "keep" && o.covered != "unknown":
		return wrong("-covered %q: must be keep or unknown", o.covered)
	case !(o.positive > 0 && o.positive <= 1):
		return wrong("-positive %g: must be above 0 and at most 1", o.positive)
	case !(o.validation >= 0 && o.validation < 1):
		return wrong("-validation %g: must be 0 or more, below 1", o.validation)
	case o.rounds < 50 || o.rounds > 100000:
		return wrong("-bootstrap %d: must be 50 to 100000", o.rounds)
	}
	if err := o.checkOutputs(); err != nil {
		return o, fmt.Errorf("%w: %w", errUse, err)
	}
	return o, nil
}

// checkOutputs refuses, before the pictures are looked at, what could not be
// written or would take the place of something that is needed.
func (o *options) checkOutputs() error {
	taken := []struct{ flag, path string }{{"-labels", o.labels}, {"-model", o.model}, {"-model", cardOf(o.model)}}
	for _, out := range []struct{ flag, path string }{{"-predictions", o.predictions}, {"-json", o.json}, {"-html", o.html}, {"-config", o.config}} {
		if out.path == "" {
			continue
		}
		folder := filepath.Dir(out.path)
		if info, err := os.Stat(folder); err != nil || !info.IsDir() {
			return fmt.Errorf("%s %s: there is no folder %s", out.flag, out.path, folder)
		}
		for _, t := range taken {
			if t.path != "" && samePath(out.path, t.path) {
				return fmt.Errorf("%s %s: that file is taken: by %s", out.flag, out.path, t.flag)
			}
		}
		taken = append(taken, out)
	}
	return nil
}

// samePath tells whether two paths name one file, be it there or not.
func samePath(a, b string) bool {
	if filepath.Clean(a) == filepath.Clean(b) {
		return true
	}
	x, errX := os.Stat(a)
	y, errY := os.Stat(b)
	return errX == nil && errY == nil && os.SameFile(x, y)
}

func run(args []string, stdout, stderr io.Writer) error {
	o, err := parse(args, stderr)
	if err != nil {
		return err
	}
	card, model, err := loadModel(o.model)
	if err != nil {
		return err
	}
	set, err := readLabels(o.labels, o.pictures, card)
	if err != nil {
		return fmt.Errorf("%w: %w", errUse, err)
	}
	choose(set, o.validation, o.seed)
	answers, backend, err := answerAll(set.rows, card, model, answerOptions{
		crops: o.crops, unknown: o.covered == "unknown", mirror: o.mirror,
		network: tflite.Options{Backend: o.backend, Library: o.library},
	}, progress(stderr, len(set.rows)))
	if err != nil {
		return err
	}
	// Predictions first: they don't depend on the labels.
	if o.predictions != "" {
		if err := writePredictions(o.predictions, card, set.rows, answers); err != nil {
			return err
		}
	}
	r := measure(o, card, set, answers)
	r.Model.Backend, r.Model.Views = backend, "each face and its mirror, the mean"
	if !o.mirror {
		r.Model.Views = "each face once"
	}
	r.writeText(stdout)
	return r.writeFiles(o)
}

// measure turns answers into scores.
func measure(o options, card *affect.Card, set *labelSet, answers []answer) *report {
	r := &report{
		Model:  modelInfo{Name: card.Name, Version: card.Version, SHA256: card.SHA256, Card: card.Path(), Limits: card.Limits},
		Labels: filepath.Base(o.labels), Pictures: len(set.rows), Rounds: o.rounds, Seed: o.seed, Positive: o.positive, Covered: o.covered,
		Unread: []string{}, scoreSet: scoreSet{Warnings: []string{}},
	}
	for i, a := range answers {
		switch {
		case a.ok:
			r.Answered++
			if !a.aligned {
				r.Whole++
			}
		case errors.Is(a.err, errNoFace):
			r.Unread = append(r.Unread, fmt.Sprintf("%s:%d: file: %s: no face found (is it a face crop? then -crops)", o.labels, set.rows[i].line, set.rows[i].file))
		default:
			r.Unread = append(r.Unread, fmt.Sprintf("%s:%d: file: %v", o.labels, set.rows[i].line, a.err))
		}
	}
	if len(r.Unread) > 0 {
		r.warn("%d of %d pictures have no answer and are in no score", len(r.Unread), r.Pictures)
	}
	if len(set.foreign) > 0 {
		names := make([]string, len(set.foreign))
		for i, u := range set.foreign {
			names[i] = fmt.Sprintf("AU%d", u)
		}
		r.warn("this network does not give %s: not scored", list(names))
	}
	if set.hasAny.expression && card.Outputs.Expression == nil {
		r.warn("this network gives no expressions: not scored")
	}
	if set.hasAny.affect && card.Outputs.ValenceArousal == nil {
		r.warn("this network gives no valence and arousal: not scored")
	}
	d := newData(card, set, answers, o.positive)
	if len(d.rows) == 0 {
		return r
	}
	s := newSampler(d.persons(), o.rounds, o.seed)
	d.score(&r.scoreSet, s)
	d.chooseThresholds(r, s)
	d.compare(r, s)
	if r.Expression == nil && r.Affect == nil && r.Units == nil && r.Visibility == nil {
		r.warn("no picture has a label: there is nothing to score")
	}
	return r
}

func loadModel(path string) (*affect.Card, []byte, error) {
	if path == "" {
		return affect.Embedded()
	}
	card := cardOf(path)
	if card != path {
		if _, err := os.Stat(card); err != nil {
			return nil, nil, fmt.Errorf("%s: its model card is missing: it must be beside it as %s: %w", path, filepath.Base(card), err)
		}
	}
	return affect.Load(card)
}

// cardOf is the card of a .tflite file, or path, which is the card then.
func cardOf(path string) string {
	if name, ok := strings.CutSuffix(path, ".tflite"); ok {
		return name + ".json"
	}
	return path
}

// progress tells on a terminal how far it is, at most four times a second.
func progress(w io.Writer, all int) func(int) {
	f, ok := w.(*os.File)
	if !ok {
		return func(int) {}
	}
	if info, err := f.Stat(); err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return func(int) {}
	}
	var last time.Time
	return func(done int) {
		if now := time.Now(); done == all || now.Sub(last) > time.Second/4 {
			last = now
			fmt.Fprintf(w, "\r%d of %d pictures ", done, all)
			if done == all {
				fmt.Fprint(w, "\r\033[K")
			}
		}
	}
}

func (r *report) writeFiles(o options) error {
	if o.json != "" {
		text, err := json.MarshalIndent(r, "", " ")
		if err != nil {
			return fmt.Errorf("write %s: %w", o.json, err)
		}
		if err := os.WriteFile(o.json, append(text, '\n'), 0o644); err != nil {
			return fmt.Errorf("write scores: %w", err)
		}
	}
	if o.html != "" {
		if err := r.writeHTML(o.html); err != nil {
			return err
		}
	}
	if o.config != "" {
		if err := writeConfig(o.config, r); err != nil {
			return err
		}
	}
	return nil
}
