package config

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Folder is where the state is kept. An empty Dir stands for $STATE_DIRECTORY (as
// systemd sets it), else /var/lib/mien for root, else mien in $XDG_STATE_HOME
// or ~/.local/state.
func (s State) Folder() string { return folder(s.Dir, "mien") }

// Folder is where the gateway keeps what is its own, as State.Folder says, with
// mien-gateway for mien.
func (g Gateway) Folder() string { return folder(g.Dir, "mien-gateway") }

func folder(named, of string) string {
	if named != "" {
		return named
	}
	if dir, _, _ := strings.Cut(os.Getenv("STATE_DIRECTORY"), ":"); dir != "" {
		return dir
	}
	if os.Geteuid() == 0 {
		return "/var/lib/" + of
	}
	if dir := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, of)
	}
	if home, err := os.UserHomeDir(); err == nil {
		return filepath.Join(home, ".local", "state", of)
	}
	return filepath.Join(os.TempDir(), of+"-"+strconv.Itoa(os.Getuid()))
}

// File is the socket's path; "" when there is to be none. An empty Path stands
// for mien.sock in $RUNTIME_DIRECTORY (as systemd sets it), else in /run/mien
// for root, else in $XDG_RUNTIME_DIR, else in the folder for temporary files.
func (s Socket) File() string {
	switch {
	case s.Path == "off":
		return ""
	case s.Path != "":
		return s.Path
	}
	if dir, _, _ := strings.Cut(os.Getenv("RUNTIME_DIRECTORY"), ":"); dir != "" {
		return filepath.Join(dir, "mien.sock")
	}
	if os.Geteuid() == 0 {
		return "/run/mien/mien.sock"
	}
	if dir := os.Getenv("XDG_RUNTIME_DIR"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "mien.sock")
	}
	return filepath.Join(os.TempDir(), "mien-"+strconv.Itoa(os.Getuid()), "mien.sock")
}
