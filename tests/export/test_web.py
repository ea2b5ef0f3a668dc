"""A model as a page: in a real browser, its texts are the model's, for every mode; and anybody can use it."""

import functools
import hashlib
import json
import math
import re
import shutil
import sys

import pytest
from browser import WIDTHS, complaints, forget, requested, resize, served
from letters import BEAM, LETTERS, PHONES, model_of, sources

from seq2seq_zoo import Encoder, EncoderOnly, Ensemble, FeedbackDecoder, NoEncoder, Seq2Seq, Tokens, decoders
from seq2seq_zoo.data.vocabulary import Vocabulary
from seq2seq_zoo.export import ExportError, web
from seq2seq_zoo.export.web import PAGE
from seq2seq_zoo.figures import styles
from seq2seq_zoo.runtime.graph import Graph
from seq2seq_zoo.runtime.steps import open_steps
from seq2seq_zoo.runtime.texts import search_texts

MODES = list(decoders.list())
PAIRS = [("abc", "AA B CH"), ("dé語", "D EH")]


@pytest.fixture(scope="module")
def models():
    return {mode: model_of(mode) for mode in MODES}


@pytest.fixture(scope="module")
def several(models, tmp_path_factory):
    """The folder of a page of all modes."""
    folder = tmp_path_factory.mktemp("several") / "page"
    web(models, folder, "All modes", ["They differ in what a step reads."], PAIRS)
    return folder


@pytest.fixture(scope="module")
def alone(models, tmp_path_factory):
    """The folders of pages of one model each, by mode."""

    @functools.cache
    def folder(mode):
        place = tmp_path_factory.mktemp(mode) / "page"
        web({mode: models[mode]}, place, "One model", ["It writes phones."], PAIRS, BEAM)
        return place

    return folder


# What a script can do on a page, and what it waits for.
SCRIPT = """
const done = arguments[arguments.length - 1];
const $ = (selector) => document.querySelector(selector);
const $$ = (selector) => [...document.querySelectorAll(selector)];
const event = (name, act) => new Promise((then) => (addEventListener(name, () => then(), { once: true }), act()));
const put = (field, text) => (field.value = text, field.dispatchEvent(new Event("input")));
const write = (text) => event("answered", () => put($("#text"), text));
const drawn = (act) => event("drawn", act);
const text = (each) => each.classList.contains("empty") ? "" : each.textContent.trim();
const texts = () => $$(".answer-row .text").map(text);
const pick = (select, id) => (select.value = id, select.dispatchEvent(new Event("change")));
(async () => { %s })().then(done, (error) => done({ error: String(error) }));
"""


def run(browser, code, *arguments):
    """What some JavaScript on the page returns."""
    found = browser.execute_async_script(SCRIPT % code, *arguments)
    assert not (isinstance(found, dict) and "error" in found), found
    return found


def opened(browser, address, width="desktop"):
    """Open a page and wait until it has answered or failed."""
    from selenium.webdriver.support.wait import WebDriverWait

    forget(browser)
    resize(browser, WIDTHS[width])
    browser.get(f"{address}/")
    ready = "return !!document.querySelector('#status.failed, .answer-row, #probability:not(:empty)')"
    WebDriverWait(browser, 30).until(lambda _: browser.execute_script(ready))


def status(browser):
    return browser.execute_script("return document.querySelector('#status:not([hidden])')?.textContent ?? ''")


@pytest.fixture
def page_of_several(several, browser):
    """The page of all modes, of which nothing must complain, and which asks no other host."""
    with served(several) as address:
        opened(browser, address)
        yield browser
        assert not complaints(browser)
        assert not [url for url in requested(browser) if not url.startswith(address)]


@pytest.fixture
def page_of_one(alone, browser):
    """The page of one model, in the same way."""
    with served(alone("attention")) as address:
        opened(browser, address)
        yield browser
        assert not complaints(browser)
        assert not [url for url in requested(browser) if not url.startswith(address)]


# === The texts of the page are the model's ===


