package page

import (
	"bufio"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"mien/model/assets"
)

var pictures = flag.Bool("pictures", false, "make the pictures of docs/page anew, from the demo")

// demo starts mien demo -page, with its own gateway, and gives the page's address and
// the password of its users.
func demo(t testing.TB) (address, password string) {
	t.Helper()
	if lib, err := assets.Find(assets.LiteRT); err != nil {
		t.Skip(err)
	} else {
		t.Setenv("MIEN_LIB", filepath.Dir(lib))
	}
	mien := filepath.Join(t.TempDir(), "mien")
	if out, err := exec.Command("go", "build", "-ldflags", "-X main.version=demo", "-o", mien, "../../mien").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	cmd := exec.Command(mien, "demo", "-page", "-port", "0", "-serial", filepath.Join(t.TempDir(), "serial"))
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		late := time.AfterFunc(20*time.Second, func() { cmd.Process.Kill() })
		cmd.Wait()
		late.Stop()
	})
	lines := bufio.NewScanner(out)
	for (address == "" || password == "") && lines.Scan() {
		if a, found := strings.CutPrefix(lines.Text(), "page: "); found {
			address = strings.TrimSpace(a)
		}
		if _, p, found := strings.Cut(lines.Text(), "password: "); found {
			password = strings.TrimSpace(p)
		}
	}
	if address == "" || password == "" {
		t.Fatal("the demo printed no page")
	}
	go func() {
		for lines.Scan() {
		}
	}()
	return address, password
}

// The demo as a newcomer sees it: log in, each view shows what the unit says, an alarm
// comes and is acknowledged, no word on the console.
func TestDemo(t *testing.T) {
	if testing.Short() && !*pictures {
		t.Skip("builds mien and plays its clip")
	}
	address, password := demo(t)
	b := open(t, 1280, 860, address)
	b.login("engineer", password)
	b.until(20*time.Second, `document.querySelector('main .view[data-view="now"] .alarm')`)
	b.until(60*time.Second, `document.querySelector(".alarm[data-on]")`)
	b.axe("now")
	b.view("aim")
	b.until(20*time.Second, `document.querySelector(".field .head-line").getAttribute("d")`)
	b.until(20*time.Second, `document.querySelector(".advice li:not([data-wait])")`)
	b.view("alarms")
	b.until(20*time.Second, `document.querySelectorAll("table")[1].querySelectorAll("tbody tr").length > 1`)
	b.axe("alarms")
	b.view("about")
	b.until(20*time.Second, `document.body.innerText.includes("127.0.0.1") && document.querySelector("details")`)
	b.axe("about")
	if *pictures {
		takePictures(t, b)
	}
	b.quiet("status of 401")
}

// takePictures fills docs/page: the unit of the demo, no person.
func takePictures(t *testing.T, b *tab) {
	folder := filepath.Join("..", "..", "..", "docs", "page")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	b.js(`localStorage.setItem("mien.window", 60)`)
	const drawn = `!document.querySelector(".field .head-line").hasAttribute("visibility") && document.querySelector('.advice li[data-grade="good"]')`
	for _, p := range []struct {
		view, language, theme, when string
		width, height               int
	}{
		{"now", "en", "light", `document.querySelector('.alarm[data-priority="critical"][data-on]')`, 1280, 860},
		{"aim", "en", "light", drawn, 1280, 700},
		{"alarms", "en", "dark", `document.querySelector("td .state[data-ack]")`, 1280, 860},
		{"about", "en", "light", `document.querySelector("details")`, 1280, 860},
		{"now", "ja", "dark", `document.querySelector(".alarm[data-on]")`, 360, 740},
		{"aim", "ja", "light", drawn, 360, 740},
	} {
		b.do(emulate(p.width, p.height))
		b.wear(p.language, p.theme)
		b.view(p.view)
		time.Sleep(27 * time.Second) // the plots fill
		b.until(time.Minute, p.when)
		quality := int64(82)
		r, err := chromedp.Call(b.ctx, page.CaptureScreenshot, page.CaptureScreenshotParams{Format: page.CaptureScreenshotFormatWebp, Quality: &quality})
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, fmt.Sprintf("%s-%d-%s.webp", p.view, p.width, p.language)), r.Data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// From a frame to the painted plot, and from an address to a view that can be used, in
// the demo on this machine.
func BenchmarkPage(b *testing.B) {
	address, password := demo(b)
	tab := open(b, 1280, 860, address)
	tab.login("viewer", password)
	tab.until(20*time.Second, `document.querySelector(".plot canvas")`)
	var opened []float64
	if _, err := chromedp.Call(tab.ctx, network.SetCacheDisabled, network.SetCacheDisabledParams{CacheDisabled: true}); err != nil {
		b.Fatal(err)
	}
	for range 5 {
		tab.do(chromedp.Reload())
		opened = append(opened, value[float64](tab, `new Promise(done => { const look = () => document.querySelector('main .view[data-view="now"] .alarm') ? done(performance.now()) : setTimeout(look, 5); look(); })`))
	}
	tab.until(20*time.Second, `document.querySelector(".plot canvas")`)
	ages := value[[]float64](tab, fmt.Sprintf(`import("/live.js").then(({ live }) => new Promise(done => { const ages = []; live.addEventListener("painted", e => { ages.push(e.detail.at - e.detail.taken); if (ages.length >= %d) done(ages); }); }))`, max(b.N, 300)))
	bytes := value[float64](tab, `performance.getEntriesByType("resource").concat(performance.getEntriesByType("navigation")).filter(e => !e.name.includes("/api/")).reduce((n, e) => n + Math.max(e.encodedBodySize, 0) + 300, 0)`)
	slices.Sort(opened)
	slices.Sort(ages)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(opened[len(opened)/2], "ms-to-use")
	b.ReportMetric(ages[len(ages)/2], "ms-painted-p50")
	b.ReportMetric(ages[len(ages)*95/100], "ms-painted-p95")
	b.ReportMetric(bytes, "bytes-first-view")
}
