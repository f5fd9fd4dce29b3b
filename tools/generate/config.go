package main

import (
	"fmt"
	"io"
	"strings"

	"mien/firmware/config"
)

// configKeys writes every key of the config, section by section.
func configKeys(w io.Writer) error {
	var b strings.Builder
	for _, s := range config.Sections() {
		heading := "`" + s.Header() + "`"
		if list, ok := strings.CutPrefix(s.Name, "alarm."); ok {
			heading = "`" + list + "` of `[[alarm]]`"
		}
		fmt.Fprintf(&b, "\n## %s\n\n%s\n\n| key | type | default | allowed | unit | meaning | a change |\n|---|---|---|---|---|---|---|\n", heading, cell(s.Meaning))
		for _, k := range config.Reference() {
			if k.Section() != s.Name {
				continue
			}
			value := "`" + k.Default + "`"
			if k.Required {
				value = "required"
			} else if k.Default == "" {
				value = ""
			}
			fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s | %s | %s |\n", k.Name(), k.Kind, cell(value), cell(k.Allowed()), k.Unit, cell(k.Meaning), k.Takes)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func cell(s string) string { return strings.ReplaceAll(s, "|", "\\|") }