def test_the_texts_of_several_models_are_theirs(models, page_of_several):
    texts = sources(500)
    found = run(
        page_of_several,
        "const found = []; for (const text of arguments[0]) { await write(text); found.push(texts()); } return found;",
        texts,
    )
    for mode, column in zip(MODES, zip(*found, strict=True), strict=True):
        assert [*column] == models[mode].generate(texts, batch_size=500), mode


def test_the_steps_of_a_page_run_in_python_too(models, several):
    texts = sources(100)
    for mode, model in models.items():
        graph = Graph(open_steps(several / "models" / mode))
        found = search_texts(graph, model.vocabularies, texts)
        for ours, theirs in zip(model.predictions(texts, batch_size=100), found, strict=True):
            assert theirs.text == ours.text
            assert theirs.hypotheses[0].log_prob == pytest.approx(ours.hypotheses[0].log_prob, abs=1e-3)
            assert (theirs.hypotheses[0].alignment is None) == (not model.has_attention)


@pytest.mark.parametrize("mode", MODES)
def test_the_outputs_of_one_model_are_its_own(mode, models, alone, browser):
    texts = sources(500)
    read = """const found = [];
    for (const text of arguments[0]) {
      await write(text);
      const parts = (each) => [".text", ".number"].map((part) => each.querySelector(part).textContent);
      const list = $$(".likeliest li").map(parts);
      found.push([$("#answer").textContent, list, $$(".map").length]);
    }
    return found;"""
    with served(alone(mode)) as address:
        opened(browser, address)
        found = run(browser, read, texts)
        assert not complaints(browser)
        assert not [url for url in requested(browser) if not url.startswith(address)]
    ties = 0
    for text, (best, listed, maps), prediction in zip(
        texts, found, models[mode].predictions(texts, BEAM, batch_size=500), strict=True
    ):
        assert best == prediction.text
        if text:
            assert maps == (prediction.hypotheses[0].alignment is not None)
        expected = [each.text or "(empty)" for each in prediction.hypotheses]
        if [each for each, _ in listed] != expected:
            ties += 1  # two hypotheses of equal probability, of which a beam keeps one
            continue
        for (_, shown), hypothesis in zip(listed, prediction.hypotheses, strict=True):
            assert probability(shown) == pytest.approx(hypothesis.probability, abs=0.0006)
    assert ties <= 1


def probability(shown):
    """The number that a percentage stands for."""
    return float(re.sub(r"[^\d.]", "", shown)) / 100


def test_the_output_can_be_copied_and_the_map_follows_the_chosen_one(models, page_of_one):
    page_of_one.execute_cdp_cmd("Browser.grantPermissions", {"permissions": ["clipboardReadWrite"]})
    page_of_one.execute_cdp_cmd("Emulation.setFocusEmulationEnabled", {"enabled": True})  # only then it may be read
    code = """await write("abcd");
    $("#copy").click();
    while (!$("#copied").textContent) await new Promise((then) => setTimeout(then, 20));
    const rows = () => $$(".map .row").map((each) => each.textContent);
    const first = rows();
    $$("button.choice")[1].click();
    const pressed = $$("button.choice").map((each) => each.getAttribute("aria-pressed"));
    return [$("#copied").textContent, await navigator.clipboard.readText(), first, rows(), pressed];"""
    copied, text, first, second, pressed = run(page_of_one, code)
    best = models["attention"].predictions(["abcd"], BEAM)[0].hypotheses
    assert (copied, text) == ("Copied.", best[0].text)
    assert [first, second] == [[*each.tokens, *["end"] * each.ended] for each in best[:2]]
    assert pressed == ["false", "true", "false"]


def test_an_ensemble_can_be_a_page(models, browser, tmp_path):
    both = Ensemble([models["feedback"], models["attention"]])
    web({"both": both, "peek": models["peek"]}, tmp_path / "page", "Two")
    with served(tmp_path / "page") as address:
        opened(browser, address)
        found = run(browser, "await write('abcd'); return texts();")
    assert found == [both.generate(["abcd"])[0], models["peek"].generate(["abcd"])[0]]


