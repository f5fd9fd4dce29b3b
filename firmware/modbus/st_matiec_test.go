package modbus_test

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// The blocks as matiec, a compiler of IEC 61131-3, makes machine code of them: our
// interpreter and it must be of one mind about every test. It is in no package
// registry, so that this runs only where iec2c is on the path, beside its lib.

// stCompiled is a running program with the compiled blocks.
type stCompiled struct {
	in  io.Writer
	out *bufio.Reader
	ids map[*stVar]int
}

func TestStructuredTextCompiledByMatiec(t *testing.T) {
	iec2c, err := exec.LookPath("iec2c")
	if err != nil {
		t.Skip("iec2c (matiec) is not installed")
	}
	gcc, err := exec.LookPath("gcc")
	if err != nil {
		t.Skip("gcc is not installed")
	}
	if iec2c, err = filepath.EvalSymlinks(iec2c); err != nil {
		t.Fatal(err)
	}
	lib, dir := filepath.Join(filepath.Dir(iec2c), "lib"), t.TempDir()
	text, err := filepath.Abs(plcFiles + "/mien_iec.st")
	if err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(iec2c, "-I", lib, "-T", dir, text).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	p, err := stParse(wholeIEC(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "run.c"), []byte(p.harness()), 0o600); err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(dir, "run")
	if out, err := exec.Command(gcc, "-w", "-I", filepath.Join(lib, "C"), "-I", dir, "-o", program, filepath.Join(dir, "run.c")).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	cmd := exec.Command(program)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stMatiec = &stCompiled{in, bufio.NewReader(out), map[*stVar]int{}}
	defer func() {
		stMatiec = nil
		in.Close()
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	}()
	for name, test := range stTests {
		t.Run(name, test)
	}
	if len(stMatiec.ids) < len(stTests) {
		t.Errorf("%d blocks were run by %d tests", len(stMatiec.ids), len(stTests))
	}
}

// stMatiec runs the blocks in the interpreter's place, where it is not nil.
var stMatiec *stCompiled

// leaves are the numbers in a variable: their names in C below place, and their
// values. A structure's members have no flags of their own.
func (v *stVar) leaves(p *stProgram, place string, f func(place string, v *stVar)) {
	switch fields := strings.Fields(v.typ); {
	case fields[0] == "ARRAY":
		for i := range len(v.parts) {
			v.parts[strconv.Itoa(i)].leaves(p, fmt.Sprintf("%s.table[%d]", place, i), f)
		}
	case v.block != nil:
		for _, d := range v.block.vars {
			v.parts[d.name].leaves(p, place+"."+strings.ToUpper(d.name), f)
		}
	default:
		f(place, v)
	}
}

// ports calls f with each number that goes into a block, and that comes out of it.
func (v *stVar) ports(p *stProgram, in, out func(place string, v *stVar)) {
	for _, d := range v.block.vars {
		f := in
		switch d.section {
		case "VAR_OUTPUT":
			f = out
		case "VAR":
			continue
		}
		v.parts[d.name].leaves(p, "d->"+strings.ToUpper(d.name)+".value", f)
	}
}

// harness is a program that runs a block for each line "block instance time
// inputs…" and answers with its outputs.
func (p *stProgram) harness() string {
	var b strings.Builder
	b.WriteString("#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n#include \"iec_std_lib.h\"\nIEC_TIME __CURRENT_TIME;\nBOOL __DEBUG;\n#include \"accessor.h\"\n#include \"POUS.h\"\n#include \"POUS.c\"\n")
	b.WriteString("static long long next(void) { long long n; if (scanf(\"%lld\", &n) != 1) exit(1); return n; }\nstatic void *instances[100000];\n")
	b.WriteString("int main(void) {\n char name[64]; int id; long long n, now;\n while (scanf(\"%63s %d %lld\", name, &id, &now) == 3) {\n  __CURRENT_TIME.tv_sec = now / 1000000000; __CURRENT_TIME.tv_nsec = now % 1000000000;\n")
	for name, block := range p.blocks {
		if block.body == nil || name == "MienMain" {
			continue
		}
		upper := strings.ToUpper(name)
		fmt.Fprintf(&b, "  if (!strcmp(name, %q)) {\n   %s *d = instances[id];\n   if (!d) { d = instances[id] = calloc(1, sizeof *d); %s_init__(d, 0); }\n", name, upper, upper)
		p.make(name, 0).ports(p, func(place string, v *stVar) {
			if v.typ == "TIME" {
				fmt.Fprintf(&b, "   n = next(); %s.tv_sec = n / 1000000000; %s.tv_nsec = n %% 1000000000;\n", place, place)
			} else {
				fmt.Fprintf(&b, "   %s = next();\n", place)
			}
		}, func(string, *stVar) {})
		fmt.Fprintf(&b, "   %s_body__(d);\n", upper)
		p.make(name, 0).ports(p, func(string, *stVar) {}, func(place string, v *stVar) { fmt.Fprintf(&b, "   printf(\"%%lld \", (long long)%s);\n", place) })
		b.WriteString("   puts(\"\"); fflush(stdout);\n  }\n")
	}
	b.WriteString(" }\n return 0;\n}\n")
	return b.String()
}

// call runs a block once in that program.
func (c *stCompiled) call(p *stProgram, v *stVar) {
	id, known := c.ids[v]
	if !known {
		id = len(c.ids)
		c.ids[v] = id
	}
	line := fmt.Sprintf("%s %d %d", v.typ, id, int64(p.now+time.Second))
	v.ports(p, func(_ string, v *stVar) { line += " " + strconv.FormatInt(v.n, 10) }, func(string, *stVar) {})
	fmt.Fprintln(c.in, line)
	answer, err := c.out.ReadString('\n')
	if err != nil {
		panic(err)
	}
	values := strings.Fields(answer)
	v.ports(p, func(string, *stVar) {}, func(place string, v *stVar) {
		n, err := strconv.ParseInt(values[0], 10, 64)
		if err != nil {
			panic(fmt.Errorf("%s: %w", place, err))
		}
		values = values[1:]
		v.set(n)
	})
}
