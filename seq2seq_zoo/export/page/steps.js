// The page of several models: their steps side by side, teacher-forced or free, and what an other output would change.

import { attentionMap } from "./attention.js";
import { bar, h, modelName, percent, show, shown, symbol } from "./elements.js";

/** How many of the likeliest symbols a step shows. */
const LIKELIEST = 5;

export class Steps {
  constructor(root, models, site) {
    Object.assign(this, { models, site, changes: new Map(), chosen: 0, forced: false });
    this.vocabulary = models[0].target;
    const kind = (forced, name, about) =>
      h("label", { class: "option" }, h("input", { type: "radio", name: "pass", checked: forced === this.forced, onchange: () => this.force(forced) }), h("span", {}, h("b", {}, name), ` ${about}`));
    this.target = h("input", { id: "target", type: "text", dir: "auto", autocomplete: "off", spellcheck: "false", oninput: () => this.run() });
    this.targetLine = h("p", { class: "target", hidden: true }, h("label", { for: "target" }, "Target"), this.target);
    this.strange = h("p", { class: "note", role: "status", hidden: true });
    this.answers = h("div", { class: "answers" });
    this.changed = h("p", { class: "what-if" });
    this.table = h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Step by step" });
    this.details = h("div", { class: "cards" });
    this.further = h("p", { class: "further" });
    this.detailsTitle = h("h2", { id: "details" });
    this.maps = h("div", { class: "maps" });
    this.spoken = h("p", { class: "hidden", role: "status" }); // for screen readers, once the reader pauses
    root.append(
      h("fieldset", { class: "passes" }, h("legend", {}, "The last output that a step reads"), kind(false, "Free:", "what the model has just said"), kind(true, "Teacher-forced:", "the symbol of a target")),
      this.targetLine,
      this.strange,
      this.changed,
      this.spoken,
      h("div", { class: "heads" }, h("h2", {}, "Outputs"), h("span", { class: "small" }, "probability")),
      this.answers,
      h("div", { class: "columns steps" },
        h("section", {}, h("h2", {}, "Step by step"), this.table),
        h("section", { "aria-labelledby": "details", class: "chosen" }, this.detailsTitle, this.details, this.further),
        this.maps),
    );
  }

  /** Show all steps for a text. */
  async show(tokens) {
    const text = this.models[0].source.join(tokens);
    if (text !== this.text) {
      this.changes.clear();
      this.chosen = 0;
      this.target.value = this.site.examples.find(([source]) => source === text)?.[1] ?? "";
      this.text = text;
    }
    this.tokens = tokens;
    await this.run();
  }

  /** Switch between both passes. */
  force(forced) {
    this.forced = forced;
    this.changes.clear();
    this.run();
  }

  /** Run all models, then draw. A run that a newer one overtakes draws nothing. */
  async run() {
    const run = (this.latest = {});
    const end = this.vocabulary.end;
    const free = () => undefined;
    const traces = (given) => inTurn(this.models, (model) => model.trace(this.tokens, given));
    const before = await traces(free);
    if (this.forced && !this.target.value) this.target.value = this.models[0].text(before[0]);
    const targets = this.vocabulary.split(this.target.value);
    const ids = [...this.vocabulary.encode(targets), end];
    const given = this.forced ? (step) => ids[step] : (step) => this.changes.get(step);
    const after = this.forced || this.changes.size ? await traces(given) : before;
    if (run !== this.latest) return;
    Object.assign(this, { before, after, ids });
    const unknown = this.forced ? this.vocabulary.unknownIn(targets) : [];
    this.strange.hidden = !unknown.length;
    show(this.strange, unknown.length ? ["The models do not know ", ...unknown.slice(0, 5).flatMap((each, place) => [place ? ", " : "", symbol(each, "strange")]), " in the target: they read a sign for what is unknown there."] : []);
    this.targetLine.hidden = !this.forced;
    this.length = Math.max(...after.map((steps) => steps.length));
    this.chosen = Math.min(this.chosen, this.length - 1);
    this.draw();
    this.table.dispatchEvent(new Event("drawn", { bubbles: true }));
  }

  draw() {
    this.drawAnswers();
    this.drawChanges();
    this.drawTable();
    this.drawDetails();
    this.drawMaps();
    clearTimeout(this.pause);
    this.pause = setTimeout(() => (this.spoken.textContent = this.inWords()), 800);
  }

  /** All outputs in one sentence. */
  inWords() {
    return this.models.map((model, place) => `${model.name}: ${model.text(this.after[place]) || "empty"}`).join("; ");
  }

  /** What a step says: under teacher forcing its most likely symbol, whatever the target has. */
  said = (step) => (this.forced ? step.best[0] : step.output);

  // === Answers ===

