package main

import (
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// waitingFile names the file for events that wait for the disk, on a file system
// in memory: in $RUNTIME_DIRECTORY, else /run/mien for root, else
// $XDG_RUNTIME_DIR, else a folder of this user's own in /dev/shm. Where none of
// them is in memory it is empty. Each state folder has a file of its own.
func waitingFile(folder string) string {
	first, _, _ := strings.Cut(os.Getenv("RUNTIME_DIRECTORY"), ":")
	places := []string{first}
	if os.Geteuid() == 0 {
		places = append(places, "/run/mien")
	}
	places = append(places, os.Getenv("XDG_RUNTIME_DIR"), filepath.Join("/dev/shm", "mien-"+strconv.Itoa(os.Geteuid())))
	if whole, err := filepath.Abs(folder); err == nil {
		folder = whole
	}
	for _, dir := range places {
		if filepath.IsAbs(dir) && ownInMemory(dir) {
			return filepath.Join(dir, fmt.Sprintf("waiting-%08x.events", crc32.ChecksumIEEE([]byte(folder))))
		}
	}
	return ""
}

// ownInMemory makes a folder that is missing, and says whether it is this
// user's alone to write and on a file system in memory: in a folder that others
// may write to, they could put events into the journal.
func ownInMemory(dir string) bool {
	var on unix.Statfs_t
	if unix.Statfs(filepath.Dir(dir), &on) != nil {
		return false
	}
	if _, err := os.Lstat(dir); err != nil && on.Type == unix.TMPFS_MAGIC {
		os.Mkdir(dir, 0o700) // what fails shows below
	}
	var st unix.Stat_t
	if unix.Lstat(dir, &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFDIR || int(st.Uid) != os.Geteuid() || st.Mode&0o002 != 0 {
		return false
	}
	return unix.Statfs(dir, &on) == nil && on.Type == unix.TMPFS_MAGIC && unix.Access(dir, unix.W_OK) == nil
}
