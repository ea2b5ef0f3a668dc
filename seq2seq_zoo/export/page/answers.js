// The page of one model: its outputs for a text, best first, and their attention.

import { attentionMap } from "./attention.js";
import { $, bar, h, percent, show, unfold } from "./elements.js";

export class Answers {
  constructor(model) {
    this.model = model;
    unfold("one");
    $("results").style.setProperty("--color", model.color);
    $("copy").addEventListener("click", copyAnswer);
  }

  /** Show the outputs for source tokens. */
  async show(tokens) {
    const found = await this.model.search(tokens);
    Object.assign(this, { tokens, found, chosen: 0 });
    const text = found[0]?.text ?? "";
    $("answer").textContent = text;
    $("answer").classList.toggle("empty", !text);
    $("copy").disabled = !text;
    $("copied").textContent = "";
    $("probability").textContent = inWords(found);
    $("likeliest").hidden = found.length < 2;
    this.draw();
  }

  /** Draw the list of outputs, and the attention map of the chosen one. */
  draw() {
    show($("likeliest").lastElementChild, ...this.found.map((each, place) => this.entry(each, place)));
    const { weights, tokens } = this.found[this.chosen] ?? {};
    $("attention").hidden = !weights || !this.tokens.length;
    if ($("attention").hidden) return;
    show($("attention").lastElementChild, attentionMap(this.tokens, tokens, weights, this.model.color));
  }

  entry({ text, probability, weights }, place) {
    const parts = [
      h("bdi", { class: "text" }, text || "(empty)"),
      bar(probability),
      h("span", { class: "number" }, percent(probability)),
    ];
    if (!weights) return h("li", {}, h("span", { class: "choice" }, ...parts));
    const onclick = () => ((this.chosen = place), this.draw());
    const pressed = String(place === this.chosen);
    const attributes = {
      type: "button",
      class: "choice",
      "data-key": `output-${place}`,
      "aria-pressed": pressed,
      onclick,
    };
    return h("li", {}, h("button", attributes, ...parts));
  }
}

/** How likely the outputs are. */
function inWords(found) {
  if (!found.length) return "The model has no output for this text.";
  const [best] = found;
  const total = found.reduce((sum, each) => sum + each.probability, 0);
  const kind = `${best.text ? "" : ", for an empty text"}${best.ended ? "" : "; cut off at the greatest length"}`;
  const all = found.length > 1 ? ` All ${found.length} below: ${percent(Math.min(1, total))}.` : "";
  return `Probability ${percent(best.probability)}${kind}.${all}`;
}

async function copyAnswer() {
  try {
    await navigator.clipboard.writeText($("answer").textContent);
    $("copied").textContent = "Copied.";
  } catch {
    // without https, or not allowed: the reader copies the selection
    getSelection().selectAllChildren($("answer"));
    $("copied").textContent = "Selected: press Ctrl-C.";
  }
}
