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

// memoryFolder names the folder for what the disk has not taken yet, on a file
// system in memory: in $RUNTIME_DIRECTORY, else /run/mien for root, else
// $XDG_RUNTIME_DIR, else a folder of this user's own in /dev/shm. Where none of
// them is in memory it is empty. Each state folder has one of its own. The store
// makes it, and takes none that others may write to.
func memoryFolder(folder string) string {
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
		there := dir
		if _, err := os.Stat(dir); err != nil {
			there = filepath.Dir(dir)
		}
		var on unix.Statfs_t
		if filepath.IsAbs(dir) && unix.Statfs(there, &on) == nil && on.Type == unix.TMPFS_MAGIC && unix.Access(there, unix.W_OK) == nil {
			return filepath.Join(dir, fmt.Sprintf("waiting-%08x", crc32.ChecksumIEEE([]byte(folder))))
		}
	}
	return ""
}
