package page

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// press presses the button of a text by the keyboard.
func (b *tab) press(where, text string) {
	b.t.Helper()
	find := fmt.Sprintf(`[...document.querySelectorAll(%q)].find(x => x.offsetParent && !x.disabled && (x.textContent === %q || x.getAttribute("aria-label") === %[2]q))`, where, text)
	b.until(15*time.Second, find)
	b.js(find + ".focus()")
	b.do(chromedp.KeyEvent("\r"))
}

// A unit is set up from the page: an output is tested alone, a mistake in the config is
// told by its line, a limit is dragged, applied and undone, a drill is led, and a
// report is made. All of it with the unit and the gateway as they run.
func TestUnitIsSetUpFromThePage(t *testing.T) {
	if testing.Short() {
		t.Skip("builds mien and plays its clip")
	}
	address, password := demo(t)
	b := open(t, 1280, 900, address)
	b.login("engineer", password)
	b.until(20*time.Second, `document.querySelector('main .view[data-view="now"] .alarm')`)

	b.view("wiring")
	b.press("main button", "On: horn")
	b.until(15*time.Second, `document.querySelector("main .said[role=status]").textContent.includes("horn on")`)
	b.until(15*time.Second, `[...document.querySelectorAll("main .lines li")].find(x => x.textContent.startsWith("horn")).querySelector(".lamp[data-on]")`)
	b.press("main button", "Off: healthy")
	b.until(15*time.Second, `document.querySelector("main .said[role=status]").textContent.includes("healthy off")`)
	b.press("main button", "End the test")
	b.until(15*time.Second, `document.querySelector("main .said[role=status]").hidden`)
	b.until(15*time.Second, `document.querySelector("table.frames td.code")?.textContent.startsWith("$MIEN,")`)
	b.axe("wiring")
	b.picture("real-wiring")

	b.view("config")
	b.until(15*time.Second, `document.querySelector("textarea").value.includes("[[alarm]]")`)
	b.js(`const a = document.querySelector("textarea"); a.value = a.value.replace("high = 0.7", "hgih = 0.7"); a.dispatchEvent(new Event("input"))`)
	b.until(15*time.Second, `document.querySelector(".problems li")`)
	line := value[int](b, `document.querySelector("textarea").value.split("\n").findIndex(x => x.startsWith("hgih")) + 1`)
	if text := value[string](b, `document.querySelector(".problems").textContent`); !strings.Contains(text, fmt.Sprintf("line %d", line)) || !strings.Contains(text, `"high"`) {
		t.Errorf("line %d: the mistake is told as %q", line, text)
	}
	b.until(15*time.Second, fmt.Sprintf(`[...document.querySelectorAll(".gutter [data-bad]")].some(x => x.textContent.includes("%d"))`, line))
	if !value[bool](b, `[...document.querySelectorAll("main button.main")].every(x => x.disabled)`) {
		t.Error("a wrong config can be applied")
	}
	b.axe("config with a mistake")
	b.picture("real-config")

	b.view("limits")
	b.until(15*time.Second, `document.querySelector("[role=slider]")`)
	b.js(`import("/live.js").then(({ live }) => { window.held = live; })`)
	b.until(30*time.Second, "held.history.time.at(-1) - held.history.time[0] > 10") // some seconds to work on
	b.press("main button", "Take the newest minutes")
	b.until(15*time.Second, `[...document.querySelectorAll("main .said[role=status]")].some(x => x.textContent.includes("by the limits in force"))`)
	drag(b, `document.querySelector("svg.limits")`, .75)
	b.until(15*time.Second, `Number(document.querySelector("[role=slider]").getAttribute("aria-valuenow")) < .4`)
	b.until(15*time.Second, `[...document.querySelectorAll("main .changed strong")].some(x => x.textContent === "alarm[brow lowered].high")`)
	before := value[float64](b, `Number(document.querySelector("[role=slider]").getAttribute("aria-valuenow"))`)
	b.js(`document.querySelector("[role=slider]").focus()`)
	b.do(chromedp.KeyEvent(kb.ArrowUp))
	b.until(15*time.Second, fmt.Sprintf(`Math.abs(Number(document.querySelector("[role=slider]").getAttribute("aria-valuenow")) - %v) < .002`, before+.01))
	limit := value[float64](b, `Number(document.querySelector("[role=slider]").getAttribute("aria-valuenow"))`)
	b.until(15*time.Second, fmt.Sprintf(`[...document.querySelectorAll("main .changed")].some(x => x.textContent.includes("→ %v"))`, limit))
	b.axe("limits with a change")
	b.picture("real-limits")
	b.press("main button", "Apply")
	b.until(15*time.Second, `document.querySelector("main").textContent.includes("The unit runs with it")`)
	inForce := `fetch("/api/me").then(r => r.json()).then(m => fetch("/api/ask", {method: "POST", headers: {"Content-Type": "application/json", "X-Mien-CSRF": m.csrf}, body: JSON.stringify({ask: "alarms"})})).then(r => r.json()).then(r => r.alarms.find(a => a.name === "brow lowered").limit)`
	if got := value[float64](b, inForce); got < limit-.001 || got > limit+.001 {
		t.Errorf("the unit's limit is %v, dragged to %v", got, limit)
	}
	b.press("main button", "Undo the last change")
	b.until(15*time.Second, `document.querySelector("main").textContent.includes("in force again")`)
	if got := value[float64](b, inForce); got < .699 || got > .701 {
		t.Errorf("after the undo the unit's limit is %v", got)
	}

	b.view("pilot")
	b.until(15*time.Second, `document.querySelector("main input")?.offsetParent`)
	b.js(`document.querySelector("main input").focus()`)
	b.do(chromedp.KeyEvent("limits for the demo"))
	b.press("main button", "Start recording")
	b.until(15*time.Second, `document.querySelector("main .pairs").textContent.includes("recording until")`)
	b.js(`const s = document.querySelectorAll("main select"); s[s.length - 2].value; [...s].find(x => [...x.options].some(o => o.text === "eyes closed" && o.value === "1")).value = "1"`)
	b.press("main button", "Start the drill")
	b.until(15*time.Second, `document.querySelector("dialog.drill .words").textContent.includes("Work as usual")`)
	b.axe("drill")
	b.picture("real-drill")
	b.until(40*time.Second, `document.querySelector("dialog.drill .words").textContent.includes("CLOSE YOUR EYES")`)
	b.press("dialog button", "Break off")
	b.until(15*time.Second, `document.querySelector("dialog.drill .words").textContent.includes("broken off")`)
	b.press("dialog button", "Close")
	b.press("main button", "Withdraw the last")
	b.press("main button", "Make the report")
	b.until(60*time.Second, `document.querySelector('a[href="/api/report"]')`)
	if text := value[string](b, `fetch("/api/report").then(r => r.text())`); !strings.Contains(text, "</html>") || !strings.Contains(text, "brow lowered") {
		t.Errorf("the report is %.300s", text)
	}
	b.axe("pilot")
	b.picture("real-pilot")
	b.press("main button", "End the recording")
	b.quiet("status of 401", "status of 409")
}

// drag moves the limit in a drawing to a share of its height, with a mouse.
func drag(b *tab, element string, share float64) {
	b.t.Helper()
	at := value[[]float64](b, fmt.Sprintf(`(() => { const e = %s; e.scrollIntoView({block: "center"}); const r = e.getBoundingClientRect(); return [r.left + r.width / 2, r.top, r.height * 240 / 284]; })()`, element))
	mouse := func(kind input.DispatchMouseEventType, y float64) {
		b.do(chromedp.MouseEvent(kind, at[0], y, chromedp.ButtonType(input.MouseButtonLeft)))
	}
	mouse(input.DispatchMouseEventTypeMousePressed, at[1]+at[2]*.3)
	for n := .3; n <= share; n += .05 {
		mouse(input.DispatchMouseEventTypeMouseMoved, at[1]+at[2]*n)
	}
	mouse(input.DispatchMouseEventTypeMouseReleased, at[1]+at[2]*share)
}
