package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"mien/firmware/operator"
	page "mien/firmware/pilot/report"
)

// What a study may take, and what of it is passed on in one answer.
const (
	studyLasts  = 15 * time.Minute
	studyTells  = 16 << 10
	studyResult = 512 << 10
	pageMost    = 8 << 20
	pagePart    = 384 << 10
)

// study is what takes longer than an answer: recordings computed again, the search for
// a limit, the report. Each is this program's own command as a child, which is slowed
// and ended before anything of the unit is: what watches people does not search.
type study struct {
	mu     sync.Mutex // covers what is below
	stop   context.CancelFunc
	began  time.Time
	newest operator.Study
	page   []byte
}

// answer begins a study, ends one, or tells how the newest fares.
func (s *study) answer(k *keeper, ask *operator.StudyAsk, who string) (*operator.Study, error) {
	if ask == nil {
		ask = &operator.StudyAsk{}
	}
	if k.session.folder == "" {
		return nil, errors.New("this unit keeps no recordings: set state.dir")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch ask.Do {
	case "":
	case operator.StudyStop:
		if s.newest.Going {
			s.stop()
		}
	case operator.StudyReplay, operator.StudyTune, operator.StudyReport:
		if s.newest.Going {
			return nil, fmt.Errorf("a %s goes on: wait for it, or stop it", s.newest.Do)
		}
		if err := s.begin(k, *ask, who); err != nil {
			return nil, err
		}
	default:
		return nil, fmt.Errorf("cannot do %q with recordings", ask.Do)
	}
	now := s.newest
	if now.Going {
		now.Took = time.Since(s.began)
	}
	if now.Size = len(s.page); ask.Page && ask.From >= 0 && ask.From < len(s.page) {
		end := min(len(s.page), ask.From+pagePart)
		for end < len(s.page) && !utf8.RuneStart(s.page[end]) { // no part ends within a character
			end--
		}
		now.Page = string(s.page[ask.From:end])
		now.Text, now.Result = "", nil
	}
	return &now, nil
}

// begin starts the child. s.mu is held.
func (s *study) begin(k *keeper, ask operator.StudyAsk, who string) error {
	dir := filepath.Join(k.session.folder, "study")
	if err := errors.Join(os.RemoveAll(dir), os.Mkdir(dir, 0o700)); err != nil {
		return fmt.Errorf("make a folder for it: %w", err)
	}
	number := func(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }
	out := ""
	args := []string{"pilot", string(ask.Do)}
	costs := []string{"-cost-false", number(ask.CostFalse), "-cost-missed", number(ask.CostMissed), "-most-false-per-shift", number(ask.MostFalse)}
	switch ask.Do {
	case operator.StudyReplay:
		text := filepath.Join(dir, "config.toml")
		if err := os.WriteFile(text, []byte(ask.Text), 0o600); err != nil {
			return err
		}
		args = append(args, "-json", "-config", text)
	case operator.StudyTune:
		out = filepath.Join(dir, "result.json")
		args = append(append(args, costs...), "-json", out, "-signal", ask.Signal, "-config", k.path)
		if ask.Below {
			args = append(args, "-low")
		}
	case operator.StudyReport:
		out = filepath.Join(dir, "report.html")
		if ask.Language == "" {
			ask.Language = page.Languages[0]
		}
		args = append(append(args, costs...), "-lang", ask.Language, "-o", out)
	}
	args = append(args, "--", pilotFolder(k.session.folder))
	ctx, stop := context.WithTimeout(k.ctx, studyLasts)
	child := exec.CommandContext(ctx, "/proc/self/exe", args...)
	child.Args[0] = os.Args[0]
	child.Env = append(os.Environ(), "GOMAXPROCS=1", "GOMEMLIMIT=64MiB")
	child.WaitDelay = time.Second
	child.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	said, told := &firstBytes{most: studyResult}, &firstBytes{most: studyTells}
	child.Stdout, child.Stderr = said, told
	if err := child.Start(); err != nil {
		stop()
		return fmt.Errorf("start the %s: %w", ask.Do, err)
	}
	// Where the system refuses that, the child is one process of one thread all the same.
	unix.Setpriority(unix.PRIO_PROCESS, child.Process.Pid, 19)
	os.WriteFile(fmt.Sprintf("/proc/%d/oom_score_adj", child.Process.Pid), []byte("1000"), 0)
	s.stop, s.began, s.page = stop, time.Now(), nil
	s.newest = operator.Study{Do: ask.Do, Going: true}
	k.note(who, "recordings: "+string(ask.Do)+" begun")
	go k.unit.Guard("study", func() { s.follow(ctx, child, ask.Do, dir, out, said, told) })
	return nil
}

// follow waits for the child and takes what it made; nothing of it stays on the disk.
func (s *study) follow(ctx context.Context, child *exec.Cmd, do operator.StudyDo, dir, out string, said, told *firstBytes) {
	err := child.Wait()
	var made []byte
	if err == nil && out != "" {
		made, err = readStudy(out)
	}
	os.RemoveAll(dir)
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.stop()
	s.newest.Going, s.newest.Took = false, time.Since(s.began)
	switch {
	case ctx.Err() != nil:
		s.newest.Failed = "it was stopped"
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			s.newest.Failed = fmt.Sprintf("it took longer than %v: use mien pilot %s on another machine", studyLasts, do)
		}
	case err != nil:
		s.newest.Failed = strings.TrimPrefix(strings.TrimSpace(told.String()), "mien: ")
		if s.newest.Failed == "" {
			s.newest.Failed = err.Error()
		}
	case do == operator.StudyReport:
		s.page = made
	case do == operator.StudyTune:
		s.newest.Text, s.newest.Result = clip(said.String(), studyTells), made
	default:
		s.newest.Result = bytes.Clone(said.Bytes())
	}
	if len(s.newest.Result) >= studyResult {
		s.newest.Failed, s.newest.Result = "its result is too large for the page: use the command line", nil
	}
}

func clip(s string, most int) string { return strings.ToValidUTF8(s[:min(len(s), most)], "") }

func readStudy(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err == nil && info.Size() > pageMost {
		err = fmt.Errorf("it has %d MiB: use the command line", info.Size()>>20)
	}
	if err != nil {
		return nil, err
	}
	return os.ReadFile(path)
}

// firstBytes keeps the first of what is written to it.
type firstBytes struct {
	bytes.Buffer
	most int
}

func (b *firstBytes) Write(p []byte) (int, error) {
	b.Buffer.Write(p[:min(len(p), max(0, b.most-b.Len()))])
	return len(p), nil
}
