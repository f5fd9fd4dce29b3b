package main

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// serviceSettings are those of board/mien.service that bear on what the process
// may do, and where the machine, which has no systemd, takes them from; or why
// it does not.
var serviceSettings = map[string]string{
	"User": "confined", "Group": "confined", "SupplementaryGroups": "confined", "UMask": "confined", "MemoryMax": "confined",
	"CapabilityBoundingSet": "confined", "NoNewPrivileges": "confined", "PrivateNetwork": "confined",
	"ProtectSystem": "confined", "PrivateTmp": "confined", "ProtectKernelTunables": "confined", "ProtectControlGroups": "confined",
	"RestrictAddressFamilies": "confined", "RestrictNamespaces": "confined", "LockPersonality": "confined", "SystemCallArchitectures": "confined",
	"StateDirectory": "settle", "RuntimeDirectory": "settle",

	"DevicePolicy": "not: file modes stand for it", "DeviceAllow": "not: the kernel's names of the drivers are compared",
	"IPAddressDeny":        "not: the network namespace has nobody to reach",
	"ReadWritePaths":       "not: the config's folder is root's there, and stays so",
	"ProtectHome":          "not: the machine has no home",
	"ProtectKernelModules": "not: without a capability there is nothing to take",
	"RestrictSUIDSGID":     "not: nothing it may write is searched for programs by anyone else",
	"OOMScoreAdjust":       "not: nothing else runs there",
	"OOMPolicy":            "not: it is for systemd, which ends what the kernel did not",
	"MemorySwapMax":        "not: the machine has no swap",
	"LimitCORE":            "not: the machine keeps no cores",
	"ProtectKernelLogs":    "not: without a capability there is nothing to take",
	"ProtectHostname":      "not: without a capability there is nothing to take",
	"ProtectProc":          "not: nothing else runs there",
	"RestrictRealtime":     "not: without a capability there is nothing to take",
	"RemoveIPC":            "not: it makes none",
	"UnsetEnvironment":     "not: none of these is set",
	"SystemCallFilter":     "firmware/mien: TestUnderItsService", "SystemCallErrorNumber": "firmware/mien: TestUnderItsService",
	"MemoryDenyWriteExecute": "firmware/mien: TestUnderItsService",

	"Type": "systemd's own", "ExecStart": "systemd's own", "ExecReload": "systemd's own", "Restart": "systemd's own", "RestartSec": "systemd's own",
	"WatchdogSec": "systemd's own", "RuntimeDirectoryPreserve": "systemd's own",
}

// A setting that mien.service gains must be applied in the machine too, or said
// why not.
func TestServiceSettings(t *testing.T) {
	text, err := os.ReadFile("../../board/mien.service")
	if err != nil {
		t.Fatal(err)
	}
	_, service, ok := strings.Cut(string(text), "[Service]\n")
	service, _, _ = strings.Cut(service, "\n[")
	if !ok {
		t.Fatal("no [Service]")
	}
	found := map[string]bool{}
	for _, line := range strings.Split(service, "\n") {
		name, value, ok := strings.Cut(line, "=")
		if !ok || strings.HasPrefix(line, "#") {
			continue
		}
		found[name] = true
		if serviceSettings[name] == "" {
			t.Errorf("%s: is not known here", line)
		}
		if name == "MemoryMax" && value != fmt.Sprintf("%dM", mienUser.MemoryMax>>20) {
			t.Errorf("%s: the machine gives %d bytes", line, mienUser.MemoryMax)
		}
	}
	for name := range serviceSettings {
		if !found[name] {
			t.Errorf("mien.service has no %s any more", name)
		}
	}
}
