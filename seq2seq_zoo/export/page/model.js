// Exported models, run by ONNX Runtime's WebAssembly in this tab.

import * as ort from "./onnxruntime/ort.wasm-core.min.js";
import { Vocabulary } from "./vocabulary.js";

const WASM = "ort-wasm-simd.wasm";

/** What is wrong, in a sentence for the reader of the page. */
export class PageError extends Error {}

/** The content of a file beside the page. */
async function load(path) {
  let response;
  try {
    response = await fetch(path);
  } catch {
    throw new PageError(`The file ${path} cannot be loaded: is the server of this page still running?`);
  }
  if (!response.ok) {
    throw new PageError(
      `The file ${path} is missing here (${response.status}). Copy the whole folder of the page, or export it again.`,
    );
  }
  return response;
}

/** The content of a JSON file beside the page. */
export async function loadJson(path) {
  const response = await load(path);
  try {
    return await response.json();
  } catch {
    throw new PageError(`The file ${path} is damaged: it is not JSON. Export the page again.`);
  }
}

/** Start the runtime. Its WebAssembly is compressed on the server, so that it arrives fast from any. */
export async function startRuntime() {
  const path = `onnxruntime/${WASM}.gz`;
  let bytes = new Uint8Array(await (await load(path)).arrayBuffer());
  if (bytes[0] === 0x1f && bytes[1] === 0x8b) {
    // else the server names the compression, and the browser has undone it
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    try {
      bytes = await new Response(stream).arrayBuffer();
    } catch {
      throw new PageError(`The file ${path} is damaged. Copy the whole folder of the page, or export it again.`);
    }
  }
  if (!bytes.byteLength) throw new PageError(`The file ${path} is empty. Copy the whole folder of the page, or export it again.`);
  ort.env.wasm.numThreads = 1;
  ort.env.wasm.wasmPaths = { [WASM]: URL.createObjectURL(new Blob([bytes], { type: "application/wasm" })) };
}

async function openGraph(path) {
  const bytes = new Uint8Array(await (await load(path)).arrayBuffer());
  try {
    return await ort.InferenceSession.create(bytes, { executionProviders: ["wasm"] });
  } catch (error) {
    throw new PageError(
      `The file ${path} is damaged, or not a model that this page can run. Export the page again. (${error.message ?? error})`,
    );
  }
}

const integers = (ids, shape) => new ort.Tensor("int32", Int32Array.from(ids), shape);
const range = (count) => [...Array(count).keys()];

class Model {
  constructor(about, vocabularies) {
    Object.assign(this, about);
    this.source = new Vocabulary(vocabularies.source);
    this.target = new Vocabulary(vocabularies.target);
  }

  /** The ids of source tokens as the graphs take them: an empty text is one padding. */
  sources(tokens) {
    const ids = this.source.encode(tokens);
    return integers(ids.length ? ids : [0], [1, Math.max(1, ids.length)]);
  }

  static async open(about) {
    const folder = `models/${encodeURIComponent(about.name)}`;
    const model = new this(about, await loadJson(`${folder}/vocabularies.json`));
    await model.openGraphs(folder);
    return model;
  }
}

/** A model whose whole search is one graph. */
export class SearchModel extends Model {
  async openGraphs(folder) {
    this.graph = await openGraph(`${folder}/search.onnx`);
  }

  /** The outputs for source tokens, best first: text, tokens, probability and, with attention, the weights of each. */
  async search(tokens) {
    const { ids, log_probs, scores, weights } = await this.graph.run({ sources: this.sources(tokens) });
    const [, count, length] = ids.dims;
    const found = [];
    for (const place of range(count)) {
      if (scores.data[place] === -Infinity) continue; // fewer than asked for
      const row = [...ids.data.subarray(place * length, (place + 1) * length)];
      const size = row.filter((id) => id !== 0).length;
      const logProbs = [...log_probs.data.subarray(place * length, place * length + size)];
      const outputs = this.target.decode(row);
      const width = weights?.dims[3];
      found.push({
        tokens: outputs,
        text: this.target.join(outputs),
        probability: Math.exp(logProbs.reduce((sum, each) => sum + each, 0)),
        ended: size > outputs.length,
        weights:
          weights &&
          range(size).map((step) => [
            ...weights.data.subarray((place * length + step) * width, (place * length + step) * width + tokens.length),
          ]),
      });
    }
    return found;
  }
}

/** A model that takes one step at a time. */
export class StepModel extends Model {
  async openGraphs(folder) {
    this.encoder = await openGraph(`${folder}/encode.onnx`);
    this.step = await openGraph(`${folder}/step.onnx`);
    // A graph has no input for what the mode does not read of the source.
    const memory = this.step.inputNames.some((name) => name.startsWith("memory_"));
    const attention = this.step.outputNames.includes("weights");
    this.reads = { summary: memory && !attention, last: this.feedsBack, attention };
  }

  /**
   * Every step for source tokens.
   * @param {(step: number) => number | undefined} given the output of a step in place of its most likely one.
   * @returns for each step the id that it read, the probabilities of all, the most likely and the actual output.
   */
  async trace(tokens, given) {
    const tensors = await this.encoder.run({ sources: this.sources(tokens) });
    const names = new Set(this.step.inputNames);
    let previous = this.target.start;
    const steps = [];
    while (steps.length < this.maxLength) {
      tensors.previous = integers([previous], [1]);
      const feeds = Object.fromEntries(Object.entries(tensors).filter(([name]) => names.has(name)));
      const found = await this.step.run(feeds);
      for (const [name, value] of Object.entries(found)) if (name.startsWith("next_")) tensors[name.slice(5)] = value;
      const { probabilities, best } = this.distribution(found.logits.data);
      const output = given(steps.length) ?? best[0];
      const weights = found.weights && [...found.weights.data.subarray(0, tokens.length)];
      steps.push({ read: previous, probabilities, best, output, weights });
      if (output === this.target.end) break;
      previous = output;
    }
    return steps;
  }

  /** The probabilities of all tokens, and the ids that may come, most likely first. */
  distribution(logits) {
    const largest = logits.reduce((a, b) => Math.max(a, b));
    const powers = Array.from(logits, (each) => Math.exp(each - largest));
    const sum = powers.reduce((a, b) => a + b);
    const ids = range(logits.length).filter((id) => this.target.isOutput(id));
    // By the logits, since two very small probabilities may be equal.
    return {
      probabilities: powers.map((each) => each / sum),
      best: ids.sort((a, b) => logits[b] - logits[a] || a - b),
    };
  }

  /** The text of a trace. */
  text(steps) {
    return this.target.join(this.target.decode(steps.map((each) => each.output)));
  }
}
