package page

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"mien/model/assets"
)

var pictures = flag.String("pictures", "", "make the pictures of this `view` in docs/page anew, from the demo; all: of each")

// demo gives the address of mien demo -page, with its own gateway, and the password of
// its users. All tests share one.
func demo(t testing.TB) (address, password string) {
	t.Helper()
	if _, err := assets.Find(assets.LiteRT); err != nil {
		t.Skip(err)
	}
	d, err := theDemo()
	if err != nil {
		t.Fatal(err)
	}
	return d.address, d.password
}

type running struct{ address, password string }

var theDemo = sync.OnceValues(func() (d running, err error) {
	folder, err := os.MkdirTemp("", "mien-page")
	if err != nil {
		return d, err
	}
	ended = append(ended, func() { os.RemoveAll(folder) })
	mien := filepath.Join(folder, "mien")
	if out, err := exec.Command("go", "build", "-ldflags", "-X main.version=demo", "-o", mien, "../../mien").CombinedOutput(); err != nil {
		return d, fmt.Errorf("%w\n%s", err, out)
	}
	cmd := exec.Command(mien, "demo", "-page", "-port", "0", "-serial", filepath.Join(folder, "serial"))
	lib, err := assets.Find(assets.LiteRT)
	if err != nil {
		return d, err
	}
	cmd.Env = append(os.Environ(), "MIEN_LIB="+filepath.Dir(lib))
	out, err := cmd.StdoutPipe()
	if err != nil {
		return d, err
	}
	if err := cmd.Start(); err != nil {
		return d, err
	}
	ended = append(ended, func() {
		cmd.Process.Signal(syscall.SIGTERM)
		late := time.AfterFunc(20*time.Second, func() { cmd.Process.Kill() })
		cmd.Wait()
		late.Stop()
	})
	lines := bufio.NewScanner(out)
	for (d.address == "" || d.password == "") && lines.Scan() {
		if a, found := strings.CutPrefix(lines.Text(), "page: "); found {
			d.address = strings.TrimSpace(a)
		}
		if _, p, found := strings.Cut(lines.Text(), "password: "); found {
			d.password = strings.TrimSpace(p)
		}
	}
	if d.address == "" || d.password == "" {
		return d, errors.New("the demo printed no page")
	}
	go func() {
		for lines.Scan() {
		}
	}()
	return d, nil
})

// The demo as a newcomer sees it: log in, each view shows what the unit says, an alarm
// comes and is acknowledged, no word on the console.
func TestDemo(t *testing.T) {
	if testing.Short() && *pictures == "" {
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
	b.until(20*time.Second, `document.body.innerText.includes(location.host) && document.querySelector("details")`)
	b.axe("about")
	if *pictures != "" {
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
	limits := func() {
		b.press("main button", value[string](b, `import("/text.js").then(m => m.texts["limits.fresh"][document.documentElement.lang === "ja" ? 1 : 0])`))
		b.js(`document.querySelector("[role=slider]").focus()`)
		for range 3 {
			b.do(chromedp.KeyEvent(kb.PageDown))
		}
	}
	wiring := func() {
		b.press("main button", "On: horn")
		b.until(15*time.Second, `[...document.querySelectorAll("main .lines li")].find(x => x.textContent.startsWith("horn")).querySelector(".lamp[data-on]")`)
	}
	pilot := func() {
		if value[bool](b, `document.querySelector("main input").checkVisibility()`) {
			b.js(`document.querySelector("main input").focus()`)
			b.do(chromedp.KeyEvent("limits for the press"))
			b.press("main button", "Start recording")
		}
		b.until(15*time.Second, `!document.querySelector("main input").checkVisibility()`)
		b.js(`scrollTo(0, 0)`)
	}
	for _, p := range []struct {
		view, language, theme string
		ready                 func()
		when                  string
		width, height         int
	}{
		{"now", "en", "light", nil, `document.querySelector('.alarm[data-priority="critical"][data-on]')`, 1280, 860},
		{"aim", "en", "light", nil, drawn, 1280, 700},
		{"limits", "en", "light", limits, `document.querySelector(".limits .then rect")`, 1280, 800},
		{"wiring", "en", "light", wiring, `document.querySelector("table.frames td")`, 1280, 860},
		{"pilot", "en", "light", pilot, `document.querySelector(".pairs dd")`, 1280, 860},
		{"about", "en", "light", nil, `document.querySelector("details")`, 1280, 860},
		{"config", "en", "dark", func() {
			b.until(15*time.Second, `document.querySelector("textarea").value`)
			b.js(`const a = document.querySelector("textarea"); a.value = a.value.replace("high = 0.7", "hgih = 0.7"); a.dispatchEvent(new Event("input"))`)
		}, `document.querySelector(".problems li")`, 1280, 860},
		{"alarms", "en", "dark", nil, `document.querySelector("td .state[data-ack]")`, 1280, 860},
		{"wiring", "en", "dark", wiring, `document.querySelector("table.frames td")`, 360, 740},
		{"now", "ja", "dark", nil, `document.querySelector(".alarm[data-on]")`, 360, 740},
		{"aim", "ja", "light", nil, drawn, 360, 740},
		{"limits", "ja", "light", limits, `document.querySelector(".limits .then rect")`, 360, 740},
	} {
		if *pictures != "all" && *pictures != p.view {
			continue
		}
		b.do(emulate(p.width, p.height))
		b.wear(p.language, p.theme)
		b.view(p.view)
		b.js(`import("/live.js").then(({ live }) => { window.held = live; })`)
		b.until(time.Minute, "held.history.time.at(-1) - held.history.time[0] > 26") // the plots fill
		if p.ready != nil {
			p.ready()
		}
		b.until(time.Minute, p.when)
		time.Sleep(300 * time.Millisecond)
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
