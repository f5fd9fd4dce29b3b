package config

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"

	"github.com/pelletier/go-toml/v2"

	"mien/given"
)

// MaxFile is how many bytes a config file may have.
const MaxFile = 1 << 20

// Load reads a config file. The error is Problems when the file was read but
// is not right; otherwise it wraps what the system said (fs.ErrNotExist,
// fs.ErrPermission).
func Load(path string) (*Config, error) {
	data, err := given.Read(path, MaxFile)
	if err != nil {
		return nil, fmt.Errorf("read config: %w", err)
	}
	return Parse(path, data)
}

// Parse reads the text of a config file; file is its name in messages. All
// mistakes are found in one go; the error is then Problems, and the Config is
// nil.
func Parse(file string, data []byte) (*Config, error) {
	cfg, problems, _ := parse(file, data)
	if len(problems) > 0 {
		problems.sort()
		if n := len(problems) - mostProblems; n > 0 {
			problems = append(problems[:mostProblems:mostProblems], Problem{File: file, Text: fmt.Sprintf("and %d more mistakes", n)})
		}
		return nil, problems
	}
	return cfg, nil
}

// mostProblems of one file are reported; a file with more is another kind of file.
const mostProblems = 200

// parse gives what could be read, what is wrong with it, and whether its syntax
// is whole.
func parse(file string, data []byte) (*Config, Problems, bool) {
	d := decoder{read(file, data)}
	cfg := Default()
	cfg.file, cfg.set = file, d.places
	if d.values != nil {
		d.table("", "", d.values, reflect.ValueOf(cfg).Elem())
	}
	if d.broken {
		return cfg, d.problems, false
	}
	// What does not fit together is looked for among what could be read, too. A
	// key with a mistake has its default here, so its other problems are left out.
	named := make(map[string]bool)
	for _, p := range d.problems {
		named[p.Key] = true
	}
	for _, p := range cfg.consistent() {
		if !named[p.Key] {
			d.problems = append(d.problems, p)
		}
	}
	return cfg, d.problems, true
}

// Examine is Parse and Check in one go, for who mends a file: what is wrong with
// it and what does not fit its network, all in the order of its lines. The signals
// are those of the network that a config names; their error, unless [model] itself
// has a mistake, is reported at its place if it is a KeyError, and else passed on. The
// Config is nil if there are errors.
func Examine(file string, data []byte, signals func(*Config) ([]Signal, error)) (*Config, Problems, error) {
	cfg, found, whole := parse(file, data)
	if !whole {
		found.sort()
		return nil, found, nil // an alarm may have lost any of its lines
	}
	// A mistake is reported once, and where a block has one, its other keys are judged
	// by what is missing. The name of a signal needs no other key.
	keys, blocks := make(map[string]bool), make(map[string]bool)
	for _, p := range found {
		keys[p.Key], blocks[block(p.Key)] = true, true
	}
	known, err := signals(cfg)
	if err != nil {
		known = nil
		var wrong KeyError
		switch {
		case blocks["model"]:
			err = nil
		case errors.As(err, &wrong):
			found, err = append(found, cfg.Problem(wrong)), nil
		}
	}
	for _, p := range cfg.Check(known) {
		if !keys[p.Key] && (!blocks[block(p.Key)] || strings.HasSuffix(p.Key, ".signal")) {
			found = append(found, p)
		}
	}
	found.sort()
	if err != nil || len(found.Errors()) > 0 {
		return nil, found, err
	}
	return cfg, found, nil
}

// block is the part of a key before its name: "alarm[2].high" is in "alarm[2]".
func block(key string) string {
	if i := strings.LastIndexByte(key, '.'); i >= 0 {
		return key[:i]
	}
	return key
}

// File is the file's name, as given to Load or Parse.
func (cfg *Config) File() string { return cfg.file }

// Default is what an empty file gives.
func Default() *Config {
	cfg := &Config{file: "(defaults)"}
	setDefaults("", reflect.ValueOf(cfg).Elem())
	return cfg
}

// defaults holds the parsed defaults of the key table, by path.
var defaults = sync.OnceValue(func() map[string]any {
	parsed := make(map[string]any)
	for _, k := range reference {
		if k.Default != "" {
			var one struct{ X any }
			if err := toml.Unmarshal([]byte("x = "+k.Default), &one); err != nil {
				panic("config: default of " + k.Path + ": " + err.Error()) // a test parses them all
			}
			parsed[k.Path] = one.X
		}
	}
	return parsed
})

// setDefaults gives every key of a struct its default; lists of blocks stay
// empty.
func setDefaults(path string, into reflect.Value) {
	for i := range into.NumField() {
		tag := into.Type().Field(i).Tag.Get("toml")
		if tag == "" {
			continue
		}
		p, field := join(path, tag), into.Field(i)
		key, ok := lookup(p)
		switch {
		case ok && key.Default != "":
			d := decoder{&reader{file: "default"}}
			d.leaf(key, p, defaults()[p], field)
			if len(d.problems) > 0 {
				panic(d.problems)
			}
		case !ok && field.Kind() == reflect.Struct:
			setDefaults(p, field)
		}
	}
}
