package export

import (
	"bytes"
	"encoding/csv"
	"io"
	"strings"
	"testing"

	"mien/firmware/modbus"
)

// Every form shows every register, and the comma-separated ones are that.
func TestFormsAreWhole(t *testing.T) {
	table := modbus.Table()
	for name, write := range map[string]func(io.Writer) error{"csv": WriteCSV, "tags": WriteTags, "kepware": WriteKepware} {
		var b bytes.Buffer
		if err := write(&b); err != nil {
			t.Fatal(err)
		}
		rows, err := csv.NewReader(&b).ReadAll()
		if err != nil || len(rows) != len(table)+1 {
			t.Errorf("%s: %d rows for %d registers, %v", name, len(rows), len(table), err)
		}
	}
	var text, md, st bytes.Buffer
	if WriteText(&text) != nil || WriteMarkdown(&md) != nil || WriteStructuredTextConstants(&st) != nil {
		t.Fatal("not written")
	}
	for _, r := range table {
		if !strings.Contains(text.String(), "  "+r.Name+"  ") || !strings.Contains(md.String(), "| "+r.Name+" |") || !strings.Contains(st.String(), "_"+strings.ToUpper(r.Name)+" : UINT := ") {
			t.Errorf("%s is missing", r.Name)
		}
	}
	for _, w := range []func(io.Writer) error{WriteText, WriteMarkdown, WriteCSV, WriteTags, WriteKepware,
		WriteStructuredTextConstants, WriteStructuredTextTypes, WriteStructuredTextDecode} {
		if err := w(full{}); err == nil {
			t.Error("a full disk was not noticed")
		}
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, io.ErrShortWrite }
