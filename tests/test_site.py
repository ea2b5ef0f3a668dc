"""The documentation as a site: it builds without a warning, and every page of it is right in a real browser."""

import functools
import http.server
import importlib.util
import json
import os
import re
import runpy
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from urllib.parse import urlsplit

import pytest

ROOT = Path(__file__).parents[1]
BROWSER, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
WIDTHS = {"phone": 390, "desktop": 1280}
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

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format, *args):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=site)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """A browser without a window, which finds no host but this one."""
    if not (BROWSER and DRIVER and importlib.util.find_spec("selenium")):
        pytest.skip("needs a browser: apt-get install chromium chromium-driver, and pip install '.[test]'")
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = BROWSER
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    for argument in (
        "headless=new",
        "no-sandbox",  # root, as in containers, has none
        "disable-gpu",
        "disable-dev-shm-usage",
        "disable-quic",
        "no-first-run",
        "disable-background-networking",
        "disable-component-update",
        "disable-sync",
        f"user-data-dir={tmp_path_factory.mktemp('browser')}",
        "host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
    ):
        options.add_argument(f"--{argument}")
    driver = webdriver.Chrome(options, webdriver.ChromeService(DRIVER))
    driver.set_page_load_timeout(60)
    yield driver
    driver.quit()


def resize(browser, width):
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)


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
    for log in ("browser", "performance"):
        browser.get_log(log)  # what pages before have left there
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
    assert not [entry for entry in browser.get_log("browser") if entry["level"] in ("WARNING", "SEVERE")]
    messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    asked = {each["params"]["request"]["url"] for each in messages if each["method"] == "Network.requestWillBeSent"}
    assert asked
    assert not [url for url in asked if urlsplit(url).scheme in ("http", "https") and not url.startswith(address)]


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
