package main

import (
	"strings"
)

var virtScenarios = slicesOf(machineScenarios)

func slicesOf(lists ...[]scenario) (all []scenario) {
	for _, l := range lists {
		all = append(all, l...)
	}
	return all
}

var machineScenarios = []scenario{
	{name: "version", ci: true, run: func(b *bench) {
		text, code := b.mien("version")
		b.check(code == 0 && strings.Contains(text, "linux/arm64"), "%d: %s", code, text)
		b.logf("%s", strings.SplitN(text, "\n", 2)[0])
	}},
	{name: "probe", ci: true, run: func(b *bench) {
		text, code := b.mien("probe")
		b.check(code == 0, "%d: %s", code, text)
		b.logf("%s", text)
	}},
}