SPLITS = [
    (Vocabulary.build(["a bc  d"], " "), ["a bc", "\u2003a\x1fbc\n", "x a", "\ufeffa", ""]),
    (Vocabulary.build(["N;PL ab"], ";"), ["N;PL ba", "N ab c", "a", " b", "N;;PL  a"]),
    (Vocabulary.build(["한국é"], "", normalize="nfd"), ["한국", "é", "e\u0301", "x"]),
    (Vocabulary.build(["ﬁé"], "", normalize="nfkc"), ["ﬁ", "e\u0301", "fi"]),
    (Vocabulary.build(["🙂a"], "", endless=True), ["a🙂", "🙃"]),
]


@pytest.mark.parametrize(("vocabulary", "texts"), SPLITS, ids=lambda each: getattr(each, "separator", ""))
def test_texts_are_split_and_joined_as_the_library_does_it(vocabulary, texts, page_of_several):
    code = """const { Vocabulary } = await import("./vocabulary.js");
    const ours = new Vocabulary(arguments[0]);
    return arguments[1].map((text) => {
      const tokens = ours.split(text), ids = ours.encode(tokens);
      return [tokens, ids, ours.unknownIn(tokens), ours.join(tokens), ours.join(ours.decode(ids))];
    });"""
    found = run(page_of_several, code, vocabulary.get_config(), texts)
    expected = [
        [
            vocabulary.split(text),
            vocabulary.encode(text),
            vocabulary.unknown_in(text),
            vocabulary.normalized(text),
            vocabulary.decode(vocabulary.encode(text)),
        ]
        for text in texts
    ]
    assert found == expected


def test_digits_of_an_unknown_number_are_read_apart(page_of_several):
    code = """const { Vocabulary } = await import("./vocabulary.js");
    const ours = new Vocabulary(arguments[0]);
    return ["407", "4 07", "4 0 7 ", "4x", "and", ""].map((text) => ours.apart(text));"""
    found = run(page_of_several, code, Vocabulary.build(["0 4 7 and"], " ").get_config())
    assert found == ["4 0 7", "4 0 7", "4 0 7 ", "4x", "and", ""]


# === Steps ===


def test_what_if_is_the_search_after_that_prefix_and_basic_goes_on_as_before(models, page_of_several):
    texts = [text for text in sources(80, seed=2) if text]
    code = """const found = [];
    for (const text of arguments[0]) {
      await write(text);
      const before = texts();
      await drawn(() => pick($(".further select"), arguments[1]));
      found.push([before, texts(), $$(".verdict").map((each) => each.textContent)]);
    }
    return found;""".replace("arguments", "given")
    chosen = PHONES.tokens.index("CH")
    found = run(page_of_several, f"const given = arguments[0]; {code}", [texts, chosen])
    for place, mode in enumerate(MODES):
        expected = models[mode].generate(texts, prefixes=["CH"] * len(texts))
        assert [after[place] for _, after, _ in found] == expected, mode
        changed = [before[place].split()[1:] != after[place].split()[1:] for before, after, _ in found]
        if not models[mode].decoder.feeds_back:
            assert not any(changed)
            assert {verdicts[place] for _, _, verdicts in found} <= {"goes on as before", ""}
        else:
            assert any(changed)
    undone = run(page_of_several, "await drawn(() => $('[data-key=what-if]').click()); return texts();")
    assert undone == found[-1][0]


