package assets

import (
	"bytes"
	"encoding/json"
	"testing"
)

// TestDemoIsWhatItsScriptSays counts the clip's pictures.
func TestDemoIsWhatItsScriptSays(t *testing.T) {
	var s struct {
		FPS, Frames int
		Seconds     float64
		Events      []struct{ Start, End float64 }
	}
	if err := json.Unmarshal(DemoScript(), &s); err != nil {
		t.Fatal(err)
	}
	if s.FPS != DemoFPS {
		t.Errorf("the script says %d frames a second, DemoFPS %d", s.FPS, DemoFPS)
	}
	if n := bytes.Count(Demo(), []byte{0xff, 0xd8, 0xff}); n != s.Frames {
		t.Errorf("%d pictures, the script says %d", n, s.Frames)
	}
	if s.Seconds != float64(s.Frames)/float64(s.FPS) || len(s.Events) == 0 || s.Events[len(s.Events)-1].End > s.Seconds {
		t.Errorf("%v seconds, %d events", s.Seconds, len(s.Events))
	}
}
