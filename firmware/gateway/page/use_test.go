package page

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// in starts a page that a user is logged in to.
func in(t *testing.T, width int, role string) (*unit, *tab) {
	t.Helper()
	u := newUnit(t)
	u.role = role
	b := open(t, width, 900, u.URL)
	b.until(20*time.Second, `document.querySelector('main .view[data-view="now"] .alarm')`)
	return u, b
}

// long skips in a short run what takes a browser of its own and many seconds.
func long(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("in a browser, and long")
	}
}

// A page of a unit that stops says so, keeps saying so, and comes back by itself:
// when the gateway says it, when the gateway itself is away, and when it only hangs.
func TestUnitThatStops(t *testing.T) {
	u, b := in(t, 1280, "viewer")
	for name, how := range map[string]func(on bool){
		"the unit does not answer": func(on bool) { u.lost = on },
		"nothing comes":            func(on bool) { u.frozen = on },
		"the gateway is away":      func(on bool) { u.away = on },
	} {
		// How long it takes is measured in the page, from the last state that it had: a busy machine asks later.
		b.js(`import("/live.js").then(({ live }) => { window.took = null; const banner = document.querySelector(".banner");
			new MutationObserver(() => { if (!banner.hidden) window.took ??= performance.now() - live.seen; }).observe(banner, { attributes: true }); })`)
		u.set(func() { how(true) })
		b.until(15*time.Second, `!document.querySelector(".banner").hidden && document.querySelector(".shell.old")`)
		if text := b.text(); !strings.Contains(text, "does not answer") && !strings.Contains(text, "No connection") {
			t.Errorf("%s: says %q", name, text)
		}
		if took := value[float64](b, "window.took"); took <= 0 || took > 3000 {
			t.Errorf("%s: the page says so after %.0f ms, 3 s are meant", name, took)
		}
		u.set(func() { how(false) })
		b.until(15*time.Second, `document.querySelector(".banner").hidden && document.querySelector('.health[data-state="running"]')`)
	}
	b.quiet("net::ERR_")
}

// What each role may not do is greyed out; what it may is asked of the unit, by keys
// alone, and the unit's refusal is told.
func TestRoles(t *testing.T) {
	long(t)
	views := map[string][]string{"viewer": {"now", "aim", "alarms", "about"}, "operator": {"now", "aim", "alarms", "pilot", "about"}, "engineer": viewNames, "administrator": viewNames}
	for role, may := range map[string]map[string]bool{
		"viewer":        {"Acknowledge": false, "Shelve": false, "Take out of service": false},
		"operator":      {"Acknowledge": true, "Shelve": true, "Take out of service": false},
		"engineer":      {"Acknowledge": true, "Shelve": true, "Take out of service": true},
		"administrator": {"Acknowledge": true, "Shelve": true, "Take out of service": true},
	} {
		u, b := in(t, 1280, role)
		menu := value[[]string](b, `[...document.querySelectorAll("nav a")].map(a => a.dataset.view)`)
		if want := views[role]; !slices.Equal(menu, want) {
			t.Errorf("%s: the menu has %q, want %q", role, menu, want)
		}
		b.js(`location.hash = "config"`) // by its address, whatever the menu has
		first := "now"
		if slices.Contains(views[role], "config") {
			first = "config"
		}
		b.until(15*time.Second, fmt.Sprintf(`document.querySelector('main .view[data-view="%s"] h1')`, first))
		b.view("alarms")
		b.until(15*time.Second, `document.querySelector("tbody button")`)
		u.set(func() { u.asked = nil })
		for text, want := range may {
			got := value[bool](b, fmt.Sprintf(`[...document.querySelectorAll("tbody button")].filter(x => !x.hidden && x.textContent === %q).every(x => !x.disabled)`, text))
			if got != want {
				t.Errorf("%s: %s can be pressed: %v", role, text, got)
			}
		}
		if !may["Acknowledge"] {
			continue
		}
		b.js(`[...document.querySelectorAll("tbody button")].find(x => !x.hidden && x.textContent === "Acknowledge").focus()`)
		b.do(chromedp.KeyEvent("\r"))
		b.until(15*time.Second, `document.querySelector("[role=status]").textContent === "Done."`)
		u.set(func() { u.refuse = "acknowledge eyes closed: refused: there is nothing to acknowledge" })
		b.do(chromedp.KeyEvent("\r"))
		b.until(15*time.Second, `document.querySelector(".said[data-bad]")?.textContent.includes("there is nothing to acknowledge")`)
		u.mu.Lock()
		asked := slices.Clone(u.asked)
		u.mu.Unlock()
		if len(asked) != 2 || asked[0]["do"] != "acknowledge" || asked[0]["alarm"] != "eyes closed" {
			t.Errorf("%s asked %v", role, asked)
		}
		b.quiet("status of 409")
	}
}

