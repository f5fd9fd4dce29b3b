package v4l2

import (
	"encoding/binary"
	"fmt"
	"sort"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"

	"mien/spelling"
)

// Control is a setting of a camera's, such as "Power Line Frequency".
type Control struct {
	Name             string // as a config and v4l2-ctl write it: power_line_frequency
	Title            string // as the driver names it
	Min, Max, Step   int
	Preset           int        // the driver's default
	Value            int        // now
	Menu             []MenuItem // of a menu, the values that it has
	Boolean          bool
	Inactive         bool // an automatic has it, or another control
	id               uint32
	readOnly, toggle bool
}

// MenuItem is one value of a menu.
type MenuItem struct {
	Value int
	Name  string
}

// controls lists those that have a value which can be read and set: no buttons, no
// texts, no 64-bit or compound ones.
func controls(n node) (list []Control) {
	q := v4l2QueryCtrl{}
	for range mostListed {
		last := q.id
		q = v4l2QueryCtrl{id: last | ctrlFlagNext}
		if n.ioctl(vidiocQueryCtrl, unsafe.Pointer(&q)) != nil || q.id <= last {
			break
		}
		switch q.typ {
		case ctrlInteger, ctrlBoolean, ctrlMenu, ctrlIntegerMenu, ctrlBitmask:
		default:
			continue
		}
		if q.flags&(ctrlFlagDisabled|ctrlFlagWriteOnly) != 0 {
			continue
		}
		now := v4l2Control{id: q.id}
		if n.ioctl(vidiocGCtrl, unsafe.Pointer(&now)) != nil {
			continue // it has no value to show
		}
		c := Control{Name: plain(text(q.name[:])), Title: text(q.name[:]), Min: int(q.min), Max: int(q.max), Step: int(q.step), Preset: int(q.preset),
			Value: int(now.value), Boolean: q.typ == ctrlBoolean, Inactive: q.flags&ctrlFlagInactive != 0, id: q.id,
			readOnly: q.flags&ctrlFlagReadOnly != 0, toggle: q.typ == ctrlBoolean || q.typ == ctrlMenu || q.typ == ctrlIntegerMenu}
		if q.typ == ctrlMenu || q.typ == ctrlIntegerMenu {
			c.Menu = menu(n, &q)
		}
		if q.typ == ctrlBitmask { // its bits are no numbers with a sign
			c.Min, c.Max = 0, int(uint32(q.max))
			c.Value, c.Preset = int(uint32(now.value)), int(uint32(q.preset))
		}
		list = append(list, c)
	}
	sort.Slice(list, func(i, j int) bool { return list[i].id < list[j].id })
	return list
}

// menu lists the items that a menu has: there may be gaps.
func menu(n node, q *v4l2QueryCtrl) (items []MenuItem) {
	for i := max(q.min, 0); i <= q.max && int(i-max(q.min, 0)) < mostListed; i++ {
		m := v4l2QueryMenu{id: q.id, index: uint32(i)}
		if n.ioctl(vidiocQueryMenu, unsafe.Pointer(&m)) != nil {
			continue
		}
		name := text(m.name[:])
		if q.typ == ctrlIntegerMenu {
			name = strconv.FormatInt(int64(binary.NativeEndian.Uint64(m.name[:])), 10)
		}
		items = append(items, MenuItem{int(i), name})
	}
	return items
}

// alike are controls by the names that Linux gave them before 5.16, and since.
var alike = map[string]string{
	"exposure_auto": "auto_exposure", "exposure_absolute": "exposure_time_absolute", "exposure_auto_priority": "exposure_dynamic_framerate",
	"focus_auto": "focus_automatic_continuous", "white_balance_temperature_auto": "white_balance_automatic", "hue_auto": "hue_automatic",
}

// FindControl gives the control of that name: as v4l2-ctl writes it or as the driver
// does, by the name of older kernels or of newer ones. The error names the nearest.
func FindControl(have []Control, name string) (*Control, error) {
	want := plain(name)
	for i := range have {
		if c := have[i].Name; c == want || alike[c] == want || alike[want] == c {
			return &have[i], nil
		}
	}
	if len(have) == 0 {
		return nil, fmt.Errorf("control %q: this camera has none", name)
	}
	var names []string
	for _, c := range have {
		names = append(names, c.Name)
	}
	if near := spelling.Nearest(want, names); near != "" {
		return nil, fmt.Errorf("control %q: this camera has none of that name; did you mean %q?", name, near)
	}
	return nil, fmt.Errorf("control %q: this camera has %s", name, strings.Join(names, ", "))
}

// Takes says why a control does not take a value.
func (c *Control) Takes(value int) error {
	switch {
	case c.readOnly:
		return fmt.Errorf("control %q can only be read", c.Name)
	case len(c.Menu) > 0:
		for _, m := range c.Menu {
			if m.Value == value {
				return nil
			}
		}
		return fmt.Errorf("control %q = %d: it has %s", c.Name, value, c.Range())
	case value < c.Min || value > c.Max:
		return fmt.Errorf("control %q = %d: it has %s", c.Name, value, c.Range())
	}
	return nil
}

// Range tells the values that a control has.
func (c *Control) Range() string {
	if len(c.Menu) > 0 {
		var items []string
		for _, m := range c.Menu {
			items = append(items, strings.TrimSpace(fmt.Sprintf("%d %s", m.Value, m.Name)))
		}
		return strings.Join(items, ", ")
	}
	text := fmt.Sprintf("%d to %d", c.Min, c.Max)
	if c.Step > 1 {
		text += fmt.Sprintf(" in steps of %d", c.Step)
	}
	return text
}

// setControls sets controls by name, switches and menus first: an exposure time is
// taken only once automatic exposure is off. What cannot be set is a warning: a
// camera without its exposure time is better than none.
func setControls(n node, want map[string]int) (warnings []string) {
	if len(want) == 0 {
		return nil
	}
	have := controls(n)
	names := make([]string, 0, len(want))
	for name := range want {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, switches := range []bool{true, false} {
		for _, name := range names {
			c, err := FindControl(have, name)
			if err == nil && c.toggle != switches || err != nil && !switches {
				continue
			}
			value := want[name]
			if err == nil {
				err = c.Takes(value)
			}
			if err == nil {
				set := v4l2Control{id: c.id, value: int32(value)}
				if err = n.ioctl(vidiocSCtrl, unsafe.Pointer(&set)); err != nil {
					err = fmt.Errorf("control %q = %d: the camera refuses it%s: %w", c.Name, value, refusal(err), err)
				} else if int(set.value) != value {
					err = fmt.Errorf("control %q = %d: the camera takes %d", c.Name, value, set.value)
				}
			}
			if err != nil {
				warnings = append(warnings, err.Error())
			}
		}
	}
	return warnings
}

// refusal says what a driver means by an error of VIDIOC_S_CTRL.
func refusal(err error) string {
	switch err {
	case unix.EACCES, unix.EINVAL, unix.EIO: // uvcvideo has each of them for a value that an automatic holds
		return ", as they do while an automatic has it: turn that off too (mien probe -v lists them)"
	case unix.EBUSY:
		return " while another program uses it"
	}
	return ""
}

// plain is a control's name as v4l2-ctl writes it.
func plain(name string) string {
	words := strings.FieldsFunc(strings.ToLower(name), func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= '0' && r <= '9')
	})
	return strings.Join(words, "_")
}
