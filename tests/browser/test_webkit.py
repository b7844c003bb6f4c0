"""A second engine: the chapters in WebKitGTK, on a virtual screen."""

import itertools
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.wait import WebDriverWait
from selenium.webdriver.webkitgtk.options import Options
from selenium.webdriver.webkitgtk.service import Service

CHAPTERS = [
    "chapters/mathematics/random_angles",
    "chapters/physics/inverted_pendulum",
    "chapters/probability/softmax_alternatives",
]

# Selenium's own class for WebKitGTK calls its deprecated constructor.
pytestmark = pytest.mark.filterwarnings("ignore:setting remote_server_addr:DeprecationWarning")


@pytest.fixture(scope="module")
def webkit(tmp_path_factory):
    driver = shutil.which("WebKitWebDriver")
    browsers = sorted(Path("/usr/lib").glob("*/webkit2gtk-4.*/MiniBrowser"))
    if not driver or not browsers or not shutil.which("Xvfb"):
        pytest.fail("WebKitGTK is missing: apt-get install webkit2gtk-driver xvfb")
    read, write = os.pipe()
    screen = subprocess.Popen(
        ["Xvfb", "-displayfd", str(write), "-screen", "0", "1200x1000x24"],
        pass_fds=[write],
        stderr=subprocess.DEVNULL,
    )
    number = os.read(read, 16).decode().strip()
    environment = {**os.environ, "DISPLAY": f":{number}"}
    options = Options()
    options.binary_location = str(browsers[-1])
    options.add_argument("--automation")
    session = webdriver.WebKitGTK(options=options, service=Service(driver, env=environment))
    yield session
    session.quit()
    screen.terminate()
    screen.wait()
    os.close(read)
    os.close(write)


@pytest.mark.parametrize("page", CHAPTERS)
def test_sliders_formulas_and_dark_mode(webkit, site, page):
    webkit.get((site / f"{page}.html").as_uri())
    formulas = webkit.find_elements(By.CSS_SELECTOR, "article .katex-html")
    assert len(formulas) > 20
    assert formulas[0].size["width"] > 0
    for field in webkit.find_elements(By.CSS_SELECTOR, "form.explorer-controls input[type=range]"):
        figure = field.find_element(By.XPATH, "ancestor::figure")
        webkit.execute_script(
            "arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", field
        )
        WebDriverWait(webkit, 20).until(lambda _, f=figure: f.get_attribute("data-ready") == "")
        pictures = []
        for key in (Keys.HOME, Keys.END):
            field.send_keys(key)
            pictures.append(figure.find_element(By.CSS_SELECTOR, ".explorer-picture"))
            pictures[-1] = pictures[-1].get_attribute("innerHTML")
            texts = field.find_element(By.XPATH, "following-sibling::output").text
            assert field.get_attribute("aria-valuetext") == texts
        assert pictures[0] != pictures[1], field.get_attribute("id")
    colours = []
    for theme in ("light", "dark"):
        webkit.execute_script("document.documentElement.dataset.theme = arguments[0]", theme)
        colours.append(
            webkit.execute_script(
                "const s = getComputedStyle(document.documentElement);"
                "const p = getComputedStyle(document.body);"
                "return [s.getPropertyValue('--fig-ink').trim(), p.backgroundColor]"
            )
        )
    assert all(light != dark for light, dark in itertools.zip_longest(*colours))