def test_a_teacher_forced_step_reads_the_target(models, page_of_several):
    code = """await write("abc");
    await drawn(() => $$("[name=pass]")[1].click());
    const prefilled = $("#target").value;
    await drawn(() => put($("#target"), "CH AA B D"));
    $$("[name=step]")[1].click();
    return [prefilled, $$(".answer-row .number").map((each) => each.textContent),
      $$(".steps-table tbody tr").map((row) => row.querySelector(".given").textContent),
      $$(".card").map((card) => [...card.querySelectorAll("dd")].map((each) => each.textContent.trim()))];"""
    prefilled, shown, target, cards = run(page_of_several, code)
    assert prefilled == "AA B CH"  # of the example
    assert target == ["CH", "AA", "B", "D", "end"]
    for mode, percentage, (summary, last, _) in zip(MODES, shown, cards, strict=True):
        expected = math.exp(models[mode].score(["abc"], ["CH AA B D"])[0].log_prob)
        assert probability(percentage) == pytest.approx(expected, abs=0.0006) or (expected < 1e-4 and "<" in percentage)
        reads = {"basic": ("read", "not read"), "peek": ("read", "CH")}.get(mode, ("not read", "CH"))
        assert (summary, last) == reads


def test_events_that_come_at_once_run_one_after_another(page_of_several):
    code = """await write("abc");
    await drawn(() => $$("[name=pass]")[1].click());
    await drawn(() => { for (const target of ["CH", "CH AA", "CH AA B"]) put($("#target"), target); });
    return $$(".steps-table tbody tr").map((row) => row.querySelector(".given").textContent);"""
    assert run(page_of_several, code)[:4] == ["CH", "AA", "B", "end"]


def test_a_failure_of_a_page_that_has_answered_is_a_sentence(several, browser):
    with served(several) as address:
        opened(browser, address)
        reason = "{promise: Promise.resolve(), reason: new Error('out of memory')}"  # as of a run that fails
        browser.execute_script(f"dispatchEvent(new PromiseRejectionEvent('unhandledrejection', {reason}))")
        assert status(browser) == "This page cannot go on: out of memory. Load it again."
        forget(browser)


def test_an_unknown_token_is_named(page_of_several):
    read = "await write('aXx'); return $('#note:not([hidden])').textContent;"
    assert run(page_of_several, read) == ("The model does not know X, x: it reads an unknown token there.")
    assert run(page_of_several, "await write('abc'); return $('#note').hidden;")


def test_a_model_without_an_unknown_token_answers_known_texts_alone(browser, tmp_path):
    letters = Vocabulary(["<pad>", "<start>", "<end>", *"ab"], "", unknown=None)
    decoder = FeedbackDecoder(4, readout=Tokens(5), max_length=4)
    model = Seq2Seq(Encoder(4, vocabulary_size=5), decoder, letters, letters)
    model.build((None, None))
    web({"letters": model}, tmp_path / "page", "Letters")
    read = "return [$('#note').textContent, $('#results').hidden];"
    with served(tmp_path / "page") as address:
        opened(browser, address)
        found = run(browser, f"put($('#text'), 'axb'); await new Promise((then) => setTimeout(then, 50)); {read}")
        assert found == ["The model does not know x: leave it out.", True]
        assert run(browser, "await write('ab'); return [$('#note').hidden, $('#results').hidden];") == [True, False]


def test_a_mode_has_the_colour_of_the_report(several, page_of_several):
    site = json.loads((several / "models.json").read_text(encoding="utf-8"))
    assert {each["name"]: each["color"] for each in site["models"]} == {
        mode: style.color for mode, style in styles(MODES).items()
    }
    shown = run(page_of_several, "return $$('.answer-row .glyph').map((each) => each.textContent);")
    assert shown == [styles(MODES)[mode].glyph for mode in MODES]


# === What is broken or missing ===

BROKEN = {
    "models.json": ("The file models.json is damaged: it is not JSON.", "The file models.json is missing here (404)."),
    "models/peek/vocabularies.json": (
        "The file models/peek/vocabularies.json is damaged: it is not JSON.",
        "The file models/peek/vocabularies.json is missing here (404).",
    ),
    "models/attention/step.onnx": (
        "The file models/attention/step.onnx is damaged, or not a model that this page can run.",
        "The file models/attention/step.onnx is missing here (404).",
    ),
    "onnxruntime/ort-wasm-simd.wasm.gz": (
        "The file onnxruntime/ort-wasm-simd.wasm.gz is damaged.",
        "The file onnxruntime/ort-wasm-simd.wasm.gz is missing here (404).",
    ),
}


