// The attention map: a row for each output token, a column for each source token.

import { bdi, h, percent, shown } from "./elements.js";

/**
 * A map as an element.
 * @param {string[]} source the source tokens, at least one.
 * @param {string[]} outputs the output tokens; where `weights` has one row more, that is the end.
 * @param {number[][]} weights a row for each output.
 * @param {string} color of the cells, from transparent to full.
 */
export function attentionMap(source, outputs, weights, color) {
  const rows = weights.length > outputs.length ? [...outputs, "end"] : outputs;
  const cells = h("canvas", { width: source.length, height: weights.length });
  const image = new ImageData(source.length, weights.length);
  const [red, green, blue] = color.match(/\w\w/g).map((each) => parseInt(each, 16));
  weights.flat().forEach((weight, place) => image.data.set([red, green, blue, Math.round(255 * weight)], 4 * place));
  cells.getContext("2d").putImageData(image, 0, 0);
  const upright = source.every((token) => [...shown(token)].length <= 2);
  const hint = h("p", { class: "small pointed", "aria-hidden": "true" }, "Point at a cell for its weight.");
  cells.addEventListener("pointermove", ({ offsetX, offsetY }) => {
    const column = Math.min(source.length - 1, Math.max(0, Math.floor((offsetX / cells.clientWidth) * source.length)));
    const row = Math.min(rows.length - 1, Math.max(0, Math.floor((offsetY / cells.clientHeight) * rows.length)));
    hint.replaceChildren(bdi(rows[row]), " attends to ", bdi(source[column]), `: ${percent(weights[row][column])}`);
  });
  const kinds = ["map", upright && "upright", rows.length > 20 && "low", source.length > 16 && "narrow"].filter(
    Boolean,
  );
  const grid = h("div", {
    class: kinds.join(" "),
    role: "img",
    "aria-label": described(source, rows, weights),
    dir: "auto",
  });
  grid.style.setProperty("--columns", source.length);
  grid.append(
    ...source.map((token, place) => h("bdi", { class: "column", style: { "grid-column": place + 2 } }, shown(token))),
    ...rows.map((token, place) =>
      h("bdi", { class: place < outputs.length ? "row" : "row end", style: { "grid-row": place + 2 } }, shown(token)),
    ),
    cells,
  );
  cells.style.gridRow = `2 / ${rows.length + 2}`;
  return h(
    "div",
    {},
    h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Attention map" }, grid),
    hint,
  );
}

/** The map in words: what each output attends to most. */
function described(source, rows, weights) {
  const most = weights.map((row, place) => {
    const column = row.indexOf(Math.max(...row));
    return `${rows[place]} attends most to ${source[column]} (${percent(row[column])})`;
  });
  return most.join("; ");
}
