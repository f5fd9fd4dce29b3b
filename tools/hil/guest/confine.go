package main

import (
	"encoding/json"
	"fmt"
	"runtime"

	"golang.org/x/sys/unix"

	"mien/tools/hil/wire"
)

// confined becomes the program that args name, with as little as systemd
// would leave it by board/mien.service: User=, SupplementaryGroups=,
// CapabilityBoundingSet= (empty), NoNewPrivileges=, PrivateNetwork=.
func confined(args []string) error {
	var c wire.Confinement
	if err := json.Unmarshal([]byte(args[0]), &c); err != nil {
		return err
	}
	runtime.LockOSThread() // credentials are of a thread; exec keeps this one's
	if c.NoNet {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("network namespace: %w", err)
		}
	}
	for i := uintptr(0); i <= unix.CAP_LAST_CAP; i++ {
		if err := unix.Prctl(unix.PR_CAPBSET_DROP, i, 0, 0, 0); err != nil {
			return fmt.Errorf("drop capability %d: %w", i, err)
		}
	}
	if err := unix.Setgroups(c.Groups); err != nil {
		return fmt.Errorf("groups: %w", err)
	}
	if err := unix.Setresgid(c.GID, c.GID, c.GID); err != nil {
		return fmt.Errorf("group: %w", err)
	}
	if err := unix.Setresuid(c.UID, c.UID, c.UID); err != nil {
		return fmt.Errorf("user: %w", err)
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("no new privileges: %w", err)
	}
	unix.Umask(0o007)
	if err := unix.Exec(args[1], args[1:], unix.Environ()); err != nil {
		return fmt.Errorf("%s: %w", args[1], err)
	}
	return nil
}