// A dialog by keys alone: shelve for half an hour, and note a reason that may not be empty.
func TestDialogByKeys(t *testing.T) {
	long(t)
	u, b := in(t, 360, "engineer")
	b.view("alarms")
	press := func(text string) {
		b.js(fmt.Sprintf(`[...document.querySelectorAll("main button")].find(x => !x.hidden && x.textContent === %q).focus()`, text))
		b.do(chromedp.KeyEvent("\r"))
		b.until(15*time.Second, `document.querySelector("dialog[open]")`)
	}
	b.until(15*time.Second, `document.querySelector("tbody button")`)
	press("Take out of service")
	b.axe("dialog")
	b.do(chromedp.KeyEvent("\r"))
	b.until(15*time.Second, `!document.querySelector("dialog [role=alert]").hidden`)
	b.do(chromedp.KeyEvent("cleaning the lens\r"))
	b.until(15*time.Second, `!document.querySelector("dialog")`)
	press("Shelve")
	b.js(`document.querySelector("dialog select").value = "1800"; document.querySelector("dialog button.main").focus()`)
	b.do(chromedp.KeyEvent("\r"))
	b.until(15*time.Second, `!document.querySelector("dialog")`)
	b.until(15*time.Second, `document.querySelector("[role=status]").textContent === "Done."`)
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.asked) != 2 || u.asked[0]["do"] != "take out" || u.asked[0]["text"] != "cleaning the lens" || u.asked[1]["do"] != "shelve" || u.asked[1]["for"] != 1800e9 {
		t.Errorf("asked %v", u.asked)
	}
	b.quiet()
}

// A person changes the own password by keys alone, on a phone, and is told what is wrong.
func TestOwnPassword(t *testing.T) {
	long(t)
	_, b := in(t, 360, "viewer")
	b.view("about")
	for _, c := range []struct{ keys, says string }{
		{"wrong\tanother good sentence\tanother good sentence\r", "until now is wrong"}, {"right\tshort\tshort\r", "needs at least 12"},
		{"right\tanother good sentence\tanother sentence\r", "are not the same"}, {"right\tanother good sentence\tanother good sentence\r", "You have a new password"},
	} {
		b.press("main button", "Change your password")
		b.until(15*time.Second, `document.activeElement.closest("dialog[open]")`)
		b.do(chromedp.KeyEvent(c.keys))
		b.until(15*time.Second, fmt.Sprintf(`document.querySelector("main .said[role=status]").textContent.includes(%q)`, c.says))
	}
	b.axe("about, with a new password")
	b.quiet("status of 403", "status of 409")
}

// The whole page by the keyboard: the first key is a way past the menu, each view is
// reached, and what has the focus can be seen.
func TestKeyboard(t *testing.T) {
	long(t)
	for _, width := range []int{360, 1280} {
		t.Run(fmt.Sprint(width), func(t *testing.T) { keyboard(t, width) })
	}
}

