// Command answer prints, as JSON, what the card of a network has to say of its
// .tflite file: SHA-256, tensors, and the known answer that the unit asks for when
// it opens the network.
//
//	go run ./tools/answer FILE.tflite
package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"

	"mien/given"
	"mien/model/affect"
	"mien/model/tflite"
)

func main() {
	backend := flag.String("backend", "", "ask only litert, or only tflite (default: both, whose answers must be the same)")
	flag.Parse()
	if flag.NArg() != 1 {
		fmt.Fprintln(os.Stderr, "usage: answer [-backend litert|tflite] FILE.tflite")
		os.Exit(2)
	}
	backends := []string{tflite.LiteRT, tflite.TFLite}
	if *backend != "" {
		backends = []string{*backend}
	}
	if err := run(os.Stdout, flag.Arg(0), backends); err != nil {
		fmt.Fprintln(os.Stderr, "answer:", err)
		os.Exit(1)
	}
}

// facts are the keys of a card that the file alone decides.
type facts struct {
	File    string             `json:"file"`
	SHA256  string             `json:"sha256"`
	Inputs  []tensor           `json:"inputs"`
	Outputs []tensor           `json:"outputs"`
	Known   affect.KnownAnswer `json:"known_answer"`
}

type tensor struct {
	Index int    `json:"index"`
	Name  string `json:"name"`
	Type  string `json:"type"`
	Shape []int  `json:"shape"`
}

// run asks each backend, and prints what they agree on.
func run(w io.Writer, path string, backends []string) error {
	model, err := given.Read(path, tflite.MaxFile)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(model)
	f := facts{File: filepath.Base(path), SHA256: hex.EncodeToString(sum[:]), Known: affect.KnownAnswer{Input: "lcg:1"}}
	var refused []error
	var by string
	for _, backend := range backends {
		net, err := tflite.Open(model, tflite.Options{Name: path, Backend: backend})
		if err != nil {
			refused = append(refused, err)
			continue
		}
		outputs, err := answer(net)
		if err != nil {
			net.Close()
			return err
		}
		if by != "" && !reflect.DeepEqual(outputs, f.Known.Outputs) {
			net.Close()
			return fmt.Errorf("%s answers otherwise than %s: the unit would refuse one of them: name the one to use with -backend, and as model.backend", backend, by)
		}
		by, f.Known.Outputs = backend, outputs
		f.Inputs, f.Outputs = list(net.Inputs()), list(net.Outputs())
		net.Close()
	}
	if by == "" {
		return errors.Join(refused...)
	}
	for _, err := range refused {
		fmt.Fprintln(os.Stderr, "answer: note:", err)
	}
	text, err := json.MarshalIndent(f, "", " ")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "%s\n", text)
	return err
}

// answer gives the elements of each quantised output; nil for one of floats,
// which a card leaves out.
func answer(net tflite.Interpreter) ([][]int, error) {
	for i, in := range net.Inputs() {
		tflite.Fill(&in, 1+uint32(i))
	}
	if err := net.Invoke(); err != nil {
		return nil, err
	}
	var all [][]int
	for _, out := range net.Outputs() {
		var one []int
		switch out.Type {
		case tflite.Int8:
			for _, v := range out.Int8() {
				one = append(one, int(v))
			}
		case tflite.UInt8:
			for _, v := range out.Data {
				one = append(one, int(v))
			}
		}
		all = append(all, one)
	}
	return all, nil
}

func list(tensors []tflite.Tensor) (all []tensor) {
	for i, t := range tensors {
		all = append(all, tensor{i, t.Name, t.Type.String(), t.Shape})
	}
	return all
}
