package main

import (
	"fmt"
	"os"
	"runtime"
	"strings"
)

// wanted are the figures with what they shall be, in the document's order.
var wanted = []struct {
	name, meaning string
	limit         float64
	atLeast       bool // limit is the least; else the most; 0: only told
	format        string
}{
	{"pipeline_over_invoke", "whole unit from raw YUYV 640 x 480, over a loop that only invokes the same networks as often", 1.053, false, "%.3f"},
	{"pipeline_over_invoke_q1", "the same, a quarter of the rounds is below", 0, false, "%.3f"},
	{"pipeline_over_invoke_q3", "the same, a quarter of the rounds is above", 0, false, "%.3f"},
	{"pipeline_over_yielding", "whole unit, over such a loop that yields to Go's scheduler as the unit does", yieldingLimit(), false, "%.3f"},
	{"mjpeg_over_bare", "whole unit from motion JPEG, over a loop that decodes with the same decoder and invokes", 1.10, false, "%.3f"},
	{"allocs_per_frame", "allocations a frame after warm-up", 0.0005, false, "%.3f"},
	{"pipeline_ms", "whole unit, ms of processor time a frame", 0, false, "%.3f"},
	{"bare_ms", "the bare loop, ms a frame", 0, false, "%.3f"},
	{"yielding_ms", "the bare loop that yields: the networks alone, ms a frame", 0, false, "%.3f"},
	{"recording_over_not", "whole unit while it records for a pilot, with a purpose, over one that does not", 1.02, false, "%.3f"},
	{"recording_mb_a_shift", "what it records in 8 h at 30 frames a second, MB", 30, false, "%.1f"},
	{"program_over_clip", "whole unit on YUV4MPEG2 of 640 x 480 from a program (camera.command), over the same frames from the clip player, both in real time", 1.05, false, "%.3f"},
	{"program_over_clip_mjpeg", "the same in motion JPEG", 1.05, false, "%.3f"},
	{"unit_with_gateway_over_without", "unit whose gateway serves 20 pages, with 8 clients that ask once a second, over one with none", 1.03, false, "%.3f"},
	{"gateway_percent", "`mien gateway` with one page, % of a core", 3, false, "%.2f"},
	{"gateway_rss_mb", "its resident memory after 20 pages, MB", 40, false, "%.1f"},
	{"rss_mb", "resident memory of `mien demo`, MB", 40, false, "%.1f"},
	{"start_ms", "from the start of the process to the first result, ms", 1000, false, "%.0f"},
	{"frame_to_output_p50_ms", "from a frame's timestamp to the edge of the line, median, ms", 0, false, "%.1f"},
	{"frame_to_output_p99_ms", "the same, 99th percentile, ms", 0, false, "%.1f"},
	{"python_cpu_over_mien", "the same job in Python, searching for the face only when the unit does, over the unit", 1.05, true, "%.2f"},
	{"python_every_frame_over_mien", "the same job in Python, searching on every frame, over the unit", 2, true, "%.2f"},
	{"python_rss_over_mien", "resident memory of the Python program, over the unit's", 2, true, "%.2f"},
	{"emotiefflib_cpu_over_mien", "emotiefflib 1.1.1 with its ONNX engine, over the unit", 7, true, "%.2f"},
	{"python_au_difference_mean", "mean difference of an action unit's level, Python to unit, before filters", 0, false, "%.3f"},
	{"python_au_difference_max", "largest difference of one in one frame", 0, false, "%.3f"},
}

// document is docs/performance.md.
func document(f figures, sizes, faces []*row, rounds int, before, after string) string {
	var b strings.Builder
	fmt.Fprintf(&b, `# Performance

What the unit costs, how that is measured, and where it falls short of what was wanted. Written by
`+"`make bench TABLES=docs/performance.md`"+` on %s, with %s, in %d rounds (three
times as many for the unit against the bare loops), at a load average of %s at the start and %s at the end; on another
processor the times differ, and so do the ratios.

## Figures

| | figure | wanted |
|---|---|---|
`, processor(), runtime.Version(), rounds, before, after)
	var missed []string
	for _, w := range wanted {
		v, ok := f[w.name]
		figure, verdict := "not measured", ""
		if ok {
			figure = fmt.Sprintf(w.format, v)
		}
		if w.limit != 0 {
			sign := "<="
			good := v <= w.limit
			if w.atLeast {
				sign, good = ">=", v >= w.limit
			}
			limit := w.limit
			if w.name == "allocs_per_frame" {
				limit = 0
			}
			verdict = fmt.Sprintf("%s %g", sign, limit)
			if ok && !good {
				verdict = "**missed**: " + verdict
				missed = append(missed, "`"+w.name+"`")
			}
		}
		fmt.Fprintf(&b, "| `%s`: %s | %s | %s |\n", w.name, w.meaning, figure, verdict)
	}
	switch {
	case len(missed) > 0:
		fmt.Fprintf(&b, "\nMissed in this run: %s.\n", strings.Join(missed, ", "))
	default:
		b.WriteString("\nNone was missed in this run.\n")
	}
	b.WriteString(how)
	b.WriteString("\n## Cost against picture size\n\nThe demo clip as raw YUYV, scaled; its face fills the same part of each picture.\n\n")
	table(&b, "picture", sizes)
	b.WriteString(`
The face is sampled by the network's own grid and followed by a coarse patch, so that most of the cost does not depend
on the picture's size. What does is the search (one pass over every pixel) and the face's finer detail.

## Cost against number of faces

640 x 480 YUYV, each face half as large as in the clip. The unit reads one face, the one that counts.

`)
	table(&b, "faces", faces)
	b.WriteString(`
Without a face the unit searches on every frame: an empty chair costs more than a person. More faces than one cost
nothing but their part of a search.
`)
	return b.String()
}

