// Command hil boots whole emulated machines with a real Linux kernel and the
// arm64 archive as it ships, and proves on them what touches a kernel interface:
// V4L2, GPIO, UART, watchdog, file systems, processes. README, "Test it".
//
//	go run ./tools/hil              the part that runs each time
//	go run ./tools/hil -full        everything
//	go run ./tools/hil -run lamp    scenarios by name
//	go run ./tools/hil -demo        a machine to play with
package main

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime"
	"sort"
	"strings"
	"syscall"
	"time"
)

// The main thread starts the emulators and must live as long as they do.
func init() { runtime.LockOSThread() }

func main() {
	full := flag.Bool("full", false, "run every scenario")
	demo := flag.Bool("demo", false, "leave a machine up: live view, and a pty for the PLC")
	list := flag.Bool("list", false, "list the scenarios")
	only := flag.String("run", "", "run the scenarios whose name this pattern matches")
	times := flag.Int("times", 1, "runs in a row")
	work := flag.String("work", ".hil", "folder of the kernel, the machines and the logs")
	archive := flag.String("archive", "", "archive to test; empty: the newest dist/mien-*-linux-arm64.tar.gz")
	newer := flag.Bool("newer", false, "take newer packages for the machine where the pinned ones are gone from Debian's archive")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	pattern, err := regexp.Compile(*only)
	if err == nil {
		chosen := func(s scenario) bool { return pattern.MatchString(s.name) && (*full || s.ci || *only != "") }
		switch {
		case *list:
			printList()
		default:
			var mine *os.File
			if mine, err = claim(*work); err != nil {
				break
			}
			defer mine.Close()
			if *demo {
				err = runDemo(ctx, *work, *archive, *newer)
			} else {
				err = runTimes(*times, func() (string, error) { return runAll(ctx, *work, *archive, *newer, chosen) })
			}
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "hil:", err)
		os.Exit(1)
	}
}

// claim keeps a second run out of the work folder for as long as the file is
// open: two would write the same disk and take each other's sockets.
func claim(work string) (*os.File, error) {
	if err := os.MkdirAll(work, 0o755); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(work, "lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: another run uses this folder (%w): wait for it, or name another with -work", work, err)
	}
	return f, nil
}

func printList() {
	n, faults, ci, ciFaults := 0, 0, 0, 0
	for _, g := range groups {
		for _, s := range g.scenarios {
			kind := ""
			if s.fault {
				kind, faults = "fault", faults+1
			}
			when := "full"
			if s.ci {
				when, ci = "ci", ci+1
				if s.fault {
					ciFaults++
				}
			}
			fmt.Printf("%-8s %-5s %-5s %s\n", g.name, when, kind, s.name)
			n++
		}
	}
	fmt.Printf("%d scenarios, %d of them faults; %d run each time (ci), %d of them faults\n", n, faults, ci, ciFaults)
}

// group is the scenarios that share one machine.
type group struct {
	name      string
	scenarios []scenario
	run       func(ctx context.Context, k *kit, list []scenario, tell func(scenario, string, []string, time.Duration)) error
}

var groups = []group{
	{"virt", virtScenarios, runVirt},
	{"raspi3b", piScenarios, runPi},
}

// kit is what machines are made of.
type kit struct {
	system *system
	stage  string // the unpacked archive
	work   string
}

func prepare(ctx context.Context, work, archive string, newer bool) (*kit, error) {
	work, err := filepath.Abs(work)
	if err != nil {
		return nil, err
	}
	if out, err := exec.CommandContext(ctx, "tools/setup.sh", "qemu-system-arm", "e2fsprogs", "mbpoll").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%w: %s", err, out)
	}
	if archive == "" {
		found, _ := filepath.Glob("dist/mien-*-linux-arm64.tar.gz")
		if len(found) == 0 {
			return nil, errors.New("no dist/mien-*-linux-arm64.tar.gz: run make arm64")
		}
		sort.Slice(found, func(i, j int) bool { return modified(found[i]).After(modified(found[j])) })
		archive = found[0]
	}
	k := &kit{work: work, stage: filepath.Join(work, "stage")}
	if err := unpack(archive, k.stage); err != nil {
		return nil, fmt.Errorf("%s: %w", archive, err)
	}
	if k.system, err = fetchSystem(ctx, work, newer); err != nil {
		return nil, err
	}
	fmt.Printf("hil: %s\n", filepath.Base(archive))
	return k, nil
}

