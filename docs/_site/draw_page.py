"""Draws the pictures of pages in the browser: docs/images/play.png, play-phone.png and page.png, in a real browser.

`python docs/_site/draw_page.py` writes them anew, of the models of the zoo.
"""

import base64
import io
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image

from seq2seq_zoo.cli.page import write_page
from seq2seq_zoo.cli.play import PLAYED
from seq2seq_zoo.system.model_file import located

ROOT = Path(__file__).parents[2]
IMAGES = ROOT / "docs" / "images"
NUMBER = "7 9 6 2 0"
CHANGED = """
document.querySelector("#text").value = arguments[0];
document.querySelector("#text").dispatchEvent(new Event("input"));
setTimeout(() => document.querySelector("#what-if button").click(), 1000);
"""
"""Types a number, and takes the suggestion of what a step could have said."""


def draw(browser, address: str, name: str, width: int, height: int | None, script: str = "") -> None:
    """Write the picture of a page at a width; of all of it, or of a part of some height."""
    scale = 1 if width > 600 else 2
    size = {"width": width, "height": 900, "deviceScaleFactor": scale, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.get(address)
    time.sleep(5)
    browser.execute_script(script, NUMBER)
    time.sleep(3)
    whole = browser.execute_script("return document.documentElement.scrollHeight")
    clip = {"x": 0, "y": 0, "width": width, "height": height or whole, "scale": 1}
    shot = browser.execute_cdp_cmd("Page.captureScreenshot", {"captureBeyondViewport": True, "clip": clip})
    picture = Image.open(io.BytesIO(base64.b64decode(shot["data"]))).convert("RGB")
    picture.quantize(128, dither=Image.Dither.NONE).save(IMAGES / f"{name}.png", optimize=True)


def main() -> None:
    """Draw all pictures."""
    sys.path.append(str(ROOT / "tests"))
    from browser import served, started_browser

    with tempfile.TemporaryDirectory() as folder, started_browser(Path(folder, "browser")) as browser:
        write_page([located(name) for name in PLAYED], Path(folder, "play"))
        write_page([located("zoo:words_to_digits")], Path(folder, "page"))
        with served(folder) as address:
            draw(browser, f"{address}/play/", "play", 1200, None, CHANGED)
            draw(browser, f"{address}/play/", "play-phone", 390, 1000, CHANGED)
            draw(browser, f"{address}/page/", "page", 1000, None)


if __name__ == "__main__":
    main()
