// The page: opens the models that models.json names, and runs them whenever the text changes.

import { Answers } from "./answers.js";
import { $, bdi, h, show } from "./elements.js";
import { PageError, SearchModel, StepModel, loadJson, startRuntime } from "./model.js";
import { Steps } from "./steps.js";

/** A sentence in place of the page's content. */
function fail(error) {
  $("page").hidden = true;
  $("status").hidden = false;
  $("status").className = "failed";
  $("status").setAttribute("role", "alert");
  $("status").textContent =
    error instanceof PageError ? error.message : `This page cannot go on: ${error.message ?? error}. Load it again.`;
  if (!(error instanceof PageError)) console.error(error);
}

/** The text with its line breaks as spaces, since a model reads one line. */
const typed = () => $("text").value.replace(/[\r\n]+/g, " ");

async function start() {
  $("late").remove(); // it is for readers in whose browser no script runs
  const site = await loadJson("models.json");
  document.title = site.title;
  $("title").textContent = site.title;
  show($("about"), ...site.about.map((each) => h("p", {}, each)));
  $("status").textContent = "Loading the runtime …";
  await startRuntime();
  const kind = site.models.length > 1 ? StepModel : SearchModel;
  const models = [];
  for (const about of site.models) {
    $("status").textContent = `Loading ${about.name} …`;
    models.push(await kind.open(about));
  }
  const { source } = models[0];
  const view = site.models.length > 1 ? new Steps(models, site.examples) : new Answers(models[0]);

  let latest;
  const run = async () => {
    const now = (latest = {});
    const text = typed();
    const read = source.apart(text);
    const tokens = source.split(read);
    const unknown = source.unknownIn(tokens);
    const note = $("note");
    note.hidden = read === text && !unknown.length;
    if (read !== text) show(note, "Read as ", h("bdi", {}, read), ".");
    if (unknown.length) show(note, ...sentence(unknown, source));
    $("results").hidden = source.unknown === null && unknown.length > 0;
    if ($("results").hidden) return;
    await idle; // of the run before: a graph runs once at a time
    if (now !== latest) return;
    idle = view.show(tokens);
    await idle;
    if (now === latest) $("text").dispatchEvent(new CustomEvent("answered", { bubbles: true }));
  };
  let idle = Promise.resolve();

  const examples = site.examples.map(([text]) =>
    h("button", { type: "button", class: "example", dir: "auto", onclick: () => write(text) }, text),
  );
  show($("examples"), ...examples);
  $("examples").parentElement.hidden = !examples.length;
  const write = (text) => {
    $("text").value = text;
    fit();
    run();
  };
  const fit = () => {
    $("text").style.height = "auto";
    $("text").style.height = `${$("text").scrollHeight + 2}px`;
  };
  $("text").addEventListener("input", () => (fit(), run()));
  addEventListener("resize", fit);
  $("text").addEventListener(
    "keydown",
    (event) => event.key === "Enter" && !event.isComposing && event.preventDefault(),
  );
  $("status").hidden = true;
  $("page").hidden = false;
  write(site.examples[Math.floor(site.examples.length / 2)]?.[0] ?? "");
}

/** What a model does with tokens that it does not know. */
function sentence(unknown, vocabulary) {
  const short = (token) => (token.length > 40 ? `${token.slice(0, 40)}…` : token);
  const listed = unknown.slice(0, 10).flatMap((each, place) => [place ? ", " : "", bdi(short(each), "strange")]);
  const end = vocabulary.unknown === null ? ": leave it out." : ": it reads an unknown token there.";
  return ["The model does not know ", ...listed, unknown.length > 10 ? ", …" : "", end];
}

addEventListener("unhandledrejection", (event) => (event.preventDefault(), fail(event.reason)));
if (self !== top) document.documentElement.classList.add("inside"); // of another page
start();
