package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"mien/model/affect"
	"mien/model/assets"
)

// A unit is a process of its own: where libraries and detectors lie is one place
// for all of a process ($MIEN_LIB), and a library stays open as long as it lasts.
// It is this program again. It is told names of kinds, a line each, and answers
// each with its outcome as a line of JSON.

// Folders of a unit's files, in a folder of its own.
const (
	libFolder = "lib"
	netFolder = "network"
)

// files are those that a unit can be given damaged, by their paths in its folder.
func files() map[string]func() ([]byte, error) {
	list := map[string]func() ([]byte, error){cardFile: func() ([]byte, error) { return assets.Card(), nil }}
	for _, name := range []string{assets.LiteRT, assets.TFLiteC, assets.FaceShort, assets.FaceFullRange} {
		list[filepath.Join(libFolder, name)] = func() ([]byte, error) {
			path, err := assets.Find(name)
			if err != nil {
				return nil, err
			}
			return os.ReadFile(path)
		}
	}
	list[networkFile()] = func() ([]byte, error) { return assets.Network(), nil }
	return list
}

// cardFile is the path of the card, networkFile that of its network.
var cardFile = filepath.Join(netFolder, "affect.json")

func networkFile() string {
	card, _, err := affect.Embedded()
	if err != nil {
		panic(err) // it is in this program
	}
	return filepath.Join(netFolder, card.File)
}

// folders makes the folder of a unit's files.
func folders() (root string, err error) {
	if root, err = os.MkdirTemp("", "mien-faults-"); err != nil {
		return "", err
	}
	for path, content := range files() {
		data, err := content()
		if err == nil {
			path = filepath.Join(root, path)
			if err = os.MkdirAll(filepath.Dir(path), 0o755); err == nil {
				err = os.WriteFile(path, data, 0o644)
			}
		}
		if err != nil {
			os.RemoveAll(root)
			return "", err
		}
	}
	return root, nil
}

// work takes faults to a unit, and begins another where one dies of it.
func work(order <-chan kind, tell func(outcome)) error {
	root, err := folders()
	if err != nil {
		return err
	}
	defer os.RemoveAll(root)
	var running *process
	for k := range order {
		o := outcome{Kind: k.name}
		if k.atStart {
			if running != nil { // they have the same files
				err = running.end()
				running = nil
			}
			if err == nil {
				o = once(root, k)
			}
		} else {
			if running == nil {
				running, err = begin(root, "")
			}
			if err == nil {
				if o, err = running.do(k.name); err != nil {
					o.Failed, err = fmt.Sprintf("the unit's process died of it: %v", err), nil
					running.end()
					running = nil
				}
			}
		}
		if err != nil {
			return err
		}
		tell(o)
	}
	if running != nil {
		return running.end()
	}
	return nil
}

// once is a kind that is there when the unit starts.
func once(root string, k kind) (o outcome) {
	p, err := begin(root, k.name)
	if err == nil {
		o, err = p.answer()
		if e := p.end(); err == nil {
			err = e
		}
	}
	if o.Kind = k.name; err != nil && o.Failed == "" {
		o.Failed = fmt.Sprintf("the unit's process: %v", err)
	}
	return o
}

// process is a unit.
type process struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

func begin(root, damaged string) (*process, error) {
	p := &process{cmd: exec.Command("/proc/self/exe", "-in", root, "-damaged", damaged)}
	p.cmd.Env = append(os.Environ(), "MIEN_LIB="+filepath.Join(root, libFolder))
	p.cmd.Stderr = os.Stderr
	var err error
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.out = bufio.NewReader(out)
	return p, p.cmd.Start()
}

func (p *process) do(kind string) (outcome, error) {
	if _, err := fmt.Fprintln(p.in, kind); err != nil {
		return outcome{Kind: kind}, err
	}
	o, err := p.answer()
	o.Kind = kind
	return o, err
}

func (p *process) answer() (o outcome, err error) {
	line, err := p.out.ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &o)
	}
	return o, err
}

// end lets the unit stop.
func (p *process) end() error {
	p.in.Close()
	late := time.AfterFunc(time.Minute, func() { p.cmd.Process.Kill() })
	defer late.Stop()
	return p.cmd.Wait()
}

// serve is the process: a unit, until its input ends.
func serve(root, damaged string) error {
	list := kinds()
	find := func(name string) (kind, error) {
		i := slices.IndexFunc(list, func(k kind) bool { return k.name == name })
		if i < 0 {
			return kind{}, fmt.Errorf("no kind %q", name)
		}
		return list[i], nil
	}
	out := json.NewEncoder(os.Stdout)
	u := &unit{root: root}
	if damaged != "" {
		k, err := find(damaged)
		if err != nil {
			return err
		}
		k.begin(u)
		began := time.Now()
		if err := u.start(); err != nil {
			return err
		}
		defer u.close()
		return out.Encode(u.observe(k, began))
	}
	if err := u.start(); err != nil {
		return err
	}
	defer u.close()
	if _, err := u.healthy(); err != nil {
		return err
	}
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		k, err := find(lines.Text())
		if err != nil {
			return err
		}
		if err := out.Encode(u.inject(k)); err != nil {
			return err
		}
	}
	_, err := u.healthy()
	return err
}
