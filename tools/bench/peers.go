package main

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"mien/drivers/camera"
	"mien/firmware/config"
	"mien/firmware/pipeline"
	"mien/model/affect"
	"mien/model/assets"
)

const peersFolder = "tools/bench/peers"

// job is what the peers are given: files in a folder.
type job struct {
	python, dir string
	clip        *clip
	detector    string
	ours        [][]float32 // the unit's levels, not filtered, by frame
	signals     []string
}

// answer is a peer's line of JSON.
type answer struct {
	CPU        float64 `json:"cpu_ms"` // a frame
	RSS        float64 `json:"rss_mb"`
	Detections int     `json:"detections"`
	Signals    int     `json:"signals"`
}

// peers runs the same job in Python, and emotiefflib, in turn with the unit.
func peers(f figures, c *clip, python string, rounds int) error {
	if _, err := os.Stat(python); err != nil {
		fmt.Printf("peers in Python: not measured: no %s (make bench-peers)\n", python)
		return nil
	}
	j, err := newJob(c, python)
	if err != nil {
		return fmt.Errorf("peers: %w", err)
	}
	defer os.RemoveAll(j.dir)
	var scheduled, every, rss, effnet []float64
	emotiefflib := true
	for i := range rounds {
		ours, _, err := unitCost(c, false)
		if err != nil {
			return err
		}
		a, err := j.same(false)
		if err != nil {
			return err
		}
		if i == 0 {
			if err := j.compare(f, a.Signals); err != nil {
				return err
			}
		}
		b, err := j.same(true)
		if err != nil {
			return err
		}
		scheduled, every, rss = append(scheduled, a.CPU/ours), append(every, b.CPU/ours), append(rss, a.RSS)
		fmt.Printf("round %d: unit %.3f ms a frame; Python %.3f on the unit's schedule (%d detections), %.3f detecting on every frame, %.0f MB",
			i+1, ours, a.CPU, a.Detections, b.CPU, a.RSS)
		if emotiefflib {
			e, err := j.emotiefflib()
			if err != nil {
				fmt.Printf("\nemotiefflib: not measured: %v\n", err)
				emotiefflib = false
				continue
			}
			effnet = append(effnet, e.CPU/ours)
			fmt.Printf("; emotiefflib %.1f, %.0f MB", e.CPU, e.RSS)
		}
		fmt.Println()
	}
	f["python_cpu_over_mien"], f["python_every_frame_over_mien"] = median(scheduled), median(every)
	fmt.Printf("python_cpu_over_mien %.2f  python_every_frame_over_mien %.2f", median(scheduled), median(every))
	if own, ok := f["rss_mb"]; ok {
		f["python_rss_over_mien"] = median(rss) / own
		fmt.Printf("  python_rss_over_mien %.2f", median(rss)/own)
	}
	if len(effnet) > 0 {
		f["emotiefflib_cpu_over_mien"] = median(effnet)
		fmt.Printf("  emotiefflib_cpu_over_mien %.2f", median(effnet))
	}
	fmt.Println()
	return nil
}

// newJob writes the frames, the schedule and the network where the peers find
// them, and lets the unit's eye answer.
func newJob(c *clip, python string) (*job, error) {
	dir, err := os.MkdirTemp("", "mien-bench-")
	if err != nil {
		return nil, err
	}
	j := &job{python: python, dir: dir, clip: c}
	if j.detector, err = assets.Find(assets.FaceShort); err != nil {
		return nil, err
	}
	card, network := assets.Card(), assets.Network()
	frames, err := os.Create(j.path("frames.yuyv"))
	if err != nil {
		return nil, err
	}
	for _, raw := range c.Raws {
		if _, err := frames.Write(raw); err != nil {
			return nil, err
		}
	}
	plan := make([]byte, len(c.detected))
	for i, d := range c.detected {
		if d {
			plan[i] = 1
		}
	}
	err = errors.Join(frames.Close(), os.WriteFile(j.path("card.json"), card, 0o644),
		os.WriteFile(j.path("affect.tflite"), network, 0o644), os.WriteFile(j.path("schedule"), plan, 0o644))
	if err != nil {
		return nil, err
	}
	return j, j.answers()
}

func (j *job) path(name string) string { return filepath.Join(j.dir, name) }

