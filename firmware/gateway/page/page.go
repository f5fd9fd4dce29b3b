// Package page is what a browser gets from a gateway: one application of HTML, CSS and
// ES modules, without a build step and without a request to another host. Its texts are in
// one table, texts.json, in English and Japanese.
package page

import (
	"bytes"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"

	"mien/firmware/config"
	"mien/firmware/health"
	"mien/firmware/pilot"
	"mien/firmware/state"
	"mien/model/assets"
	"mien/model/face"
)

//go:embed web
var web embed.FS

//go:embed texts.json
var table []byte

// Files gives every file of the page by its path, "index.html" and "now.js" among them.
// An error names a library beside the binary that is missing or damaged; all other files
// are there then, and the page says itself that it has no plots.
func Files() (map[string][]byte, error) {
	files := map[string][]byte{}
	err := fs.WalkDir(web, "web", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		files[name[len("web/"):]], err = web.ReadFile(name)
		return err
	})
	if err != nil {
		return nil, err
	}
	texts, err := Texts()
	if err != nil {
		return nil, err
	}
	rows, err := json.Marshal(texts)
	if err != nil {
		return nil, err
	}
	files["text.js"] = fmt.Appendf(nil, "export const texts = %s;\n", rows)
	if files["drills.js"], err = drills(); err != nil {
		return nil, err
	}
	plots, err := assets.Read(assets.Plots)
	style, err2 := assets.Read(assets.PlotsStyle)
	if err := errors.Join(err, err2); err != nil {
		return files, fmt.Errorf("the page has no plots: %w", err)
	}
	files["uPlot.js"] = append(bytes.Clone(plots), "\nexport default uPlot;\n"...)
	files["uPlot.css"] = style
	return files, nil
}

// drills are the scripts that ship with mien, by which the page leads a person.
func drills() ([]byte, error) {
	type step struct {
		Seconds float64  `json:"seconds"`
		EN      string   `json:"en"`
		JA      string   `json:"ja"`
		Present []string `json:"present,omitempty"`
		Absent  []string `json:"absent,omitempty"`
	}
	type script struct {
		Name     string  `json:"name"`
		Reaction float64 `json:"reaction"`
		Steps    []step  `json:"steps"`
	}
	var list []script
	for _, name := range pilot.Scripts() {
		text, _ := pilot.Shipped(name)
		in, err := pilot.ParseScript(name, text)
		if err != nil {
			return nil, err
		}
		out := script{Name: in.Name, Reaction: in.Reaction.Seconds()}
		for _, s := range in.Steps {
			out.Steps = append(out.Steps, step{s.Lasts.Seconds(), s.Text["en"], s.Text["ja"], s.Present, s.Absent})
		}
		list = append(list, out)
	}
	rows, err := json.Marshal(list)
	return fmt.Appendf(nil, "export const scripts = %s;\n", rows), err
}

// Languages are the columns of the table of texts, in order.
var Languages = []string{"en", "ja"}

// Texts gives each text of the page by its key, in the order of Languages. A row of
// texts.json with one text has the Japanese of what other rooms say in English: those
// are the words of the unit, which stand in their own tables. What has no Japanese yet is
// English there: a test finds it, and a unit has its page.
func Texts() (map[string][]string, error) {
	rows := map[string][]string{}
	if err := json.Unmarshal(table, &rows); err != nil {
		return nil, fmt.Errorf("texts.json: %w", err)
	}
	english := words()
	for key, row := range rows {
		own, others := len(row) == len(Languages), len(row) == len(Languages)-1
		switch word, found := english[key]; {
		case own && !found:
		case others && found:
			rows[key] = append([]string{word}, row...)
		default:
			return nil, fmt.Errorf("texts.json: %s has %d texts; the unit's own words have it: %v", key, len(row), found)
		}
	}
	for key, word := range english {
		if rows[key] == nil {
			rows[key] = []string{word, word}
		}
	}
	// A fault that stops the unit is the reason why there is no reading.
	for _, f := range health.Faults() {
		rows["reason."+f.String()] = rows["fault."+f.Info().Code+".name"]
	}
	return rows, nil
}

// words are the unit's own, by the key that the page has for them.
func words() map[string]string {
	list := map[string]string{}
	for _, f := range health.Faults() {
		in := f.Info()
		key := "fault." + in.Code
		list[key+".name"], list[key+".meaning"], list[key+".way_out"] = in.Name, in.Text, in.Back
	}
	reasons := []string{state.NoResult, state.NotFresh}
	for _, r := range face.Reasons() {
		reasons = append(reasons, r.String())
		list["advise."+r.Advice()] = r.Advice()
	}
	for _, name := range pilot.Scripts() {
		text, _ := pilot.Shipped(name)
		if in, err := pilot.ParseScript(name, text); err == nil { // else Files says so
			list["script."+in.Name] = in.Name
		}
	}
	for e := config.Live; e <= config.OpenGateway; e++ {
		list["takes."+e.String()] = e.String()
	}
	for _, r := range reasons {
		list["reason."+r] = r
	}
	return list
}
