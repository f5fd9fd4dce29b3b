package page

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

var screens = flag.String("screens", "", "also write a picture of each view into this `folder`")

// tab is a page in a browser. What it says on its console, and what it breaks of its
// security policy, is an error.
type tab struct {
	t   testing.TB
	ctx context.Context

	mu   sync.Mutex // covers what is below
	said []string   // on the console
}

// What all tests share: one browser, and one demo with its own gateway.
var (
	browser = sync.OnceValues(startBrowser)
	ended   []func() // by TestMain, the last first
)

func TestMain(m *testing.M) {
	code := m.Run()
	for _, end := range slices.Backward(ended) {
		end()
	}
	os.Exit(code)
}

func startBrowser() (context.Context, error) {
	program := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if p, err := exec.LookPath(name); err == nil {
			program = p
			break
		}
	}
	if program == "" {
		return nil, nil
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(program), chromedp.Flag("lang", "en-GB"), chromedp.Flag("disable-dev-shm-usage", true))
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox)
	}
	alloc, stop := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, end := chromedp.NewContext(alloc)
	ended = append(ended, func() { end(); stop() })
	return ctx, chromedp.Do(ctx)
}

// open gives a window of its own, width pixels wide: it knows nothing of the others.
func open(t testing.TB, width, height int, address string) *tab {
	t.Helper()
	all, err := browser()
	if all == nil {
		t.Skip("no chromium on this machine: apt-get install --no-install-recommends chromium")
	}
	if err != nil && strings.Contains(err.Error(), "No usable sandbox") {
		t.Skip("chromium has no sandbox on this machine, and is not run without one: apt-get install --no-install-recommends chromium-sandbox")
	}
	if err != nil {
		t.Fatal(err)
	}
	ctx, end := chromedp.NewContext(all, chromedp.WithNewBrowserContext())
	ctx, late := context.WithTimeout(ctx, 8*time.Minute)
	b := &tab{t: t, ctx: ctx}
	t.Cleanup(func() { late(); end() })
	said := chromedp.Console(ctx)
	go func() {
		for m, err := range said {
			if err != nil {
				return
			}
			b.note(fmt.Sprintf("%s: %s", m.Type, m.Text))
		}
	}()
	b.do(chromedp.Steps(emulate(width, height), chromedp.Navigate(address)))
	return b
}

func emulate(width, height int) chromedp.Action[chromedp.Void] {
	return chromedp.EmulateViewport(int64(width), int64(height), func(p *emulation.SetDeviceMetricsOverrideParams, _ *emulation.SetTouchEmulationEnabledParams) {
		p.Mobile = width < 600
	})
}

func (b *tab) note(text string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.said = append(b.said, text)
}

// quiet fails for what was said, but for what a test provoked.
func (b *tab) quiet(but ...string) {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
next:
	for _, text := range b.said {
		for _, ok := range but {
			if strings.Contains(text, ok) {
				continue next
			}
		}
		b.t.Errorf("on the console: %s", text)
	}
	b.said = nil
}

func (b *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, steps...); err != nil {
		b.t.Fatal(err)
	}
}

// js runs a script, or waits for the promise that it gives.
func (b *tab) js(script string) {
	b.t.Helper()
	b.do(chromedp.Evaluate[chromedp.Void](script, chromedp.EvalAwaitPromise))
}

// value gives the value of an expression, or what it promises.
func value[T any](b *tab, expression string) T {
	b.t.Helper()
	v, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatalf("%s: %v", expression, err)
	}
	return v
}