const how = `
## How it is measured

- Processor time (getrusage, user and system, all threads), not wall time. The frames are in memory, 110 MB of
  them, far more than a core's own caches hold, and come as fast as the unit takes them.
- The whole unit: camera interface, pixels, face, networks, filters, alarms, register map, output lines on a fake chip,
  supervisor. The bare loop invokes each network on just the frames on which the unit does, on whatever its input holds.
- A loop that never waits costs more than its networks: after 10 ms Go's monitor thread takes its processor away in each
  long call into a library, and looks every 20 us whether it should. That is 5 to 8% of a bare loop. The unit yields every
  5 ms where it does not wait for frames, and does not pay it. So the first ratio, as that of motion JPEG, says what the
  unit costs against what one would write first; ` + "`pipeline_over_yielding`" + ` has a loop that yields too, and says what
  the unit adds to the networks themselves. The tables below are against that loop. A unit that waits for its camera does
  not yield: there it would cost more than it saves.
- Allocations are those of the whole process between the warm-up and the end, divided by the frames; below 0.0005 counts
  as none. No frame and no tick of the supervisor allocates (tests hold that). What is left is a handful, however many
  frames are counted: purego's and the runtime's pools, made again when a goroutine comes to another processor and after
  a collection. Reading the sensors, every five seconds, does allocate, and is not in it.
- Both sides of each ratio take turns in one run; the figure is the median of the rounds' ratios. A busy machine
  disturbs both, but not alike: caches that others fill cost the side more that reads more memory, which is the unit.
  It depends on the processor too. Before the unit yielded, two runs gave 1.035 and 1.046 for the first ratio on an idle
  Intel Xeon, and five runs 1.058 to 1.067 on an idle AMD EPYC (Zen 4), where the networks take the least time; at loads of
  4 to 10 it was 1.11 to 1.21. Since then, on the latter, fifteen runs gave 1.00 to 1.035, and 1.077 to 1.104 against a loop
  that yields too. Motion JPEG gave 0.97 to 1.01, and 1.08 to 1.12 under load.
- The Python peer (tools/bench/peers/python_peer.py) is OpenCV and LiteRT with one thread each, luma only where luma will
  do, the image cut to the face before it is touched. It gets the unit's schedule for nothing and does not follow the
  face between searches, so its answers differ. Its resident memory is without the frames.
- emotiefflib reads the face on each frame with a detector in front. Its documentation shows MTCNN from facenet-pytorch,
  which needs PyTorch; the peer uses BlazeFace, at a fraction of that cost, so that the figure is a lower bound. The model
  is EfficientNet-B0 in its layout with random weights, on which the cost does not depend.
- Pixels are read by the same code on every processor, four samples to a 64-bit word, without vector instructions. The
  unit had some for amd64 only. They went, because the product is arm64 and a PC only tests it. On an AMD EPYC (Zen 3)
  without VNNI, five rounds, that cost 1.5% of a frame: ` + "`pipeline_over_yielding`" + ` 1.056 in place of 1.041, and
  ` + "`pipeline_over_invoke`" + ` 1.043 in place of 1.045. With VNNI the networks take about half the time and the pixels as long
  as before, so the ratios are further from 1, and what is wanted of ` + "`pipeline_over_yielding`" + ` depends on the processor:
  1.06, and 1.20 with VNNI.
- What a camera wrote lies in memory, in no cache. So a face's part of the picture is fetched once, by one read of each
  cache line, before anything reads it: those reads do not wait for each other, as those of the sampling do. In turns with
  a unit that does not, 20 rounds on an AMD EPYC with VNNI, that is 4 to 5% of a frame. Of what is left beside the networks,
  about 0.15 ms there, 0.06 are the sampling of the face's 112 x 112 pixels, 0.03 that fetching, and 0.02 what the searches
  sample.
- The light of the whole picture is not measured less often, since a covered lens is to be known in 2.5 s.
- Resident memory is VmRSS of ` + "`mien demo`" + ` three seconds after its first result, pages of files included. The network in
  the binary is read by its library in place, not copied; its pages, and those of the demo clip that were played,
  are given back to the system, which reads them again when they are touched.
- Without the peers' environment (` + "`make bench-peers`" + `) their figures are left out.
`

// yieldingLimit is what pipeline_over_yielding may be at most: int8 networks take
// half the time where the processor has VNNI, and the pixels as long as elsewhere.
func yieldingLimit() float64 {
	if strings.Contains(cpuinfo("flags", ""), "vnni") {
		return 1.20
	}
	return 1.06
}

// processor names what this ran on.
func processor() string {
	name := cpuinfo("model name", runtime.GOARCH)
	if strings.Contains(cpuinfo("flags", ""), "vnni") {
		name += " with VNNI"
	}
	return fmt.Sprintf("%d cores of %s", runtime.NumCPU(), name)
}

// cpuinfo gives what /proc/cpuinfo says first of a key, else what is given.
func cpuinfo(key, otherwise string) string {
	info, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(info)) {
		if k, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(k) == key {
			return strings.TrimSpace(value)
		}
	}
	return otherwise
}
