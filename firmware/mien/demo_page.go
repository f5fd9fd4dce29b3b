package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"mien/firmware/config"
	"mien/firmware/gateway"
	"mien/firmware/operator"
)

// pageConfig is the demo's config for a demo with a page, written into its folder: the
// clip plays in a loop, a journal is kept, recordings and a socket are allowed, so that
// each view of the page has something to show.
func pageConfig(path, folder, socket string, port int) ([]byte, error) {
	if socket == "" {
		socket = filepath.Join(folder, "mien.sock")
	}
	text := strings.NewReplacer("clip = \"demo.mjpeg\"", "clip = \"demo.mjpeg\"\nloop = true", "path = \"off\"", fmt.Sprintf("path = %q", socket)).Replace(string(demoConfig))
	text += fmt.Sprintf(`
[state]
dir = %q

[pilot]
record = true

[gateway]
dir = %q

[page]
serve = true
listen = "127.0.0.1:%d"
`, filepath.Join(folder, "state"), filepath.Join(folder, "gateway"), port)
	return []byte(text), os.WriteFile(path, []byte(text), 0o600)
}

// demoGateway starts mien gateway beside the demo, prints what it prints, and gives how
// to wait for its end. users: with users of this run, and their password.
func demoGateway(ctx context.Context, c *call, path string, cfg *config.Config, users bool, ended chan<- error) (wait func(), err error) {
	var told string
	if users {
		told, err = demoUsers(cfg.Gateway.Folder())
		if err != nil {
			return nil, err
		}
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	child := exec.CommandContext(ctx, self, "gateway", "-config", path, "-socket", cfg.Socket.Path)
	child.Cancel = func() error { return child.Process.Signal(syscall.SIGTERM) }
	child.WaitDelay = 5 * time.Second
	child.Stderr = c.err
	child.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	out, err := child.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := child.Start(); err != nil {
		return nil, fmt.Errorf("start mien gateway: %w", err)
	}
	over := make(chan struct{})
	go func() {
		defer close(over)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			fmt.Fprintln(c.out, lines.Text())
			if told != "" {
				fmt.Fprintln(c.out, told)
				told = ""
			}
		}
		err := child.Wait()
		if err == nil {
			err = context.Canceled
		}
		ended <- err
	}()
	return func() { <-over }, nil
}

// demoUsers makes one user of each role, with one password.
func demoUsers(folder string) (told string, err error) {
	password := strings.ToLower(rand.Text())[:20]
	users := gateway.NewUsers(folder)
	for _, r := range []operator.Role{operator.Viewer, operator.Operator, operator.Engineer, operator.Administrator} {
		if err := users.Add(string(r), r, password, time.Now()); err != nil {
			return "", err
		}
	}
	return "log in as viewer, operator, engineer or administrator, password: " + password, nil
}