func keyboard(t *testing.T, width int) {
	_, b := in(t, width, "engineer")
	b.js(`document.activeElement.blur(); document.body.focus()`)
	b.do(chromedp.KeyEvent("\t"))
	if text := value[string](b, "document.activeElement.textContent"); text != "Go to the content" {
		t.Errorf("the first key reaches %q", text)
	}
	b.do(chromedp.KeyEvent("\r"))
	if id := value[string](b, "document.activeElement.id"); id != "main" {
		t.Errorf("it leads to %q", id)
	}
	reached := 0
	for _, id := range viewNames {
		if width < 600 { // the menu is folded
			b.js(`document.querySelector("button.menu").focus()`)
			b.do(chromedp.KeyEvent("\r"))
		}
		b.js(fmt.Sprintf(`document.querySelector('nav a[data-view="%s"]').focus()`, id))
		b.do(chromedp.KeyEvent("\r"))
		b.until(15*time.Second, fmt.Sprintf(`document.querySelector('main .view[data-view="%s"] h1')`, id))
		b.settle()
		// Whatever can be used is reached; a radio button of a group, by arrows.
		b.js(`document.querySelectorAll("[data-reached]").forEach(e => delete e.dataset.reached)`)
		for range 200 {
			b.do(chromedp.KeyEvent("\t"))
			at := value[struct {
				Name, Ring   string
				Visible, End bool
			}](b, `(() => { const e = document.activeElement, s = getComputedStyle(e), r = e.getBoundingClientRect();
				e.dataset.reached = "";
				return { Name: e.tagName + (e.getAttribute("aria-label") ?? e.textContent).slice(0, 40), Visible: r.width > 0 && r.height > 0, Ring: s.outlineStyle, End: e === document.body }; })()`)
			if at.End {
				break
			}
			if !at.Visible || at.Ring == "none" {
				t.Errorf("%s: the focus on %s cannot be seen", id, at.Name)
			}
		}
		reached += value[int](b, `document.querySelectorAll("main [data-reached]").length`)
		for _, missed := range value[[]string](b, `[...document.querySelectorAll("main :is(a[href], button, input, select, textarea, summary, [tabindex]):not([data-reached], :disabled, [tabindex='-1'])")].filter(e => e.checkVisibility()).map(e => e.outerHTML.slice(0, 120))`) {
			t.Errorf("%s: not reached: %s", id, missed)
		}
	}
	if reached < 40 {
		t.Errorf("only %d places of all views are reached", reached)
	}
	b.quiet()
}

// Every text on the screen is from the table, or said by the unit and marked so. The
// table is put in brackets, and what stands outside of them is found.
func TestNoTextOutsideOfTheTable(t *testing.T) {
	long(t)
	_, b := in(t, 1280, "administrator")
	b.js(`Promise.all([import("/text.js"), import("/language.js")]).then(([m]) => { for (const k in m.texts) m.texts[k] = m.texts[k].map(x => "⟦" + x + "⟧"); })`)
	for _, id := range append(slices.Clone(viewNames), "now") {
		b.view(id)
		b.settle()
		found := value[string](b, `(() => {
			const out = [], own = e => e.closest("[translate=no]");
			const check = (text, e) => { const known = /⟦[^⟦⟧]*⟧/g, rest = text.replace(known, "").replace(known, "").replace(/px|°C|\bms\b|\bmin\b|\bs\b|\bh\b|\bd\b/g, "").replace(/[\s\d.,:;·/%°≥≤→()–+-]/g, ""); if (rest) out.push(rest + " in " + e.outerHTML.slice(0, 120)); };
			const walk = document.createTreeWalker(document.querySelector("main"), NodeFilter.SHOW_TEXT);
			while (walk.nextNode()) if (!own(walk.currentNode.parentElement)) check(walk.currentNode.data, walk.currentNode.parentElement);
			for (const e of document.querySelectorAll("main *")) for (const a of ["aria-label", "title", "placeholder", "alt"]) if (e.hasAttribute(a) && !own(e)) check(e.getAttribute(a), e);
			return JSON.stringify(out);
		})()`)
		var list []string
		json.Unmarshal([]byte(found), &list)
		for _, text := range list {
			t.Errorf("%s: outside of the table: %s", id, text)
		}
	}
}