func modified(path string) time.Time {
	info, err := os.Stat(path)
	if err != nil {
		return time.Time{}
	}
	return info.ModTime()
}

// unpack puts the archive's files, without its top folder, at to.
func unpack(archive, to string) error {
	if err := os.RemoveAll(to); err != nil {
		return err
	}
	f, err := os.Open(archive)
	if err != nil {
		return err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return err
	}
	for t := tar.NewReader(z); ; {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		_, name, ok := strings.Cut(h.Name, "/")
		if !ok || h.Typeflag != tar.TypeReg || !filepath.IsLocal(name) {
			continue
		}
		path := filepath.Join(to, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		out, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o755)
		if err != nil {
			return err
		}
		_, err = io.Copy(out, t)
		if err := errors.Join(err, out.Close()); err != nil {
			return err
		}
	}
}

// runTimes runs n times in a row, stops at the first failure, and ends with a
// list of the runs.
func runTimes(n int, run func() (string, error)) error {
	var list []string
	for i := 1; i <= n; i++ {
		began := time.Now()
		result, err := run()
		list = append(list, fmt.Sprintf("run %2d, %s UTC: %s", i, began.UTC().Format("15:04:05"), result))
		if n > 1 {
			fmt.Printf("\n%s\n\n", strings.Join(list, "\n"))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// runAll runs the chosen scenarios, says what each saw, and sums up in a line.
func runAll(ctx context.Context, work, archive string, newer bool, chosen func(scenario) bool) (string, error) {
	began, worked := time.Now(), processorTime()
	k, err := prepare(ctx, work, archive, newer)
	if err != nil {
		return "did not start", err
	}
	passed, failed, faults := 0, 0, 0
	tell := func(s scenario, why string, said []string, took time.Duration) {
		result := "PASS"
		if passed++; why != "" {
			result, passed, failed = "FAIL", passed-1, failed+1
		}
		if s.fault {
			faults++
		}
		fmt.Printf("%s %6.1f s  %s\n", result, took.Seconds(), s.name)
		for _, line := range said {
			fmt.Println("              ", strings.ReplaceAll(line, "\n", "\n               "))
		}
		if why != "" {
			fmt.Println("      ", strings.ReplaceAll(why, "\n", "\n       "))
		}
	}
	for _, g := range groups {
		var list []scenario
		for _, s := range g.scenarios {
			if chosen(s) {
				list = append(list, s)
			}
		}
		if len(list) == 0 || ctx.Err() != nil {
			continue
		}
		if err := g.run(ctx, k, list, tell); err != nil {
			fmt.Printf("FAIL the machine %s: %v\n", g.name, err)
			failed++
		}
	}
	result := fmt.Sprintf("%d passed (%d faults among %d run), %d failed, in %.0f s (%.0f s of processor time; load %s)",
		passed, faults, passed+failed, failed, time.Since(began).Seconds(), (processorTime() - worked).Seconds(), load())
	fmt.Println(result)
	if failed > 0 {
		return result, fmt.Errorf("%d scenarios failed; logs are in %s", failed, filepath.Join(k.work, "logs"))
	}
	return result, ctx.Err()
}

// processorTime is what the programs that have ended, the emulators first, have
// taken of the processors.
func processorTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_CHILDREN, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// load is how many processes wanted a processor during the last five minutes,
// ours among them.
func load() string {
	text, _ := os.ReadFile("/proc/loadavg") // none: not known
	if f := strings.Fields(string(text)); len(f) > 1 {
		return fmt.Sprintf("%s on %d cores", f[1], runtime.NumCPU())
	}
	return "not known"
}
