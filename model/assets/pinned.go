package assets

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"runtime"
	"unsafe"

	"mien/given"
)

// ErrAltered: a file has the name of one that mien was made with, and other bytes.
var ErrAltered = errors.New("not the file that mien was made with")

// pinned are the fetched files' SHA-256 by name and architecture; "" is any.
var pinned = map[[2]string]string{
	{LiteRT, "amd64"}:   "eec47eb35e2924b3166015887e652a58edc9af823ae38e02bf83bef2548300bb",
	{LiteRT, "arm64"}:   "b57687dc234d2b8b0598aef5a9c961ed24263df8f8b3f56adbee1cff618e544b",
	{TFLiteC, "amd64"}:  "dc89b4cd86d956516570bd483668e6dd98907f49901d0567dedc69a29a56b7f7",
	{TFLiteC, "arm64"}:  "ec0dee4fb3418e680d010248ac1e304d9656cc5c8de54caaf91d666712e2f633",
	{FaceShort, ""}:     "3bc182eb9f33925d9e58b5c8d59308a760f4adea8f282370e428c51212c26633",
	{FaceFullRange, ""}: "99bf9494d84f50acc6617d89873f71bf6635a841ea699c17cb3377f9507cfec3",
	{Plots, ""}:         "19c8d4c6ad88929a79f4ae49d6f7161566dfd0ba3d15cc495e974f787eb78f1f",
	{PlotsStyle, ""}:    "df630c6a8d6f8eeaff264b50f73ce5b114f646ffd9a0bb74f049b0a00135fa04",
}

// Sum gives the SHA-256 that a fetched file must have on an architecture (a
// GOARCH, or "" for a file that is the same on all), "" where none is pinned.
func Sum(name, arch string) string {
	if sum := pinned[[2]string{name, ""}]; sum != "" {
		return sum
	}
	return pinned[[2]string{name, arch}]
}

// maxFile is more than any of the fetched networks has, maxLibrary than any library.
const (
	maxFile    = 16 << 20
	maxLibrary = 1 << 30
)

// Read finds a fetched file and reads it whole. One that is not what mien was
// made with is ErrAltered, one that is not there fs.ErrNotExist.
func Read(name string) ([]byte, error) {
	path, err := Find(name)
	if err != nil {
		return nil, err
	}
	content, err := given.Read(path, maxFile)
	if err != nil {
		return nil, err
	}
	return content, same(name, path, sumOf(content))
}

// Check holds a library that Find found against what mien was made with:
// ErrAltered.
func Check(name, path string) error {
	sum, err := sumFile(path)
	if err != nil {
		return err
	}
	return same(name, path, sum)
}

func same(name, path, sum string) error {
	want := Sum(name, runtime.GOARCH)
	switch {
	case want == "":
		return fmt.Errorf("%s: no %s for %s was made with mien: name your own as model.library: %w", path, name, runtime.GOARCH, ErrAltered)
	case sum != want:
		return fmt.Errorf("%s: its sha256 is %s, wanted is %s: it is damaged or of another version: unpack the release archive again, or run make deps: %w",
			path, sum, want, ErrAltered)
	}
	return nil
}

// Known tells whether these bytes are of a network that mien was made with: the
// one in the binary, or a fetched one.
func Known(content []byte) bool {
	if len(content) == len(network) && unsafe.SliceData(content) == unsafe.SliceData(network) {
		return true
	}
	return knownSum(sumOf(content))
}

// KnownFile tells whether the file at path is a library that mien was made with,
// whatever its name.
func KnownFile(path string) bool {
	sum, err := sumFile(path)
	return err == nil && knownSum(sum)
}

func knownSum(sum string) bool {
	for at, s := range pinned {
		if s == sum && (at[1] == "" || at[1] == runtime.GOARCH) {
			return true
		}
	}
	return false
}

func sumOf(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

func sumFile(path string) (string, error) {
	f, info, err := given.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	if info.Size() > maxLibrary {
		return "", fmt.Errorf("read %s: %d bytes, the limit is %d", path, info.Size(), maxLibrary)
	}
	h := sha256.New()
	if _, err := io.Copy(h, io.LimitReader(f, maxLibrary)); err != nil {
		return "", fmt.Errorf("read %s: %w", path, err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
