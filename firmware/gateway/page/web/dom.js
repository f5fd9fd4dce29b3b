// Small helpers to build and to change elements. Text is always set as text: nothing
// that a unit or a person says becomes markup.

// h makes an element: h("p", {class: "muted", onclick: f}, "text", child, …). A property
// that is false or null is left out; children may be nested lists.
export function h(tag, props, ...children) {
  return fill(document.createElement(tag), props, children);
}

const svgSpace = "http://www.w3.org/2000/svg";

// s makes an element of SVG.
export function s(tag, props, ...children) {
  return fill(document.createElementNS(svgSpace, tag), props, children);
}

function fill(element, props, children) {
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === false || value === null || value === undefined) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "value" || name === "checked" || name === "htmlFor") element[name] = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((c) => c !== null && c !== undefined && c !== false && c !== ""));
  return element;
}

// put sets an element's text where it has changed: a reader of screens is told only of changes.
export function put(element, text) {
  text = String(text);
  if (element.textContent !== text) element.textContent = text;
}

// set changes an attribute where it has changed; null removes it.
export function set(element, name, value) {
  if (value === null || value === undefined || value === false) {
    if (element.hasAttribute(name)) element.removeAttribute(name);
    return;
  }
  value = value === true ? "" : String(value);
  if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}

// list keeps one child of parent for each item, by key, in order: make(item) builds one,
// update(child, item) changes it. Children that stay keep focus and what a person has opened.
export function list(parent, items, key, make, update) {
  const have = (parent.keyed ??= new Map());
  const seen = new Set();
  let after = null;
  for (const item of items) {
    const k = key(item);
    seen.add(k);
    let child = have.get(k);
    if (!child) have.set(k, (child = make(item)));
    update?.(child, item);
    const next = after ? after.nextSibling : parent.firstChild;
    if (next !== child) parent.insertBefore(child, next);
    after = child;
  }
  for (const [k, child] of have) {
    if (seen.has(k)) continue;
    child.remove();
    have.delete(k);
  }
}

// unit marks a text that comes from the unit (a name, a reason): it is in no table and not translated.
export function unit(text, props) {
  return h("span", { translate: "no", ...props }, text);
}
