// Elements of the page, and how it writes tokens and numbers.

/** The element with an id. */
export const $ = (id) => document.getElementById(id);

/** Put what a template of the page has into the results. */
export const unfold = (template) => $("results").append($(template).content.cloneNode(true));

/** An element with attributes, listeners (`onclick`) and children; `null` and `false` are left out. */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "style") for (const [key, each] of Object.entries(value)) element.style.setProperty(key, each);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((each) => each !== null && each !== undefined && each !== false));
  return element;
}

/** Replace the children of an element; what had the focus has it again if it is still there. */
export function show(parent, ...children) {
  const key = parent.contains(document.activeElement) && document.activeElement.dataset.key;
  parent.replaceChildren(...children.flat().filter(Boolean));
  if (key) parent.querySelector(`[data-key="${CSS.escape(key)}"]`)?.focus({ preventScroll: true });
}

/** A probability in percent: never rounded to 0 % or 100 %. */
export function percent(probability) {
  const hundredth = 100 * probability;
  if (hundredth < 0.01) return probability > 0 ? "< 0.01 %" : "0 %";
  if (hundredth > 99.99) return probability < 1 ? "> 99.99 %" : "100 %";
  return `${hundredth.toFixed(hundredth < 1 || hundredth > 99 ? 2 : 1)} %`;
}

/** A token as it is shown: a space and what is invisible by a sign, a combining mark on a circle. */
export function shown(token) {
  if (/^\p{M}/u.test(token)) return `◌${token}`;
  if (token === " ") return "␣";
  const code = (each) => `U+${each.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}`;
  return /[^\p{C}\p{Z}]/u.test(token) ? token : [...token].map(code).join(" ") || "∅";
}

/** A token in its own direction of writing. */
export const bdi = (token, kind = null) => h("bdi", { class: kind }, shown(token));

/** The mark of a model in its colour, then its name. */
export const modelName = (model) => [
  h("i", { class: "glyph", "aria-hidden": "true", style: { "--color": model.color } }, model.glyph),
  h("span", {}, model.name),
];

/** A bar as long as a probability. */
export const bar = (probability) =>
  h("span", { class: "bar", "aria-hidden": "true", style: { "--share": `${(100 * probability).toFixed(2)}%` } });
