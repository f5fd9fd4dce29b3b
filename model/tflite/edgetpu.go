package tflite

import (
	"errors"
	"fmt"
	"sync"
	"unsafe"

	"github.com/ebitengine/purego"
)

// edgeTPULibrary is the stock name of Coral's runtime (package libedgetpu1-std).
const edgeTPULibrary = "libedgetpu.so.1"

// errNoTPU wraps the reason why there is no Edge TPU, for Why: Open goes on
// without it.
var errNoTPU = errors.New("no edge tpu")

// edgeTPULib is Coral's C API (edgetpu_c.h of google-coral/edgetpu).
type edgeTPULib struct {
	list, freeList, create, free cfunc
}

// edgeTPU is a delegate for one device.
type edgeTPU struct {
	lib      *edgeTPULib
	delegate uintptr
	device   string
}

// edgeTPUDevice is struct edgetpu_device: enum edgetpu_device_type (0 PCI,
// 1 USB) and a path.
type edgeTPUDevice struct {
	kind int32
	path uintptr
}

var edgeTPULibs struct {
	sync.Mutex // covers the map
	opened     map[string]*edgeTPULib
}

func openEdgeTPULib(path string) (*edgeTPULib, error) {
	edgeTPULibs.Lock()
	defer edgeTPULibs.Unlock()
	if lib := edgeTPULibs.opened[path]; lib != nil {
		return lib, nil
	}
	handle, err := dlopen(path)
	if err != nil {
		return nil, fmt.Errorf("%w: install Coral's libedgetpu1-std: %w", err, errNoTPU)
	}
	lib := new(edgeTPULib)
	if err := bind(handle, map[string]*cfunc{
		"edgetpu_list_devices":    &lib.list,
		"edgetpu_free_devices":    &lib.freeList,
		"edgetpu_create_delegate": &lib.create,
		"edgetpu_free_delegate":   &lib.free,
	}); err != nil {
		purego.Dlclose(handle)
		return nil, fmt.Errorf("open %s: %w: %w", path, err, errNoTPU)
	}
	if edgeTPULibs.opened == nil {
		edgeTPULibs.opened = make(map[string]*edgeTPULib)
	}
	edgeTPULibs.opened[path] = lib
	return lib, nil
}

// openEdgeTPU opens the first Edge TPU that the library at path finds.
func openEdgeTPU(path string) (*edgeTPU, error) {
	if path == "" {
		path = edgeTPULibrary
	}
	lib, err := openEdgeTPULib(path)
	if err != nil {
		return nil, err
	}
	devices, first, err := lib.devices(path)
	if err != nil {
		return nil, err
	}
	defer lib.freeList.call(devices)
	t := &edgeTPU{lib: lib, device: gostring(first.path)}
	t.delegate = lib.create.call(uintptr(first.kind), first.path, 0, 0)
	if t.delegate == 0 {
		return nil, fmt.Errorf("%s cannot open %s: is another program using it? %w", path, t.device, errNoTPU)
	}
	return t, nil
}

// devices lists what the library at path finds: the list, to be freed, and its
// first entry. None is an error.
func (lib *edgeTPULib) devices(path string) (list uintptr, first *edgeTPUDevice, err error) {
	var count uintptr
	list = lib.list.call(uintptr(unsafe.Pointer(&count)))
	if list == 0 || count == 0 {
		return 0, nil, fmt.Errorf("%s finds no device: plug in the Coral stick, see lsusb for 1a6e:089a or 18d1:9302, and mind the group plugdev: %w", path, errNoTPU)
	}
	return list, (*edgeTPUDevice)(at(list)), nil
}

// ProbeEdgeTPU tells which Edge TPU a network would be given, without taking it:
// the first that the library finds, "" for Coral's own by its stock name. The
// error says what is missing.
func ProbeEdgeTPU(library string) (device string, err error) {
	if library == "" {
		library = edgeTPULibrary
	}
	lib, err := openEdgeTPULib(library)
	if err != nil {
		return "", err
	}
	devices, first, err := lib.devices(library)
	if err != nil {
		return "", err
	}
	defer lib.freeList.call(devices)
	return gostring(first.path), nil
}

// free frees the delegate, after the interpreter that uses it.
func (t *edgeTPU) free() {
	t.lib.free.call(t.delegate)
}
