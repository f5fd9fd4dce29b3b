package main

import (
	"fmt"
	"os"
	"testing"
)

// What the tests start keeps events that wait for the disk in a folder of the
// tests' own, and not in the user's.
func TestMain(m *testing.M) { os.Exit(inOwnFolder(m)) }

func inOwnFolder(m *testing.M) int {
	dir, err := os.MkdirTemp("/dev/shm", "mien-test-")
	if err != nil {
		dir, err = os.MkdirTemp("", "mien-test-")
	}
	if err == nil {
		err = os.Setenv("RUNTIME_DIRECTORY", dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	return m.Run()
}