// answers are the unit's, frame by frame and without filters.
func (j *job) answers() error {
	// Windows of no length, and not kind none, so that the mean of two views is taken, as the peer does.
	cfg, err := config.Parse("bench.toml", []byte("[filter]\nexpression = \"0s\"\nvalence_arousal = \"0s\"\naction_units = \"0s\"\ncompound = \"0s\"\n"))
	if err != nil {
		return err
	}
	eye, err := pipeline.OpenEye(cfg)
	if err != nil {
		return err
	}
	defer eye.Close()
	j.signals = eye.Signals()
	var f camera.Frame
	for n := range j.clip.detected {
		j.clip.Frame(&f, n, false)
		s, err := eye.Look(&f)
		if err != nil {
			return err
		}
		j.ours = append(j.ours, append([]float32(nil), s.Levels...))
	}
	return nil
}

// same runs the same job in Python.
func (j *job) same(every bool) (answer, error) {
	args := []string{"--schedule", j.path("schedule"), "--network", j.path("affect.tflite"), "--card", j.path("card.json"), "--levels", j.path("levels")}
	if every {
		args = append(args, "--every")
	}
	return j.run("python_peer.py", args...)
}

func (j *job) emotiefflib() (answer, error) {
	return j.run("emotiefflib_peer.py", "--count", strconv.Itoa(counted/3), "--warmup", "60") // it is slow, and warm by then
}

func (j *job) run(script string, args ...string) (a answer, err error) {
	args = append([]string{filepath.Join(peersFolder, script), "--frames", j.path("frames.yuyv"), "--width", strconv.Itoa(j.clip.Width),
		"--height", strconv.Itoa(j.clip.Height), "--warmup", strconv.Itoa(warmup), "--detector", j.detector}, args...)
	cmd := exec.Command(j.python, args...)
	var said strings.Builder
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		text := said.String()
		return a, fmt.Errorf("%s: %w: %s", script, err, text[max(0, len(text)-800):])
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &a); err != nil {
		return a, fmt.Errorf("%s: %w", script, err)
	}
	return a, nil
}

// compare holds the peer's answers against the unit's: a peer that does
// something else proves nothing.
func (j *job) compare(f figures, signals int) error {
	data, err := os.ReadFile(j.path("levels"))
	if err != nil {
		return err
	}
	if signals > len(j.signals) || len(data) != 4*signals*len(j.ours) {
		return fmt.Errorf("the peer wrote %d bytes of %d signals", len(data), signals)
	}
	groups := map[string]*difference{}
	known, both := 0, 0
	for n, ours := range j.ours {
		for i := range signals {
			a, b := ours[i], math.Float32frombits(binary.LittleEndian.Uint32(data[4*(n*signals+i):]))
			if a == a {
				known++
			}
			if a != a || b != b {
				continue
			}
			both++
			g := group(j.signals[i])
			if groups[g] == nil {
				groups[g] = &difference{}
			}
			groups[g].add(float64(a - b))
		}
	}
	fmt.Printf("the Python peer answers %.1f%% of what the unit does; levels differ by", 100*float64(both)/float64(max(known, 1)))
	for _, g := range []string{"expressions", "valence and arousal", "action units", "visibility"} {
		if d := groups[g]; d != nil {
			fmt.Printf("  %s: %.3f in the mean, %.3f at most", g, d.sum/float64(d.n), d.most)
		}
	}
	fmt.Println()
	if d := groups["action units"]; d != nil {
		f["python_au_difference_mean"], f["python_au_difference_max"] = d.sum/float64(d.n), d.most
	}
	if both*10 < known*9 {
		return fmt.Errorf("the peer answers %d of %d levels: it does not do the same job", both, known)
	}
	return nil
}

func group(signal string) string {
	switch {
	case strings.HasPrefix(signal, "expression."):
		return "expressions"
	case signal == affect.Valence || signal == affect.Arousal:
		return "valence and arousal"
	case strings.HasPrefix(signal, "visible."):
		return "visibility"
	}
	return "action units"
}

// difference gathers absolute differences.
type difference struct {
	n         int
	sum, most float64
}

func (d *difference) add(x float64) {
	x = math.Abs(x)
	d.n, d.sum, d.most = d.n+1, d.sum+x, max(d.most, x)
}
