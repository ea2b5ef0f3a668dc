// What a model reads at a step, and its likeliest tokens.

import { bar, h, modelName, percent, shown } from "./elements.js";

/** How many of its likeliest tokens a step shows. */
const LIKELIEST = 5;

/**
 * The card of a model.
 * @param {object} model the model.
 * @param {object | undefined} step its step, if it has not ended before.
 * @param {string[]} source the source tokens.
 * @param {number | undefined} output the id to mark.
 * @param {(id: number) => Node} name shows an id.
 * @param {((id: number) => void) | null} change changes the output, if it can be changed.
 */
export function card(model, step, source, output, name, change) {
  const attributes = { class: "card", "aria-label": model.name, style: { "--color": model.color } };
  const title = h("h3", {}, ...modelName(model));
  if (!step) return h("section", attributes, title, h("p", { class: "small" }, "It has ended before this step."));
  const likeliest = step.best.slice(0, LIKELIEST);
  if (output !== undefined && !likeliest.includes(output)) likeliest.push(output);
  const entries = likeliest.map((id) => h("li", {}, entry(model, step, id, id === output, name, change)));
  return h("section", attributes, title, reads(model, step, source, name), h("ol", { class: "likeliest" }, ...entries));
}

/** What the model reads at the step. */
function reads(model, step, source, name) {
  const { summary, last, attention } = model.reads;
  const parts = {
    summary: summary && h("span", { class: "read" }, "read"),
    "last output": last && h("span", { class: "read" }, name(step.read)),
    attention: attention && source.length && weights(source, step.weights),
  };
  const unread = (what) => h("span", { class: "unread" }, what === "attention" ? "none" : "not read");
  return h(
    "dl",
    {},
    ...Object.entries(parts).flatMap(([what, part]) => [h("dt", {}, what), h("dd", {}, part || unread(what))]),
  );
}

/** The source tokens, each the darker the more the step attends to it. */
function weights(source, found) {
  const one = (token, place) => {
    const share = percent(found[place]);
    const style = { "--share": `${Math.round(100 * found[place])}%` };
    return h("bdi", { style, title: share }, shown(token), h("span", { class: "hidden" }, ` ${share} `));
  };
  return h("span", { class: "weights" }, ...source.map(one));
}

/** A token and its probability. */
function entry(model, step, id, isOutput, name, change) {
  const probability = step.probabilities[id];
  const parts = [
    h("span", { class: "token" }, name(id)),
    bar(probability),
    h("span", { class: "number" }, percent(probability)),
  ];
  const kind = isOutput ? "choice output" : "choice";
  if (!change) return h("span", { class: kind }, ...parts);
  const title = "What if every model had this output?";
  const attributes = {
    type: "button",
    class: kind,
    "aria-pressed": String(isOutput),
    "data-key": `${model.name}-${id}`,
    title,
  };
  return h("button", { ...attributes, onclick: () => change(id) }, ...parts);
}
