// The page of several models: their steps side by side, free-running or teacher-forced, and after another output.

import { attentionMap } from "./attention.js";
import { card } from "./cards.js";
import { $, bar, bdi, h, modelName, percent, show, shown, unfold } from "./elements.js";

export class Steps {
  constructor(models, examples) {
    Object.assign(this, { models, examples, teacherForced: false });
    this.vocabulary = models[0].target;
    unfold("several");
    for (const pass of document.querySelectorAll("[name=pass]"))
      pass.addEventListener("change", () => this.turn(pass.value));
    $("target").addEventListener("input", () => this.run());
  }

  /** Show all steps for source tokens. */
  async show(tokens) {
    const text = this.models[0].source.join(tokens);
    if (text !== this.text) {
      /** The outputs that the reader has changed: ids by step. */
      this.changes = new Map();
      this.chosen = 0;
      $("target").value = this.examples.find(([source]) => source === text)?.[1] ?? "";
    }
    Object.assign(this, { text, tokens });
    await this.run();
  }

  /** Turn to another pass. */
  turn(pass) {
    this.teacherForced = pass === "teacher-forced";
    this.changes.clear();
    this.run();
  }

  /** Change the output of the chosen step for every model; changed to what it was, it is no longer changed. */
  change(id) {
    const step = this.chosen;
    const isAsBefore = this.before.every((steps) => steps[step]?.output === id);
    if (isAsBefore || this.changes.get(step) === id) this.changes.delete(step);
    else this.changes.set(step, id);
    this.run();
  }

  /** Run all models, then draw, once the run before has ended: a graph runs once at a time. Only the newest run counts. */
  async run() {
    const run = (this.latest = {});
    await this.running;
    if (run === this.latest) await (this.running = this.runNow(run));
  }

  async runNow(run) {
    const before = await this.traces(() => undefined);
    if (this.teacherForced && !$("target").value) $("target").value = this.models[0].text(before[0]);
    const targets = this.vocabulary.split($("target").value);
    const ids = [...this.vocabulary.encode(targets), this.vocabulary.end];
    const given = this.teacherForced ? (step) => ids[step] : (step) => this.changes.get(step);
    const after = this.teacherForced || this.changes.size ? await this.traces(given) : before;
    if (run !== this.latest) return;
    const length = Math.max(...after.map((steps) => steps.length));
    Object.assign(this, { before, after, ids, length, chosen: Math.min(this.chosen, length - 1) });
    this.draw(this.vocabulary.unknownIn(targets));
    $("table").dispatchEvent(new Event("drawn", { bubbles: true }));
  }

  /** The steps of each model, one model after another. */
  async traces(given) {
    const traces = [];
    for (const model of this.models) traces.push(await model.trace(this.tokens, given));
    return traces;
  }

  draw(unknown) {
    $("target-line").hidden = !this.teacherForced;
    $("strange").hidden = !this.teacherForced || !unknown.length;
    const listed = unknown.slice(0, 5).flatMap((each, place) => [place ? ", " : "", bdi(each, "strange")]);
    show($("strange"), "The models do not know ", ...listed, " in the target: they read an unknown token there.");
    show($("outputs"), ...this.models.map((model, place) => this.outputRow(model, place)));
    this.drawWhatIf();
    this.drawTable();
    this.drawDetails();
    this.drawMaps();
    clearTimeout(this.pause); // for screen readers, once the reader pauses
    this.pause = setTimeout(() => ($("spoken").textContent = this.inWords()), 800);
  }

  /** All outputs in one sentence. */
  inWords() {
    return this.models.map((model, place) => `${model.name}: ${model.text(this.after[place]) || "empty"}`).join("; ");
  }

  /** The output of a step: under teacher forcing its most likely token, whatever the target has. */
  output = (step) => (this.teacherForced ? step.best[0] : step.output);

  /** An id as it is shown. */
  name = (id) => {
    const { start, end, unknown, tokens } = this.vocabulary;
    const special = new Map([
      [start, "start"],
      [end, "end"],
      [unknown, "unknown"],
    ]);
    return special.has(id) ? h("span", { class: "special" }, special.get(id)) : bdi(tokens[id]);
  };

  /** How a step differs: `wrong` under teacher forcing; `changed` by the reader, or `other` than before. */
  kindOf(place, number) {
    const step = this.after[place][number];
    if (this.teacherForced) return step.best[0] === this.ids[number] ? "" : "wrong";
    if (this.changes.has(number)) return "changed";
    return this.before[place][number]?.output === step.output ? "" : "other";
  }

  // === Outputs ===

  outputRow(model, place) {
    const steps = this.after[place];
    const { separator, tokens, end } = this.vocabulary;
    const words = steps.flatMap((step, number) => {
      const id = this.output(step);
      if (id === end) return [];
      const token = separator === "" ? tokens[id] : shown(tokens[id]);
      return [h("span", { class: this.kindOf(place, number) }, token), separator === " " ? " " : ""];
    });
    const text = words.length ? h("bdi", { class: "text" }, ...words) : h("bdi", { class: "text empty" }, "(empty)");
    const verdict = this.verdict(place);
    const probability = steps.reduce((product, step) => product * step.probabilities[step.output], 1);
    return h(
      "div",
      { class: "answer-row" },
      h("h3", {}, ...modelName(model)),
      h("p", { class: "about small" }, model.about),
      h("div", { class: "outputs" }, text, verdict && h("p", { class: "verdict" }, verdict)),
      h("span", { class: "number", title: "the probability of the whole output" }, percent(probability)),
    );
  }