@pytest.mark.parametrize("file", BROKEN)
def test_a_broken_or_missing_file_is_a_sentence(file, several, browser, tmp_path):
    shutil.copytree(several, tmp_path / "page")
    path = tmp_path / "page" / file
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    sentences = []
    with served(tmp_path / "page") as address:
        for _ in range(2):
            opened(browser, address)
            sentences.append(status(browser))
            path.unlink(missing_ok=True)
    damaged, missing = BROKEN[file]
    assert sentences[0].startswith(damaged)
    assert sentences[1].startswith(missing)
    assert not browser.execute_script("return !document.getElementById('page').hidden")


# === For everybody ===


def test_it_can_be_used_with_the_keyboard_alone(page_of_several):
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.keys import Keys

    def press(*keys):
        ActionChains(page_of_several).send_keys(*keys).perform()

    def tab_to(selector):
        for _ in range(60):
            if page_of_several.execute_script(f"return document.activeElement.matches('{selector}')"):
                return
            press(Keys.TAB)
        pytest.fail(f"no way to {selector}")

    page_of_several.execute_script("document.getElementById('text').focus()")
    press(Keys.CONTROL, "a", Keys.NULL)
    run(page_of_several, "window.answer = event('answered', () => 0); return 0;")
    press("b", "c", "d")
    run(page_of_several, "await window.answer; return 0;")
    tab_to("[name=step]")
    press(Keys.ARROW_DOWN)
    assert run(page_of_several, "return $('#details').textContent;").startswith("Step 2")
    assert (
        run(page_of_several, "return getComputedStyle(document.activeElement.parentElement).outlineStyle;") == "solid"
    )
    tab_to(".choice[aria-pressed=false]")
    assert run(page_of_several, "return getComputedStyle(document.activeElement).outlineStyle;") == "solid"
    token = run(page_of_several, "return document.activeElement.querySelector('.token').textContent;")
    run(page_of_several, "window.change = event('drawn', () => 0); return 0;")
    press(Keys.ENTER)
    run(page_of_several, "await window.change; return 0;")
    assert run(page_of_several, "return $('#what-if mark').textContent;") == token
    assert run(page_of_several, "return document.activeElement.getAttribute('aria-pressed');") == "true"