  drawAnswers() {
    const first = Math.min(...this.changes.keys());
    const row = (model, place) => {
      const steps = this.after[place];
      const tokens = steps.map((step, number) => [this.said(step), number]).filter(([id]) => id !== this.vocabulary.end);
      const words = tokens.flatMap(([id, number]) => {
        const token = this.vocabulary.separator === "" ? this.vocabulary.tokens[id] : shown(this.vocabulary.tokens[id]);
        const kind = this.kindOf(place, number);
        return [kind ? h("span", { class: kind }, token) : token, this.vocabulary.separator === " " ? " " : ""];
      });
      const probability = steps.reduce((product, step) => product * step.probabilities[step.output], 1);
      let verdict = "";
      if (this.forced) {
        const right = steps.filter((step, number) => step.best[0] === this.ids[number]).length;
        verdict = `${right} of ${steps.length} right`;
      } else if (this.changes.size) {
        const before = this.before[place];
        const later = Math.max(before.length, steps.length) - first - 1;
        const changed = [...Array(Math.max(0, later)).keys()].filter((each) => before[first + 1 + each]?.output !== steps[first + 1 + each]?.output && !this.changes.has(first + 1 + each)).length;
        verdict = before.length <= first ? "had ended before this step" : !changed ? "goes on as before" : `${changed} of ${later} later outputs changed`;
      }
      return h("div", { class: "answer-row", "data-model": model.name, style: { "--color": model.color } },
        h("h3", {}, ...modelName(model)),
        h("p", { class: "about small" }, model.about),
        h("div", { class: "said" }, h("bdi", { class: tokens.length ? "text" : "text empty" }, ...(tokens.length ? words : ["(empty)"])), verdict && h("p", { class: "verdict" }, verdict)),
        h("span", { class: "number", title: "the probability that this model gives to this output" }, percent(probability)));
    };
    show(this.answers, ...this.models.map(row));
  }

  /** How an output differs from before: `changed` by the reader, or as a consequence `other`. */
  kindOf(place, number) {
    const step = this.after[place][number];
    if (!step) return "";
    if (this.forced) return step.best[0] === this.ids[number] ? "" : "wrong";
    if (this.changes.has(number)) return "changed";
    return this.changes.size && this.before[place][number]?.output !== step.output ? "other" : "";
  }

  // === What if ===

  drawChanges() {
    this.changed.hidden = this.forced;
    if (!this.changes.size) {
      const number = Math.min(1, this.before[0].length - 1);
      const other = this.before[0][number]?.best.slice(1).find((id) => id !== this.vocabulary.end && id !== this.vocabulary.unknown);
      const onclick = () => ((this.chosen = number), this.change(other));
      const suggestion = other !== undefined && [" For instance ", h("button", { type: "button", class: "quiet", "data-key": "undo", onclick }, `step ${number + 1}: `, this.name(other))];
      show(this.changed, h("b", {}, "What if"), " every model had said something else at a step? Choose a step below, then a symbol.", suggestion);
      return;
    }
    const undo = h("button", { type: "button", class: "quiet", "data-key": "undo", onclick: () => (this.changes.clear(), this.run()) }, "Undo");
    const each = [...this.changes].sort(([a], [b]) => a - b).flatMap(([step, id], place) => [place ? " and " : "", `step ${step + 1} had said `, h("mark", {}, this.name(id))]);
    show(this.changed, h("b", {}, "What if "), ...each, "? ", undo);
  }

  /** Change the output of the chosen step for every model; to change it back to what they all said undoes that. */
  change(id) {
    const step = this.chosen;
    if (this.before.every((steps) => steps[step]?.output === id) || this.changes.get(step) === id) this.changes.delete(step);
    else this.changes.set(step, id);
    this.run();
  }

  /** An id as it is shown. */
  name(id) {
    if (id === this.vocabulary.end) return h("span", { class: "special" }, "end");
    if (id === this.vocabulary.unknown) return h("span", { class: "special" }, "unknown");
    if (id === this.vocabulary.start) return h("span", { class: "special" }, "start");
    return symbol(this.vocabulary.tokens[id]);
  }

  // === The table of steps ===

