package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/eclipse/paho.golang/packets"
	"github.com/eclipse/paho.golang/paho"
)

// mien demo -gateway tells a real broker what the demo does; the gateway, with all that it
// can do turned on, has a bounded memory.
func TestDemoWithABroker(t *testing.T) {
	program := "/usr/sbin/mosquitto"
	if _, err := os.Stat(program); err != nil {
		t.Skip("Mosquitto is not here: sudo apt-get install --no-install-recommends mosquitto")
	}
	var ports [5]int
	for i := range ports {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		ports[i] = l.Addr().(*net.TCPAddr).Port
		l.Close()
	}
	p := newProcess(t)
	conf := filepath.Join(p.dir, "mosquitto.conf")
	if err := os.WriteFile(conf, fmt.Appendf(nil, "listener %d 127.0.0.1\nallow_anonymous true\nuser root\n", ports[0]), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(p.config(), fmt.Appendf(nil, `[gateway]
dir = %q
[page]
serve = true
listen = "127.0.0.1:%d"
[modbus_tcp]
listen = "127.0.0.1:%d"
[slmp]
listen = "127.0.0.1:%d"
[metrics]
listen = "127.0.0.1:%d"
[mqtt]
broker = "mqtt://127.0.0.1:%d"
levels = ["au4", "perclos"]
levels_every = "100ms"
write = true
`, filepath.Join(p.dir, "gateway"), ports[1], ports[2], ports[3], ports[4], ports[0]), 0o600); err != nil {
		t.Fatal(err)
	}
	broker := exec.Command(program, "-c", conf)
	out, err := os.Create(filepath.Join(p.dir, "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	p.Args, p.Stdout = []string{p.Args[0], "demo", "-gateway", p.config(), "-serial", filepath.Join(p.dir, "pty")}, out
	if err := broker.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		broker.Process.Kill()
		broker.Wait()
	})

	var mu sync.Mutex // covers topics and text
	topics, text := map[string]int{}, ""
	var conn net.Conn
	for end := time.Now().Add(10 * time.Second); conn == nil; time.Sleep(10 * time.Millisecond) {
		if conn, err = net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", ports[0])); err != nil && time.Now().After(end) {
			t.Fatal(err)
		}
	}
	host := paho.NewClient(paho.ClientConfig{Conn: packets.NewThreadSafeConn(conn), OnPublishReceived: []func(paho.PublishReceived) (bool, error){func(r paho.PublishReceived) (bool, error) {
		mu.Lock()
		defer mu.Unlock()
		topics[r.Packet.Topic]++
		text += string(r.Packet.Payload)
		return true, nil
	}}})
	if _, err := host.Connect(context.Background(), &paho.Connect{ClientID: "host", KeepAlive: 30, CleanStart: true}); err != nil {
		t.Fatal(err)
	}
	defer host.Disconnect(&paho.Disconnect{})
	if _, err := host.Subscribe(context.Background(), &paho.Subscribe{Subscriptions: []paho.SubscribeOptions{{Topic: "spBv1.0/#"}}}); err != nil {
		t.Fatal(err)
	}
	p.start()
	has := func(topic, part string) func() bool {
		return func() bool {
			mu.Lock()
			defer mu.Unlock()
			return topics[topic] > 0 && strings.Contains(text, part)
		}
	}
	p.until("a birth", has("spBv1.0/mien/NBIRTH/demo", "Alarms/brow lowered/State"))
	p.until("an alarm", has("spBv1.0/mien/NDATA/demo", "unacknowledged"))
	for range 20 {
		if r, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/metrics", ports[4])); err != nil || r.StatusCode != 200 {
			t.Errorf("metrics: %v", err)
		} else {
			r.Body.Close()
		}
	}
	built, _ := debug.ReadBuildInfo()
	race := slices.Contains(built.Settings, debug.BuildSetting{Key: "-race", Value: "true"}) // has memory of its own
	if kib := gatewayMemory(t, p.Process.Pid); kib == 0 || kib > 60<<10 && !race {
		t.Errorf("the gateway has %d KiB", kib)
	} else {
		t.Logf("the gateway has %d KiB", kib)
	}
	p.signal(syscall.SIGTERM)
	p.ends()
	for end := time.Now().Add(5 * time.Second); !has("spBv1.0/mien/NDEATH/demo", "bdSeq")(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("no death was told")
		}
	}
	mu.Lock()
	defer mu.Unlock()
	for _, emotion := range []string{"valence", "arousal", "expression."} {
		if strings.Contains(text, emotion) {
			t.Errorf("%s was told, which nobody asked for", emotion)
		}
	}
	t.Log(topics)
}

// gatewayMemory is what the child of a demo that is its gateway has in memory, in KiB.
func gatewayMemory(t *testing.T, demo int) (kib int) {
	t.Helper()
	list, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", demo))
	for _, file := range list {
		children, _ := os.ReadFile(file)
		for _, pid := range strings.Fields(string(children)) {
			line, _ := os.ReadFile("/proc/" + pid + "/cmdline")
			status, _ := os.ReadFile("/proc/" + pid + "/status")
			if m := regexp.MustCompile(`VmRSS:\s*(\d+) kB`).FindSubmatch(status); m != nil && strings.Contains(string(line), "gateway") {
				kib, _ = strconv.Atoi(string(m[1]))
			}
		}
	}
	return kib
}
