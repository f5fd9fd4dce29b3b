package pilot

import (
	"embed"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2"
)

// Script is a drill: what a person is asked to do, and what of the face is known
// then.
type Script struct {
	Name     string
	Reaction time.Duration // after a tone, until which nobody knows what the face shows
	Steps    []ScriptStep
}

// ScriptStep is one thing that a person is asked to do.
type ScriptStep struct {
	Lasts   time.Duration
	Text    map[string]string // by language, "en" and "ja"
	Present []string          // signals that the face shows
	Absent  []string          // and those that it does not
}

// Limits on a script: it leads a person, and each step is a request.
const (
	scriptMost   = 64 << 10
	stepsMost    = 500
	stepLongest  = 4 * time.Hour
	drillLongest = 12 * time.Hour
)

//go:embed drills/*.toml
var shipped embed.FS

// Scripts names the scripts that ship with mien.
func Scripts() (names []string) {
	list, _ := fs.Glob(shipped, "drills/*.toml")
	for _, name := range list {
		names = append(names, strings.TrimSuffix(path.Base(name), ".toml"))
	}
	return names
}

// Shipped gives the text of a script that ships with mien.
func Shipped(name string) ([]byte, bool) {
	text, err := shipped.ReadFile("drills/" + name + ".toml")
	return text, err == nil
}

// ParseScript reads a script; file stands for it in errors, which say what is
// wrong and what is allowed. A run of steps that each say repeat = n is gone
// through n times.
func ParseScript(file string, text []byte) (*Script, error) {
	if len(text) > scriptMost {
		return nil, fmt.Errorf("%s: is larger than %d KiB", file, scriptMost>>10)
	}
	var in struct {
		Name     string
		Reaction string
		Step     []struct {
			Seconds         float64
			EN, JA          string
			Present, Absent []string
			Repeat          int
		}
	}
	d := toml.NewDecoder(strings.NewReader(string(text)))
	d.DisallowUnknownFields()
	if err := d.Decode(&in); err != nil {
		return nil, fmt.Errorf("%s: %w: a script has name, reaction and [[step]] with seconds, en, ja, present, absent, repeat", file, err)
	}
	s := &Script{Name: in.Name}
	var err error
	switch s.Reaction, err = time.ParseDuration(in.Reaction); {
	case in.Name == "" || len(in.Name) > 64:
		return nil, fmt.Errorf("%s: name: from 1 to 64 bytes", file)
	case err != nil || s.Reaction < 0 || s.Reaction > 30*time.Second:
		return nil, fmt.Errorf("%s: reaction %q: a time from 0s to 30s", file, in.Reaction)
	case len(in.Step) == 0:
		return nil, fmt.Errorf("%s: there is no [[step]]", file)
	}
	total := time.Duration(0)
	for i := 0; i < len(in.Step); {
		j := i + 1 // a run of steps with the same repeat
		times := max(in.Step[i].Repeat, 1)
		for j < len(in.Step) && times > 1 && in.Step[j].Repeat == in.Step[i].Repeat && !slices.Equal(in.Step[j].Present, in.Step[i].Present) {
			j++
		}
		for range min(times, stepsMost+1) {
			for n, step := range in.Step[i:j] {
				lasts := time.Duration(step.Seconds * float64(time.Second))
				switch {
				case !(step.Seconds > 0) || lasts > stepLongest || lasts <= s.Reaction:
					return nil, fmt.Errorf("%s: step %d: seconds = %g: more than the reaction time, at most %g", file, i+n+1, step.Seconds, stepLongest.Seconds())
				case step.EN == "":
					return nil, fmt.Errorf("%s: step %d: en: what a person is to do is missing", file, i+n+1)
				case len(s.Steps) == stepsMost || total+lasts > drillLongest:
					return nil, fmt.Errorf("%s: has more than %d steps, or lasts longer than %v", file, stepsMost, drillLongest)
				}
				for _, name := range step.Present {
					if slices.Contains(step.Absent, name) {
						return nil, fmt.Errorf("%s: step %d: %s is present and absent", file, i+n+1, name)
					}
				}
				total += lasts
				text := map[string]string{"en": step.EN, "ja": step.JA}
				if step.JA == "" {
					text["ja"] = step.EN
				}
				s.Steps = append(s.Steps, ScriptStep{lasts, text, step.Present, step.Absent})
			}
		}
		i = j
	}
	return s, nil
}

// Lasts is how long all steps take.
func (s *Script) Lasts() (sum time.Duration) {
	for _, step := range s.Steps {
		sum += step.Lasts
	}
	return sum
}