  drawTable() {
    const head = h("tr", {}, h("th", { scope: "col" }, "Step"), this.forced && h("th", { scope: "col" }, "Target"), ...this.models.map((model) => h("th", { scope: "col" }, h("span", { class: "name" }, ...modelName(model)))));
    const rows = [...Array(this.length).keys()].map((number) => {
      const radio = h("input", { type: "radio", name: "step", value: number, checked: number === this.chosen, "data-key": `step-${number}`, "aria-label": `Step ${number + 1}`, onchange: () => this.choose(number) });
      const cells = this.models.map((model, place) => {
        const step = this.after[place][number];
        if (!step) return h("td", {});
        const id = this.said(step);
        const kind = this.kindOf(place, number);
        const was = kind === "other" || kind === "changed" ? this.before[place][number] : null;
        const before = was && was.output !== id ? h("del", {}, this.name(was.output)) : null;
        return h("td", { style: { "--color": model.color } }, h("span", { class: `token ${kind}` }, this.name(id)), before, bar(step.probabilities[id]));
      });
      const choose = () => { radio.checked = true; this.choose(number); };
      return h("tr", { onclick: choose }, h("th", { scope: "row" }, h("label", { class: "step" }, radio, h("span", {}, number + 1))), this.forced && h("td", { class: "given" }, h("span", { class: "token" }, this.name(this.ids[number]))), ...cells);
    });
    show(this.table, h("table", { class: this.forced ? "steps-table forced" : "steps-table", "aria-label": "The output of each model at each step" }, h("thead", {}, head), h("tbody", {}, ...rows)));
  }

  choose(number) {
    if (number === this.chosen) return;
    this.chosen = number;
    this.drawDetails();
  }

  // === What each model reads at a step, and its likeliest symbols ===

  drawDetails() {
    const number = this.chosen;
    show(this.detailsTitle, `Step ${number + 1}: what it reads and says`);
    show(this.details, ...this.models.map((model, place) => this.card(model, this.after[place][number], number)));
    this.further.hidden = this.forced;
    if (this.forced) return;
    const tokens = this.vocabulary.tokens.map((token, id) => [token, id]).filter(([, id]) => this.vocabulary.isOutput(id) && id !== this.vocabulary.unknown);
    const onchange = ({ target }) => target.value && this.change(Number(target.value));
    const select = h("select", { "data-key": "further", onchange }, h("option", { value: "" }, "another symbol"),
      ...tokens.map(([token, id]) => h("option", { value: id }, id === this.vocabulary.end ? "(end)" : shown(token))));
    show(this.further, h("label", {}, "What if every model had said … ", select));
  }

  card(model, step, number) {
    const title = h("h3", {}, ...modelName(model));
    const options = { class: "card", "aria-label": `${model.name}, step ${number + 1}`, style: { "--color": model.color } };
    if (!step) return h("section", options, title, h("p", { class: "small" }, "It has ended before this step."));
    const nothing = () => h("span", { class: "unread" }, "not read");
    const { summary, last, attention } = model.reads;
    const weights = attention && h("span", { class: "looks" }, ...this.tokens.map((token, place) =>
      h("bdi", { style: { "--share": `${Math.round(100 * step.weights[place])}%` }, title: percent(step.weights[place]) }, shown(token), h("span", { class: "hidden" }, ` ${percent(step.weights[place])} `))));
    const reads = h("dl", {},
      h("dt", {}, "summary"), h("dd", {}, summary ? h("span", { class: "read" }, "read") : nothing()),
      h("dt", {}, "last output"), h("dd", {}, last ? h("span", { class: "read" }, this.name(step.read)) : nothing()),
      h("dt", {}, "looks at"), h("dd", {}, weights && this.tokens.length ? weights : nothing()));
    const entry = (id) => {
      const content = [h("span", { class: "token" }, this.name(id)), bar(step.probabilities[id]), h("span", { class: "number" }, percent(step.probabilities[id]))];
      const isOutput = id === (this.forced ? this.ids[number] : step.output);
      const kind = `choice${isOutput ? " output" : ""}`;
      if (this.forced) return h("li", {}, h("span", { class: kind }, ...content));
      return h("li", {}, h("button", { type: "button", class: kind, "aria-pressed": String(isOutput), "data-key": `${model.name}-${id}`, title: "What if every model had said this?", onclick: () => this.change(id) }, ...content));
    };
    const likeliest = step.best.slice(0, LIKELIEST);
    const output = this.forced ? this.ids[number] : step.output;
    const list = h("ol", { class: "likeliest" }, ...likeliest.map(entry), !likeliest.includes(output) && output !== undefined && entry(output));
    return h("section", options, title, reads, list);
  }

  // === Where attention looks ===

  drawMaps() {
    const maps = this.models.flatMap((model, place) => {
      if (!model.reads.attention || !this.tokens.length) return [];
      const steps = this.after[place];
      const rows = steps.map((step) => this.said(step)).map((id) => (id === this.vocabulary.end ? "end" : this.vocabulary.tokens[id]));
      return [h("section", { class: "map-of" }, h("h2", {}, `Where ${model.name} looks`), attentionMap(this.tokens, rows, steps.map((step) => step.weights), model.color))];
    });
    show(this.maps, ...maps);
  }
}

/** The results of an asynchronous function for each item, one after another. */
async function inTurn(items, use) {
  const results = [];
  for (const item of items) results.push(await use(item));
  return results;
}