// The first view is small: what a browser gets for it, compressed as the gateway does.
func TestFirstViewIsSmall(t *testing.T) {
	long(t)
	u, b := in(t, 360, "viewer")
	b.until(15*time.Second, `document.querySelector(".plot canvas")`)
	u.mu.Lock()
	defer u.mu.Unlock()
	slices.Sort(u.served)
	sum := 0
	for _, name := range slices.Compact(u.served) {
		var packed bytes.Buffer
		z, _ := gzip.NewWriterLevel(&packed, gzip.BestCompression)
		z.Write(u.files[name])
		z.Close()
		sum += packed.Len() + 700 // and its headers
		t.Logf("%-14s %6d bytes", name, packed.Len())
	}
	t.Logf("%d bytes", sum)
	if sum > 150_000 {
		t.Errorf("%d bytes, 150 kB are meant", sum)
	}
}

// Expression, valence and arousal are shown where the unit tells them, and then only as
// its own group; of a unit without a purpose there is none.
func TestNoEmotionWithoutPurpose(t *testing.T) {
	_, b := in(t, 1280, "viewer")
	for _, word := range []string{"valence", "arousal", "Expression", "anger"} {
		if strings.Contains(b.text(), word) {
			t.Errorf("says %s", word)
		}
	}
	if !strings.Contains(b.text(), "no emotion is shown") {
		t.Error("does not say that no emotion is shown")
	}
}

// On a phone nothing of the head and of the lines is pressed into two rows, whatever the
// unit says of itself; and a date is one that nobody reads the other way round.
func TestOnAPhone(t *testing.T) {
	long(t)
	u, b := in(t, 360, "engineer")
	u.set(func() { u.edit = func(s map[string]any) { s["valid"], s["reason"] = false, "no face" } })
	for _, language := range Languages {
		b.wear(language, "light")
		b.view("wiring")
		b.until(15*time.Second, `document.querySelector('.health[data-state="stopped"]')`)
		for _, what := range value[[]string](b, `[...document.querySelectorAll(".head .menu, .lines .do, .lines .do button")].filter(e => e.getBoundingClientRect().height > 50).map(e => e.className + " " + e.textContent)`) {
			t.Errorf("%s: in two rows: %s", language, what)
		}
		b.view("alarms")
		b.until(15*time.Second, `/20\d\d[-/]\d\d[-/]\d\d/.test(document.querySelectorAll("table")[1].innerText)`)
	}
	b.quiet("status of 401")
}

// A session that ends shows the log-in, and why.
func TestSessionEnds(t *testing.T) {
	long(t)
	u, b := in(t, 360, "viewer")
	u.set(func() { u.bye, u.role = "idle", "" })
	b.until(15*time.Second, `document.querySelector("form input[name=name]")`)
	if text := b.text(); !strings.Contains(text, "nobody used the page") {
		t.Errorf("says %q", text)
	}
	u.set(func() { u.bye = "" })
	b.login("viewer", "right")
	b.until(15*time.Second, `document.querySelector('main .view[data-view="now"] .alarm')`)
	u.set(func() { u.role, u.over = "", "password changed" })
	b.js(`import("./api.js").then((api) => api.me()).catch(() => {})`) // what a person does is told before the stream
	b.until(15*time.Second, `document.querySelector("[role=alert]").textContent.includes("your password was changed")`)
	b.login("viewer", "wrong")
	b.until(15*time.Second, `document.querySelector("[role=alert]").textContent === "Name or password is wrong."`)
	b.js(`document.querySelector("input[name=name]").value = ""; document.querySelector("input[name=name]").focus()`)
	b.do(chromedp.KeyEvent("viewer\tright\r"))
	b.until(15*time.Second, `document.querySelector('main .view[data-view="now"] .alarm')`)
	b.quiet("status of 401")
}

// A unit without the plots' library has a page all the same, which says what is missing.
func TestWithoutPlots(t *testing.T) {
	long(t)
	t.Setenv("MIEN_LIB", t.TempDir())
	files, err := Files()
	if err == nil || !strings.Contains(err.Error(), "no plots") || files["uPlot.js"] != nil || files["index.html"] == nil {
		t.Fatalf("%d files, %v", len(files), err)
	}
	u := startUnit(t, files)
	u.role = "viewer"
	b := open(t, 360, 740, u.URL)
	b.until(20*time.Second, `document.querySelector(".plot .said")`)
	if text := b.text(); !strings.Contains(text, "plots' library is missing") {
		t.Errorf("says %q", text)
	}
	b.quiet("status of 404")
}
