// Command sbom writes what is in an archive as CycloneDX 1.6, for programs that look for
// known faults and for people who ask what they install: the modules of both programs as
// the programs themselves name them, Go's standard library, the fetched files, the
// network and the demo clip, each with its sum and its licence. What is not in the
// tables of the project is an error.
//
//	go run ./tools/sbom -folder dist/mien-VERSION-linux-arm64 > mien.cdx.json
//
// SOURCE_DATE_EPOCH is the time that it names.
package main

import (
	"crypto/sha256"
	"debug/buildinfo"
	"debug/elf"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"mien/docs"
	"mien/model/assets"
	"mien/tools/fetch/pinned"
)

// The parts of CycloneDX that are used, with its names [ECMA-424].
type (
	document struct {
		Format       string       `json:"bomFormat"`
		Spec         string       `json:"specVersion"`
		Serial       string       `json:"serialNumber"`
		Version      int          `json:"version"`
		Metadata     metadata     `json:"metadata"`
		Components   []component  `json:"components"`
		Dependencies []dependency `json:"dependencies"`
	}
	metadata struct {
		Time      string    `json:"timestamp"`
		Component component `json:"component"`
	}
	component struct {
		Type        string      `json:"type"`
		Ref         string      `json:"bom-ref"`
		Name        string      `json:"name"`
		Version     string      `json:"version,omitempty"`
		Description string      `json:"description,omitempty"`
		Hashes      []hash      `json:"hashes,omitempty"`
		Licences    []licence   `json:"licenses,omitempty"`
		PURL        string      `json:"purl,omitempty"`
		Properties  []property  `json:"properties,omitempty"`
		Components  []component `json:"components,omitempty"`
	}
	hash struct {
		Algorithm string `json:"alg"`
		Content   string `json:"content"`
	}
	licence struct {
		Licence struct {
			ID string `json:"id"`
		} `json:"license"`
	}
	property struct {
		Name  string `json:"name"`
		Value string `json:"value"`
	}
	dependency struct {
		Ref string   `json:"ref"`
		On  []string `json:"dependsOn,omitempty"`
	}
)

func main() {
	folder := flag.String("folder", "", "`FOLDER` that an archive is made of")
	flag.Parse()
	if err := write(os.Stdout, *folder, os.Getenv("VERSION"), os.Getenv("SOURCE_DATE_EPOCH")); err != nil {
		fmt.Fprintln(os.Stderr, "sbom:", err)
		os.Exit(1)
	}
}

func write(w io.Writer, folder, version, epoch string) error {
	seconds, err := strconv.ParseInt(epoch, 10, 64)
	if err != nil {
		return fmt.Errorf("SOURCE_DATE_EPOCH %q is no number of seconds", epoch)
	}
	d := document{Format: "CycloneDX", Spec: "1.6", Version: 1}
	d.Metadata.Time = time.Unix(seconds, 0).UTC().Format(time.RFC3339)
	whole := component{Type: "application", Ref: "mien", Name: "mien", Version: version, Licences: licences("Apache-2.0")}
	table := moduleLicences()
	arch := ""
	for _, name := range []string{"mien", "plc"} {
		path := filepath.Join(folder, name)
		info, err := buildinfo.ReadFile(path)
		if err != nil {
			return fmt.Errorf("read what is in %s: %w", path, err)
		}
		sum, err := pinned.SumOf(path)
		if err != nil {
			return err
		}
		if arch, err = processor(path); err != nil {
			return err
		}
		whole.Components = append(whole.Components, component{Type: "file", Ref: "file:" + name, Name: name, Hashes: sha(sum), Licences: licences("Apache-2.0")})
		dep := dependency{Ref: "file:" + name, On: []string{"pkg:golang/std@" + strings.TrimPrefix(info.GoVersion, "go")}}
		for _, m := range info.Deps {
			c, err := module(m, table)
			if err != nil {
				return err
			}
			dep.On = append(dep.On, c.Ref)
			d.add(c)
		}
		d.add(component{Type: "library", Ref: dep.On[0], Name: "std", Version: strings.TrimPrefix(info.GoVersion, "go"), PURL: dep.On[0],
			Description: "Go's runtime and standard library", Licences: licences("BSD-3-Clause")})
		d.Dependencies = append(d.Dependencies, dep)
	}
	libraries, err := fetched(filepath.Join(folder, "lib"), arch)
	if err != nil {
		return err
	}
	for _, c := range libraries {
		d.add(c)
	}
	var card struct{ Name, Version, SHA256, Licence string }
	if err := json.Unmarshal(assets.Card(), &card); err != nil {
		return fmt.Errorf("the network's card: %w", err)
	}
	d.add(component{Type: "machine-learning-model", Ref: "model:" + card.Name, Name: card.Name, Version: card.Version, Hashes: sha(card.SHA256),
		Licences: licences(card.Licence), Description: "the network in the program mien; docs/model-card.md"})
	clip := sha256.Sum256(assets.Demo())
	d.add(component{Type: "data", Ref: "data:demo.mjpeg", Name: "demo.mjpeg", Hashes: sha(hex.EncodeToString(clip[:])),
		Licences: licences("Apache-2.0"), Description: "the rendered demo clip in the program mien"})
	slices.SortFunc(d.Components, func(a, b component) int { return strings.Compare(a.Ref, b.Ref) })
	all := dependency{Ref: "mien"}
	for _, c := range append(slices.Clone(whole.Components), d.Components...) {
		if !strings.HasPrefix(c.Ref, "pkg:golang/") {
			all.On = append(all.On, c.Ref)
		}
	}
	d.Dependencies = append([]dependency{all}, d.Dependencies...)
	d.Metadata.Component = whole
	if d.Serial, err = d.serial(); err != nil {
		return err
	}
	out := json.NewEncoder(w)
	out.SetEscapeHTML(false)
	out.SetIndent("", "  ")
	return out.Encode(d)
}