  /** What came of the target, or of the changed outputs, in a few words. */
  verdict(place) {
    const [before, after] = [this.before[place], this.after[place]];
    if (this.teacherForced)
      return `${after.filter((step, number) => !this.kindOf(place, number)).length} of ${after.length} right`;
    if (!this.changes.size) return "";
    const first = Math.min(...this.changes.keys());
    if (before.length <= first) return "had ended before this step";
    const later = Array.from({ length: Math.max(before.length, after.length) }, (_, number) => number).slice(first + 1);
    const others = later.filter(
      (number) => !this.changes.has(number) && before[number]?.output !== after[number]?.output,
    );
    return others.length ? `${others.length} of ${later.length} later outputs changed` : "goes on as before";
  }

  // === What if ===

  drawWhatIf() {
    $("what-if").hidden = this.teacherForced;
    const button = (onclick, ...content) =>
      h("button", { type: "button", class: "quiet", "data-key": "what-if", onclick }, ...content);
    if (this.changes.size) {
      const changed = [...this.changes].sort(([a], [b]) => a - b);
      const listed = changed.flatMap(([step, id], place) => [
        `${place ? " and " : ""}step ${step + 1} had the output `,
        h("mark", {}, this.name(id)),
      ]);
      const undo = () => (this.changes.clear(), this.run());
      show($("what-if"), h("b", {}, "What if "), ...listed, "? ", button(undo, "Undo"));
      return;
    }
    const number = Math.min(1, this.before[0].length - 1);
    const { end, unknown } = this.vocabulary;
    const id = this.before[0][number].best.slice(1).find((each) => each !== end && each !== unknown);
    const change = () => ((this.chosen = number), this.change(id));
    const suggestion =
      id === undefined ? [] : [" For instance ", button(change, `step ${number + 1}: `, this.name(id))];
    const hint = " every model had another output at a step? Choose a step below, then a token.";
    show($("what-if"), h("b", {}, "What if"), hint, ...suggestion);
  }

  // === The table of steps ===

  drawTable() {
    const column = (...content) => h("th", { scope: "col" }, ...content);
    const models = this.models.map((model) => column(...modelName(model)));
    const head = h("tr", {}, column("Step"), this.teacherForced && column("Target"), ...models);
    const rows = Array.from({ length: this.length }, (_, number) => this.tableRow(number));
    const attributes = {
      class: this.teacherForced ? "steps-table narrow" : "steps-table",
      "aria-label": "The output of each model at each step",
    };
    show($("table"), h("table", attributes, h("thead", {}, head), h("tbody", {}, ...rows)));
  }

  tableRow(number) {
    const choose = () => {
      radio.checked = true;
      this.chosen = number;
      this.drawDetails();
    };
    const radio = h("input", {
      type: "radio",
      name: "step",
      value: number,
      checked: number === this.chosen,
      "data-key": `step-${number}`,
      "aria-label": `Step ${number + 1}`,
      onchange: choose,
    });
    const cells = this.models.map((model, place) => {
      const step = this.after[place][number];
      if (!step) return h("td");
      const id = this.output(step);
      const kind = this.kindOf(place, number);
      const was = this.teacherForced ? undefined : this.before[place][number]?.output;
      const old = was !== undefined && was !== id && h("del", {}, this.name(was));
      const token = h("span", { class: `token ${kind}` }, this.name(id));
      return h("td", { style: { "--color": model.color } }, token, old, bar(step.probabilities[id]));
    });
    const title = h("th", { scope: "row" }, h("label", { class: "step" }, radio, h("span", {}, number + 1)));
    const target = this.teacherForced && h("td", { class: "given" }, this.name(this.ids[number]));
    return h("tr", { onclick: choose }, title, target, ...cells);
  }

  // === The chosen step ===

  drawDetails() {
    const number = this.chosen;
    const change = this.teacherForced ? null : (id) => this.change(id);
    const cards = this.models.map((model, place) => {
      const step = this.after[place][number];
      const output = this.teacherForced ? this.ids[number] : step?.output;
      return card(model, step, this.tokens, output, this.name, change);
    });
    show($("details"), `Step ${number + 1}: what it reads, and its likeliest tokens`);
    show($("cards"), ...cards);
    $("further").hidden = this.teacherForced;
    if (this.teacherForced) return;
    const { tokens, end, unknown } = this.vocabulary;
    const options = tokens.flatMap((token, id) => {
      if (!this.vocabulary.isOutput(id) || id === unknown) return [];
      return [h("option", { value: id }, id === end ? "(end)" : shown(token))];
    });
    const onchange = ({ target }) => target.value && this.change(Number(target.value));
    const select = h(
      "select",
      { "data-key": "further", onchange },
      h("option", { value: "" }, "another token"),
      ...options,
    );
    show($("further"), h("label", {}, "What if every model had the output … ", select));
  }

  // === Attention ===

  drawMaps() {
    const { tokens, end } = this.vocabulary;
    const several = this.models.filter((model) => model.reads.attention).length > 1;
    const map = (model, place) => {
      if (!model.reads.attention || !this.tokens.length) return [];
      const steps = this.after[place];
      const outputs = steps.map(this.output).map((id) => (id === end ? "end" : tokens[id]));
      const drawn = attentionMap(
        this.tokens,
        outputs,
        steps.map((step) => step.weights),
        model.color,
      );
      return [h("section", {}, h("h2", {}, several ? `Attention weights: ${model.name}` : "Attention weights"), drawn)];
    };
    show($("maps"), ...this.models.flatMap(map));
  }
}
