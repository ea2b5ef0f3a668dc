"""The documentation as a site: it builds without a warning, and every page of it is right in a real browser."""

import importlib.util
import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
from browser import WIDTHS, complaints, forget, requested, resize, served

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
# The page of each address.
PAGES = {page.relative_to(DOCS).with_suffix("").as_posix(): page for page in sorted(DOCS.rglob("*.md"))}
PAGES = {re.sub(r"(^|/)index$", "", address): page for address, page in PAGES.items()}
PAGES |= {"changelog": ROOT / "CHANGELOG.md", "contributing": ROOT / "CONTRIBUTING.md"}

pytestmark = [
    pytest.mark.skipif(not importlib.util.find_spec("material"), reason="the site needs: pip install '.[docs]'"),
    pytest.mark.skipif(not importlib.util.find_spec("mkdocstrings"), reason="the site needs: pip install '.[docs]'"),
]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The built site's folder."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "-f", ROOT / ".mkdocs.yml", "-d", folder]
    done = subprocess.run(command, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"}, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="module")
def address(site):
    """Where the site is served."""
    with served(site) as address:
        yield address


LOOK = """
await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
document.getAnimations().forEach(each => each.finish());  // of a new width
for (const each of document.images) each.loading = "eager";
await Promise.all([...document.images].map(each => each.complete || new Promise(r => each.onload = each.onerror = r)));
const equations = [...document.querySelectorAll("math")].map(each => each.textContent);
const text = document.querySelector("article").cloneNode(true);
text.querySelectorAll("pre, code, math, script, style").forEach(each => each.remove());
return {
  title: document.title,
  missing: [...document.images].filter(each => !each.naturalWidth).map(each => each.src),
  raw: [
    ...(text.textContent.match(/.{0,30}(```|\\|\\s*:?---|\\*\\*|\\$|\\]\\(|^#+ |:::|>>> ).{0,30}/gm) || []),
    ...equations.filter(each => each.includes("\\\\")),  // a command that the converter does not know
  ],
  blocks: document.querySelectorAll("article .highlight, article .math").length,
  width: document.documentElement.scrollWidth,
  wide: [...document.querySelectorAll("article *")].filter(each => {
    if (each.getBoundingClientRect().right <= innerWidth + 1) return false;
    for (let box = each; box; box = box.parentElement) if (getComputedStyle(box).overflowX != "visible") return false;
    return true;
  }).map(each => each.outerHTML.slice(0, 200)),
};
"""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page or "home")
def test_a_page_is_right(page, address, browser):
    fences = PAGES[page].read_text(encoding="utf-8").count("\n```") // 2
    forget(browser)
    resize(browser, WIDTHS["phone"])
    browser.get(f"{address}/{page}/" if page else f"{address}/")
    for name, width in WIDTHS.items():
        resize(browser, width)
        seen = browser.execute_script(f"return (async () => {{{LOOK}}})()")
        assert "404" not in seen["title"]
        assert not seen["missing"], "a picture is missing"
        assert not seen["raw"], "Markdown has not become HTML"
        assert seen["blocks"] >= fences, "a fence has not become a block"
        assert not seen["wide"], f"wider than a {name}"
        assert seen["width"] <= width, f"wider than a {name}"
    assert not complaints(browser)
    asked = requested(browser)
    assert asked
    assert not [url for url in asked if not url.startswith(address)]


def test_four_models_answer_on_the_first_page(address, browser):
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.wait import WebDriverWait

    resize(browser, WIDTHS["phone"])
    browser.get(address)
    browser.switch_to.frame(browser.find_element(By.ID, "play"))
    answers = WebDriverWait(browser, 60).until(lambda _: browser.find_elements(By.CSS_SELECTOR, ".answer-row .text"))
    assert len(answers) == 4
    assert all(each.text for each in answers)
    browser.switch_to.default_content()
    frame = browser.find_element(By.ID, "play")
    inner = "return arguments[0].contentDocument.documentElement.scrollHeight <= arguments[0].clientHeight"
    WebDriverWait(browser, 10).until(lambda _: browser.execute_script(inner, frame))


def test_search_finds(address, browser):
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.wait import WebDriverWait

    resize(browser, WIDTHS["desktop"])
    browser.get(address)
    field = browser.find_element(By.CSS_SELECTOR, "input.md-search__input")
    field.click()
    field.send_keys("AttentionDecoder")
    shown = WebDriverWait(browser, 30).until(
        lambda _: [
            each.get_attribute("href")
            for each in browser.find_elements(By.CSS_SELECTOR, "a.md-search-result__link")
            if each.is_displayed()
        ]
    )
    assert any("api/decoders" in address for address in shown)


def test_every_page_is_in_the_contents(site):
    contents = (site / "index.html").read_text(encoding="utf-8").partition("md-sidebar--secondary")[0]
    assert not [url for url in PAGES if f'href="{url + "/" if url else "."}"' not in contents]


def test_the_drawings_are_those_of_their_script():
    script = runpy.run_path(str(ROOT / "docs" / "_site" / "draw_modes.py"))
    for mode in script["READS"]:
        assert (script["IMAGES"] / f"{mode}.svg").read_text(encoding="utf-8") == script["drawing"](mode)