CONTRAST = """
const canvas = document.createElement("canvas");
const context = canvas.getContext("2d", { willReadFrequently: true });
const over = (colors) => {
  context.clearRect(0, 0, 1, 1);
  for (const color of colors) { context.fillStyle = color; context.fillRect(0, 0, 1, 1); }
  return [...context.getImageData(0, 0, 1, 1).data].slice(0, 3);
};
const luminance = (color) => {
  const [r, g, b] = color.map((each) => ((each /= 255) <= 0.03928 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const low = [];
for (const each of $$("body *")) {
  const own = [...each.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
  const visible = each.checkVisibility({ visibilityProperty: true }) && !each.closest("[aria-hidden], .hidden");
  if (!own || !visible) continue;
  const behind = [];
  for (let box = each; box; box = box.parentElement) behind.unshift(getComputedStyle(box).backgroundColor);
  const [a, b] = [over(behind), over([...behind, getComputedStyle(each).color])].map(luminance);
  const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  if (ratio < 4.5) low.push([each.textContent.slice(0, 30), each.className, ratio]);
}
return low;
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_its_text_has_contrast(scheme, page_of_several):
    media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    page_of_several.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    try:
        assert not run(page_of_several, f"await write('abX'); {CONTRAST}")
        code = "await drawn(() => pick($('.further select'), $('.further option:nth-child(3)').value));"
        assert not run(page_of_several, f"{code} {CONTRAST}")
    finally:
        page_of_several.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


@pytest.mark.parametrize("kind", ["one", "several"])
def test_everything_has_a_name_for_screen_readers(kind, request, browser):
    page = request.getfixturevalue(f"page_of_{kind}")
    page.execute_cdp_cmd("Accessibility.enable", {})
    nodes = page.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
    page.execute_cdp_cmd("Accessibility.disable", {})
    needing = {"button", "textbox", "radio", "combobox", "image", "img", "region", "link", "table", "group"}
    found = [
        (node["role"]["value"], node.get("name", {}).get("value", ""))
        for node in nodes
        if not node["ignored"] and node["role"]["value"] in needing
    ]
    assert {"textbox", "button"} <= {role for role, _ in found}
    assert not [role for role, name in found if not name]
    maps = [name for role, name in found if role in ("image", "img")]
    assert all(re.search(r"attends most to . \(", name) for name in maps)
    assert maps


@pytest.mark.parametrize("kind", ["one", "several"])
@pytest.mark.parametrize("width", [360, 390, 1280])
def test_nothing_is_wider_than_the_screen(kind, width, request):
    page = request.getfixturevalue(f"page_of_{kind}")
    resize(page, width)
    found = run(page, "await write('abcdé語'.repeat(12)); return [document.documentElement.scrollWidth, innerWidth];")
    assert found[0] <= found[1]


# === What a page is made of ===


def test_the_runtime_is_the_one_of_the_list():
    folder = PAGE / "onnxruntime"
    lines = (folder / "SHA256SUMS").read_text(encoding="utf-8").splitlines()
    sums = dict(reversed(line.split(maxsplit=1)) for line in lines if not line.startswith("#"))
    assert {path.name for path in folder.iterdir()} == {*sums, "SHA256SUMS"}
    for name, expected in sums.items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == expected, name
    (version,) = re.findall(r"^# onnxruntime-web ([\d.]+)", lines[0])
    script = (folder / "ort.wasm-core.min.js").read_text(encoding="utf-8")
    assert f"ONNX Runtime Web v{version}" in script
    assert "MIT" in (folder / "LICENSE.txt").read_text(encoding="utf-8")


def test_no_address_of_another_host_is_in_it():
    for path in [*PAGE.glob("*.js"), *PAGE.glob("*.html"), *PAGE.glob("*.css")]:
        assert not re.findall(r"https?://", path.read_text(encoding="utf-8")), path


def test_what_cannot_be_a_page_is_refused_in_one_line(models, tmp_path, monkeypatch):
    place = tmp_path / "new"

    def refused(message, given, **options):
        with pytest.raises(ExportError, match=message) as error:
            web(given, place, "Title", **options)
        assert "\n" not in str(error.value)

    language = Seq2Seq(NoEncoder(), FeedbackDecoder(4, readout=Tokens(len(LETTERS))), Vocabulary.build([], ""), LETTERS)
    labels = EncoderOnly(
        Encoder(4, vocabulary_size=len(LETTERS)),
        Tokens(len(PHONES)),
        source_vocabulary=LETTERS,
        target_vocabulary=PHONES,
    )
    bare = Seq2Seq(Encoder(4, vocabulary_size=9), FeedbackDecoder(4, readout=Tokens(9)))
    refused("but mine is a language model: export it as onnx", {"mine": language})
    refused("but mine labels texts: export it as onnx", {"mine": labels})
    refused("but mine has no vocabularies: export it as onnx", {"mine": bare})
    basic = models["basic"]
    decoder = FeedbackDecoder(4, readout=Tokens(len(LETTERS)))
    other = Seq2Seq(Encoder(4, vocabulary_size=len(LETTERS)), decoder, LETTERS, LETTERS)
    refused("the target vocabularies of basic and other differ", {"basic": basic, "other": other})
    refused("has no search: leave it out", models, search="greedy")
    refused("An exported search cannot be random", {"basic": basic}, search="sample")
    monkeypatch.setitem(sys.modules, "tf2onnx", None)
    refused(r"needs the package tf2onnx: pip install 'seq2seq-zoo\[onnx\]'", {"basic": basic})
    assert not list(tmp_path.iterdir())
    place.mkdir()
    refused("already exists and is not overwritten", {"basic": basic})