// until waits for an expression to be true.
func (b *tab) until(most time.Duration, expression string) time.Duration {
	b.t.Helper()
	begin := time.Now()
	for {
		if value[bool](b, "Boolean("+expression+")") {
			return time.Since(begin)
		}
		if time.Since(begin) > most {
			b.t.Fatalf("not within %v: %s\n%.1500s", most, expression, b.text())
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func (b *tab) text() string { return value[string](b, "document.body.innerText") }

// login fills in the form by keys alone.
func (b *tab) login(name, password string) {
	b.t.Helper()
	b.until(15*time.Second, `document.querySelector("form input[name=name]")`)
	b.do(chromedp.KeyEvent(name + "\t" + password + "\r"))
}

// go to a view and wait until it stands.
func (b *tab) view(id string) {
	b.t.Helper()
	b.js(fmt.Sprintf("location.hash = %q", id))
	b.until(15*time.Second, fmt.Sprintf(`document.querySelector('nav a[data-view="%s"][aria-current]') && document.querySelector('main .view[data-view="%[1]s"] h1')`, id))
}

// axe looks for what keeps people out; each violation is an error.
func (b *tab) axe(where string) {
	b.t.Helper()
	source, err := os.ReadFile(filepath.Join("..", "..", "..", ".deps", "test", "axe.min.js"))
	if err != nil {
		b.t.Skip("axe-core is not here: make deps: ", err)
	}
	if !value[bool](b, "typeof axe === 'object'") {
		b.js(string(source))
	}
	found := value[string](b, `axe.run(document, {runOnly: ["wcag2a","wcag2aa","wcag21a","wcag21aa","wcag22aa","best-practice"]}).then(r => JSON.stringify(r.violations.map(v => v.id + ": " + v.help + " " + v.nodes.map(n => n.target.join(" ") + " " + n.html.slice(0, 160) + " " + n.failureSummary).join(" | "))))`)
	var list []string
	json.Unmarshal([]byte(found), &list)
	for _, v := range list {
		b.t.Errorf("%s: axe: %s", where, v)
	}
}

// picture writes what is seen, whole, as PNG.
func (b *tab) picture(name string) {
	if *screens == "" {
		return
	}
	full := true
	r, err := chromedp.Call(b.ctx, page.CaptureScreenshot, page.CaptureScreenshotParams{CaptureBeyondViewport: &full})
	if err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(*screens, name+".png"), r.Data, 0o644); err != nil {
		b.t.Fatal(err)
	}
}

var viewNames = []string{"now", "aim", "alarms", "limits", "wiring", "pilot", "config", "about"}

// Every view, on a phone and on a desktop, in both languages, light and dark: no
// violation, no message, nothing wider than the screen.
func TestEveryView(t *testing.T) {
	u := newUnit(t)
	for n, size := range [][2]int{{360, 740}, {1280, 900}} {
		b := open(t, size[0], size[1], u.URL)
		u.set(func() { u.role = "" })
		b.do(chromedp.Navigate(u.URL))
		b.until(15*time.Second, `document.querySelector("form")`)
		b.axe(fmt.Sprintf("login %d", size[0]))
		b.picture(fmt.Sprintf("login-%d", size[0]))
		b.login("engineer", "right")
		for i, language := range Languages {
			if testing.Short() && i == n {
				continue
			}
			theme := []string{"light", "dark"}[(n+i)%2]
			b.wear(language, theme)
			for _, id := range viewNames {
				where := fmt.Sprintf("%s-%d-%s-%s", id, size[0], language, theme)
				b.view(id)
				b.settle()
				if over := value[int](b, "document.documentElement.scrollWidth - innerWidth"); over > 0 {
					t.Errorf("%s: %d pixels wider than the screen", where, over)
				}
				for _, text := range value[[]string](b, squeezed) {
					t.Errorf("%s: has no room: %q", where, text)
				}
				if text := b.text(); strings.Contains(text, "undefined") || strings.Contains(text, "NaN") || strings.Contains(text, "[object") {
					t.Errorf("%s: says %q", where, text)
				}
				b.axe(where)
				b.picture(where)
			}
		}
		b.quiet("status of 401")
	}
}

// squeezed finds text that stands in a column of a few letters.
const squeezed = `[...document.querySelectorAll("main *, header *")].filter(e => e.checkVisibility() && !(e instanceof SVGElement) && !e.closest(".only-read") && e.tagName !== "OPTION" &&
	[...e.childNodes].some(n => n.nodeType === 3 && n.data.trim().length > 12) && e.getBoundingClientRect().width < 60 && e.getBoundingClientRect().height > 60).map(e => e.textContent.slice(0, 60))`

// wear gives the page a language and a theme.
func (b *tab) wear(language, theme string) {
	b.t.Helper()
	b.until(15*time.Second, `document.querySelector("main .view h1")`)
	b.js(fmt.Sprintf(`localStorage.setItem("mien.language", %q); localStorage.setItem("mien.theme", %q)`, language, theme))
	b.do(chromedp.Reload())
	b.until(15*time.Second, fmt.Sprintf(`document.documentElement.dataset.theme === %q && document.documentElement.lang === %q && document.querySelector("main .view h1")`, theme, language))
}

// settle waits until a view shows what it asked for, and longer for a picture: its plots fill.
func (b *tab) settle() {
	b.t.Helper()
	wait := 300 * time.Millisecond
	if *screens != "" {
		wait = 3 * time.Second
	}
	time.Sleep(wait)
	b.until(15*time.Second, `!document.querySelector("[data-wait]")`)
}
