package v4l2

import (
	"fmt"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"mien/drivers/camera"
)

// uvc is a listing as of a USB camera: menus with gaps, what an automatic holds, what
// cannot be read or set.
func uvc() *simListing {
	w := new(simListing).offer(camera.YUYV, 30, vga)
	exposure := control(2, ctrlInteger, "Exposure Time, Absolute", 3, 2047, 250)
	exposure.flags, exposure.step = ctrlFlagInactive, 10
	pan := control(4, ctrlInteger, "Pan, Relative", 0, 1, 0)
	pan.flags = ctrlFlagWriteOnly
	shutter := control(5, ctrlBoolean, "Privacy", 0, 1, 0)
	shutter.flags = ctrlFlagReadOnly
	gone := control(6, ctrlInteger, "Contrast", 0, 1, 0)
	gone.flags = ctrlFlagDisabled
	w.controls = []simControl{exposure, control(1, ctrlMenu, "Auto Exposure", 0, 3, 3, "", "Manual Mode", "", "Aperture Priority Mode"),
		control(3, ctrlMenu, "Power Line Frequency", 0, 2, 2, "Disabled", "50 Hz", "60 Hz"), pan, shutter, gone,
		control(7, 4, "Restart", 0, 0, 0), control(8, ctrlBoolean, "Focus, Automatic Continuous", 0, 1, 1)}
	return w
}

func TestControlsAreListed(t *testing.T) {
	s := newSim()
	h := simMachine(t, uvc(), s)
	list, err := h.list()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range list[0].Controls {
		got = append(got, fmt.Sprintf("%s = %d of %s, inactive %v", c.Name, c.Value, c.Range(), c.Inactive))
	}
	want := []string{"auto_exposure = 3 of 1 Manual Mode, 3 Aperture Priority Mode, inactive false", "exposure_time_absolute = 250 of 3 to 2047 in steps of 10, inactive true",
		"power_line_frequency = 2 of 0 Disabled, 1 50 Hz, 2 60 Hz, inactive false", "privacy = 0 of 0 to 1, inactive false", "focus_automatic_continuous = 1 of 0 to 1, inactive false"}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if s.opened != s.closed {
		t.Error("a node is left open")
	}
}

// Controls are set at each open, automatics first, by the names of older kernels and of
// newer ones; what is refused is told, and the camera gives pictures all the same.
func TestControlsAreSet(t *testing.T) {
	s := newSim()
	w := uvc()
	h := simMachine(t, w, s)
	start := func(controls map[string]int) string {
		t.Helper()
		w.set = nil
		src, err := h.start(Settings{Controls: controls})
		if err != nil {
			t.Fatal(err)
		}
		defer src.Close()
		mustNext(t, src, 1e9)
		return strings.Join(src.Info().Warnings, "; ")
	}
	want := "Auto Exposure=1 Focus, Automatic Continuous=0 Power Line Frequency=1 Exposure Time, Absolute=100"
	for range 2 { // when it is plugged in again, too
		for _, controls := range []map[string]int{
			{"exposure_time_absolute": 100, "auto_exposure": 1, "power_line_frequency": 1, "focus_automatic_continuous": 0},
		} {
			if told := start(controls); told != "" || strings.Join(w.set, " ") != want {
				t.Errorf("set %q, told %q", w.set, told)
			}
		}
	}
	if told := start(map[string]int{"exposure_absolute": 100, "exposure_auto": 1, "focus_auto": 0}); told != "" || strings.Join(w.set, " ") != "Auto Exposure=1 Focus, Automatic Continuous=0 Exposure Time, Absolute=100" {
		t.Errorf("set %q, told %q", w.set, told)
	}
	for _, c := range []struct {
		controls map[string]int
		err      error
		told     string
		set      int
	}{
		{map[string]int{"zoom": 1, "power_line_frequency": 1}, nil, `control "zoom": this camera has auto_exposure, exposure_time_absolute`, 1},
		{map[string]int{"power_line_freqency": 1}, nil, `did you mean "power_line_frequency"?`, 0},
		{map[string]int{"power_line_frequency": 7}, nil, `control "power_line_frequency" = 7: it has 0 Disabled, 1 50 Hz, 2 60 Hz`, 0},
		{map[string]int{"auto_exposure": 2}, nil, "it has 1 Manual Mode, 3 Aperture Priority Mode", 0},
		{map[string]int{"exposure_time_absolute": 2}, nil, "it has 3 to 2047", 0},
		{map[string]int{"exposure_time_absolute": 105}, nil, "the camera takes 100", 1},
		{map[string]int{"privacy": 1}, nil, "can only be read", 0},
		{map[string]int{"pan_relative": 1}, nil, "this camera has", 0},
		{map[string]int{"auto_exposure": 1}, unix.EACCES, "the camera refuses it, as they do while an automatic has it", 0},
		{map[string]int{"auto_exposure": 1, "power_line_frequency": 1}, unix.EBUSY, "while another program uses it", 0},
	} {
		w.setErr = c.err
		if told := start(c.controls); !strings.Contains(told, c.told) || len(w.set) != c.set {
			t.Errorf("%v: set %q, told %q", c.controls, w.set, told)
		}
	}
	w.setErr, w.controls = nil, nil
	if told := start(map[string]int{"gain": 1}); !strings.Contains(told, "this camera has none") {
		t.Error(told)
	}
}