// add takes a component that is not there yet.
func (d *document) add(c component) {
	if !slices.ContainsFunc(d.Components, func(x component) bool { return x.Ref == c.Ref }) {
		d.Components = append(d.Components, c)
	}
}

// serial is a UUID of what the document says, so that the same says so.
func (d *document) serial() (string, error) {
	text, err := json.Marshal(d)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(text)
	sum[6], sum[8] = sum[6]&0x0f|0x80, sum[8]&0x3f|0x80 // version 8, of one's own making [RFC 9562]
	return fmt.Sprintf("urn:uuid:%x-%x-%x-%x-%x", sum[:4], sum[4:6], sum[6:8], sum[8:10], sum[10:16]), nil
}

func module(m *debug.Module, table map[string]string) (component, error) {
	if m.Replace != nil {
		return component{}, fmt.Errorf("%s is replaced by %s: what is in the program has no name", m.Path, m.Replace.Path)
	}
	name := table[m.Path+" "+m.Version]
	if name == "" {
		return component{}, fmt.Errorf("%s %s has no row in docs/licences.md", m.Path, m.Version)
	}
	h1, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(m.Sum, "h1:"))
	if err != nil || len(h1) != sha256.Size {
		return component{}, fmt.Errorf("%s %s: its sum is %q", m.Path, m.Version, m.Sum)
	}
	purl := "pkg:golang/" + m.Path + "@" + m.Version
	return component{Type: "library", Ref: purl, Name: m.Path, Version: m.Version, PURL: purl, Licences: licences(name),
		Hashes: sha(hex.EncodeToString(h1)), Properties: []property{{"mien:hash", "of the module's files, as in go.sum: " + m.Sum}}}, nil
}

// fetched names each file of lib by its sum in the table of what is fetched.
func fetched(folder, arch string) (list []component, err error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		sum, err := pinned.SumOf(filepath.Join(folder, e.Name()))
		if err != nil {
			return nil, err
		}
		i := slices.IndexFunc(pinned.Files, func(f pinned.File) bool {
			return f.Name == e.Name() && f.Sum == sum && (f.Arch == "" || f.Arch == arch)
		})
		if i < 0 {
			return nil, fmt.Errorf("%s with sha256 %s is not in the table of what is fetched", e.Name(), sum)
		}
		from := pinned.Files[i].From
		kind := "library"
		switch filepath.Ext(e.Name()) {
		case ".tflite":
			kind = "machine-learning-model"
		case ".LICENSE":
			kind = "file"
		}
		purl := map[string]string{"pip": "pkg:pypi/", "npm": "pkg:npm/"}[from.Client] + strings.Replace(from.Name, "@", "%40", 1) + "@" + from.Version
		list = append(list, component{Type: kind, Ref: "file:lib/" + e.Name(), Name: e.Name(), Version: from.Version, PURL: purl, Hashes: sha(sum), Licences: licences(from.Licence),
			Properties: []property{{"mien:package", from.File}, {"mien:package:sha256", from.Sum}}})
	}
	return list, nil
}

// processor is a program's, as Go names it.
func processor(path string) (string, error) {
	f, err := elf.Open(path)
	if err != nil {
		return "", fmt.Errorf("%s: %w", path, err)
	}
	defer f.Close()
	arch := map[elf.Machine]string{elf.EM_X86_64: "amd64", elf.EM_AARCH64: "arm64", elf.EM_ARM: "arm"}[f.Machine]
	if arch == "" {
		return "", errors.New(path + ": a processor that no archive is for")
	}
	return arch, nil
}

// moduleLicences reads the table of docs/licences.md: licence by "module version".
func moduleLicences() map[string]string {
	table := map[string]string{}
	for _, line := range strings.Split(docs.Licences, "\n") {
		if f := strings.Split(line, "|"); len(f) == 5 {
			path, _, _ := strings.Cut(strings.TrimSpace(f[1]), " ")
			table[path+" "+strings.TrimSpace(f[2])] = strings.TrimSpace(f[3])
		}
	}
	return table
}

func licences(id string) []licence {
	var l licence
	l.Licence.ID = id
	return []licence{l}
}

func sha(sum string) []hash { return []hash{{"SHA-256", sum}} }
