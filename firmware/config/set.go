package config

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
)

// Set gives the text of a config file with another value for one key of a block, named as
// Changes names it: "alarm[brow lowered].high", "alarm[nod].any[2].low". All else
// of the file, remarks too, stays as it is. value is as the file has it: 0.6, "1s".
// The text may be wrong elsewhere; what comes out is to be checked.
func Set(text []byte, path, value string) ([]byte, error) {
	if strings.ContainsAny(value, "\r\n") {
		return nil, fmt.Errorf("%s: a value is on one line", path)
	}
	r := read("", text)
	if len(r.data) != len(text) {
		return nil, fmt.Errorf("%s: the file is not UTF-8, or too large", path)
	}
	place, err := r.find(path)
	if err != nil {
		return nil, err
	}
	block, key := place[:strings.LastIndexByte(place, '.')], place[strings.LastIndexByte(place, '.')+1:]
	for _, s := range r.spans {
		if s.path == place && !s.header {
			return slices.Concat(text[:s.first], []byte(key+" = "+value), text[s.last:]), nil
		}
	}
	if r.places[place].line > 0 || strings.Contains(block, ".") && !slices.ContainsFunc(r.spans, func(s span) bool { return s.header && s.path == block }) {
		return nil, fmt.Errorf("%s: it stands within another key: change it in the file", path)
	}
	// It is not there yet: it comes below the block's name, or below its header.
	at := -1
	for _, s := range r.spans {
		if s.path == block && s.header || s.path == block+".name" {
			at = s.last
		}
	}
	if at < 0 {
		return nil, fmt.Errorf("%s: there is no such block", path)
	}
	if n := bytes.IndexByte(text[at:], '\n'); n >= 0 {
		at += n + 1
		return slices.Concat(text[:at], []byte(key+" = "+value+"\n"), text[at:]), nil
	}
	return slices.Concat(text, []byte("\n"+key+" = "+value+"\n")), nil
}

// find gives the path by numbers of one by the block's name.
func (r *reader) find(path string) (string, error) {
	kind, rest, ok := strings.Cut(path, "[")
	end := strings.LastIndex(rest, "].")
	if !ok || !blocks[kind] || end < 0 {
		return "", fmt.Errorf("%q names no key of a block: write alarm[NAME].high", path)
	}
	// A name may have brackets of its own, and any[2] is behind it.
	for _, cut := range []string{"].any[", "].all["} {
		if i := strings.LastIndex(rest, cut); i >= 0 {
			end = i
		}
	}
	name, key := rest[:end], rest[end+2:]
	for n := 1; n <= r.count[kind]; n++ {
		if block := item(kind, n); r.places[block+".name"].text == name {
			return block + "." + key, nil
		}
	}
	return "", fmt.Errorf("%s: there is no [[%s]] with this name", path, kind)
}
