// The page of one model: its outputs for a text, best first, and where it looked.

import { attentionMap } from "./attention.js";
import { bar, h, percent, show, symbol } from "./elements.js";

export class Answers {
  constructor(root, [model], site) {
    Object.assign(this, { model, site });
    root.style.setProperty("--color", model.color);
    this.best = h("output", { id: "answer", class: "answer", for: "text", dir: "auto" });
    this.copied = h("span", { role: "status" });
    this.copy = h("button", { type: "button", class: "quiet", onclick: () => this.copyText() }, "Copy");
    this.probability = h("p", { class: "small", id: "probability" });
    this.list = h("ol", { class: "likeliest" });
    this.others = h("section", {}, h("h2", {}, "Likeliest outputs"), this.list);
    this.map = h("section", {});
    root.append(
      h("section", { class: "best", "aria-live": "polite" }, h("div", { class: "line" }, this.best, this.copy, this.copied), this.probability),
      h("div", { class: "columns" }, this.others, this.map),
    );
  }

  /** Show the outputs for a text. */
  async show(tokens) {
    const found = await this.model.search(tokens);
    this.tokens = tokens;
    this.found = found;
    this.chosen = 0;
    this.best.textContent = found[0]?.text ?? "";
    this.best.classList.toggle("empty", !found[0]?.text);
    this.copy.disabled = !found[0]?.text;
    this.copied.textContent = "";
    const total = found.reduce((sum, each) => sum + each.probability, 0);
    this.probability.textContent = !found.length
      ? "The model has no output for this text."
      : `Probability ${percent(found[0].probability)}${found[0].text ? "" : ", for an empty text"}${found[0].ended ? "" : "; cut off at the longest output"}.` +
        (found.length > 1 ? ` All ${found.length} below: ${percent(Math.min(1, total))}.` : "");
    this.others.hidden = found.length < 2;
    this.draw();
  }

  /** Draw the list and the map, whose output is the chosen one. */
  draw() {
    const choose = this.found.some((each) => each.weights);
    show(
      this.list,
      ...this.found.map((each, place) => {
        const content = [h("bdi", { class: "text" }, each.text || "(empty)"), bar(each.probability), h("span", { class: "number" }, percent(each.probability))];
        if (!choose) return h("li", {}, h("span", { class: "choice" }, ...content));
        const onclick = () => ((this.chosen = place), this.draw());
        return h("li", {}, h("button", { type: "button", class: "choice", "data-key": `output-${place}`, "aria-pressed": String(place === this.chosen), onclick }, ...content));
      }),
    );
    const { weights, tokens } = this.found[this.chosen] ?? {};
    this.map.hidden = !weights || !this.tokens.length;
    if (this.map.hidden) return;
    show(this.map, h("h2", {}, "Where it looks"), attentionMap(this.tokens, tokens, weights, this.model.color));
  }

  async copyText() {
    const text = this.best.textContent;
    try {
      await navigator.clipboard.writeText(text);
      this.copied.textContent = "Copied.";
    } catch { // without https, or not allowed: the reader copies the selection
      getSelection().selectAllChildren(this.best);
      this.copied.textContent = "Selected: press Ctrl-C.";
    }
  }
}
