"""`bakeoff report` in a real browser, and what `bakeoff recipe` prints, run where it says."""

import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.select import Select

from bakeoff import environments, paths
from bakeoff.engines.catalogue import Catalogue
from bakeoff.judge.case.parity import compare
from bakeoff.models.library import ModelLibrary
from bakeoff.report import pdf

pytestmark = pytest.mark.end_to_end

REQUIRED = "BAKEOFF_REQUIRE_CHROMIUM"
"""set in CI, where these tests fail without a browser instead of being skipped"""
ENGINES = ("onnxruntime", "openvino")
BATCHES = (1, 4)
PHONE = 390
"""pixels"""


@pytest.fixture(scope="module")
def raced(tmp_path_factory: pytest.TempPathFactory, bakeoff_in: Callable[[Path], Any]) -> Any:
    """`bakeoff`, where a run of two rounds is in `results`."""
    bakeoff = bakeoff_in(tmp_path_factory.mktemp("report"))
    sizes = ",".join(map(str, BATCHES))
    engines = ",".join(ENGINES)
    result = bakeoff("run", "resnet-tiny", "--engines", engines, "--batch", sizes, "--rounds", "2", "--quick")
    assert result.code == 0, result.err
    return bakeoff


@pytest.fixture(scope="module")
def page(raced: Any) -> Path:
    result = raced("report")
    assert result.code == 0, result.err
    return Path(raced.folder / "report.html")


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    """A Chromium without a window and without a network."""
    program, driver = pdf.find_browser(), shutil.which("chromedriver")
    if program is None or driver is None:
        assert not os.environ.get(REQUIRED), "no Chromium here: apt-get install chromium chromium-driver"
        pytest.skip("no Chromium or no chromedriver here: apt-get install chromium chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = program
    for flag in pdf.flags(tmp_path_factory.mktemp("profile")):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    chrome = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    try:
        offline = {"offline": True, "latency": 0, "downloadThroughput": 0, "uploadThroughput": 0}
        chrome.execute_cdp_cmd("Network.enable", {})
        chrome.execute_cdp_cmd("Network.emulateNetworkConditions", offline)
        yield chrome
    finally:
        chrome.quit()


@pytest.fixture
def opened(browser: webdriver.Chrome, page: Path) -> webdriver.Chrome:
    browser.get(page.as_uri())
    return browser


def column(chrome: webdriver.Chrome, title: str) -> list[str]:
    """The shown cells of the table of all cases below a heading."""
    table = chrome.find_element(By.CSS_SELECTOR, "#run1-speeds table")
    titles = [button.text for button in table.find_elements(By.CSS_SELECTOR, "thead button")]
    rows = [row for row in table.find_elements(By.CSS_SELECTOR, "tbody tr") if row.is_displayed()]
    return [row.find_elements(By.CSS_SELECTOR, "th, td")[titles.index(title)].text for row in rows]


def heading(chrome: webdriver.Chrome, title: str) -> Any:
    return chrome.find_element(By.XPATH, f"//*[@id='run1-speeds']//th[button='{title}']/button")


def test_it_is_one_file_that_opens_without_network_and_without_complaint(opened: webdriver.Chrome, page: Path) -> None:
    assert page.stat().st_size < 2_000_000
    assert opened.get_log("browser") == []  # type: ignore[no-untyped-call]
    assert opened.execute_script("return performance.getEntriesByType('resource').length") == 0
    assert opened.find_element(By.TAG_NAME, "h2").text == "Verdict"


def test_every_chart_is_there_and_has_marks(opened: webdriver.Chrome) -> None:
    charts = {
        section: opened.find_elements(By.CSS_SELECTOR, f"#run1-{section} .chart svg")
        for section in ("throughput", "scaling", "latency", "cost", "time-line")
    }
    for section, drawn in charts.items():
        assert len(drawn) == 1, section
        assert drawn[0].size["width"] > 300
        assert len(drawn[0].find_elements(By.CSS_SELECTOR, "path, line, rect")) > 4
    names = charts["throughput"][0].text
    assert all(engine in names for engine in ENGINES)


def test_a_heading_sorts_its_column_by_mouse_and_by_keyboard(opened: webdriver.Chrome) -> None:
    heading(opened, "images/s").click()
    slowest_first = [float(text.split()[0]) for text in column(opened, "images/s")]
    assert slowest_first == sorted(slowest_first)
    heading(opened, "images/s").send_keys(Keys.ENTER)
    assert [float(text.split()[0]) for text in column(opened, "images/s")] == sorted(slowest_first, reverse=True)
    heading(opened, "engine").send_keys(Keys.SPACE)
    assert column(opened, "engine") == sorted(column(opened, "engine"))
    sorted_by = opened.find_elements(By.CSS_SELECTOR, "#run1-speeds th[aria-sort='ascending']")
    assert [each.text for each in sorted_by] == ["engine"]


def test_the_table_filters_by_word_and_by_batch_size(opened: webdriver.Chrome) -> None:
    assert len(column(opened, "engine")) == len(ENGINES) * len(BATCHES)
    opened.find_element(By.CSS_SELECTOR, "input[type=search]").send_keys("openv")
    assert set(column(opened, "engine")) == {"openvino"}
    Select(opened.find_element(By.CSS_SELECTOR, "select[data-column='3']")).select_by_visible_text("4")
    assert column(opened, "batch") == ["4"]
    assert opened.find_element(By.TAG_NAME, "output").text == "1 of 4 cases"


def test_on_a_phone_only_boxes_scroll_and_dark_is_dark(opened: webdriver.Chrome) -> None:
    metrics = {"width": PHONE, "height": 800, "deviceScaleFactor": 1, "mobile": True}
    colours = {}
    try:
        opened.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        for theme in ("light", "dark"):
            scheme = {"features": [{"name": "prefers-color-scheme", "value": theme}]}
            opened.execute_cdp_cmd("Emulation.setEmulatedMedia", scheme)
            assert opened.execute_script("return document.documentElement.scrollWidth") <= PHONE
            script = "return ['backgroundColor', 'color'].map((p) => getComputedStyle(document.body)[p])"
            colours[theme] = [sum(map(int, rgb[4:-1].split(","))) for rgb in opened.execute_script(script)]
    finally:
        opened.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        opened.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    assert colours["light"][0] > colours["light"][1]
    assert colours["dark"][0] < colours["dark"][1]


def test_markdown_is_printed_and_a_pdf_is_one(raced: Any, browser: webdriver.Chrome) -> None:  # noqa: ARG001 - or skip
    markdown = raced("report", "--format", "md")
    assert markdown.out.startswith("# bakeoff ")
    assert "## Break-even, start-up included" in markdown.out
    result = raced("report", "latest", "--output", "report.pdf")
    assert result.code == 0, result.err
    assert (raced.folder / "report.pdf").read_bytes().startswith(b"%PDF-")


def test_a_run_that_is_not_there_and_a_place_that_cannot_be_written_are_one_line_each(raced: Any) -> None:
    (raced.folder / "nosuch").write_text("no folder")
    for arguments in (("report", "nosuch"), ("report", "--output", "nosuch/report.html")):
        result = raced(*arguments)
        assert result.code == 2
        assert "nosuch" in result.err
        assert "Traceback" not in result.err


@pytest.mark.parametrize("engine", ENGINES)
def test_a_printed_recipe_gives_the_answers_of_the_reference(raced: Any, tmp_path: Path, engine: str) -> None:
    arguments = ("recipe", "latest", "--engine", engine, "--batch", "4")
    script, pins = raced(*arguments, "--only", "script"), raced(*arguments, "--only", "requirements")
    assert script.code == pins.code == 0, script.err + pins.err
    assert script.out in "\n".join(line.removeprefix("    ") for line in raced(*arguments).out.splitlines()) + "\n"
    assert f"{Catalogue.load().engines[engine].requirement}\n" in pins.out

    library = ModelLibrary(paths.cache_dir())
    model = library.resolve("resnet-tiny")
    (samples,) = library.samples(model, seed=0, count=8).files
    np.savez(tmp_path / "inputs.npz", input=np.load(samples)[:4])
    (tmp_path / "recipe.py").write_text(script.out, encoding="utf-8")
    installed = environments.find(Catalogue.load().engines[engine].environment)
    assert installed
    command = [*installed.command, "recipe.py", "inputs.npz", "outputs.npz"]
    subprocess.run(command, cwd=tmp_path, check=True, timeout=120)
    with np.load(tmp_path / "outputs.npz") as outputs:
        answers = [outputs[name] for name in outputs.files]
    reference = library.samples(model, seed=0, count=8).reference()
    parity, _ = compare(answers, [output[:4] for output in reference])
    assert parity.max_rel_error is not None
    assert parity.max_rel_error < 1e-5


def test_a_pack_runs_and_verifies_without_bakeoff_until_a_file_is_changed(raced: Any, tmp_path: Path) -> None:
    """Nothing of bakeoff is in the environment of the engine, whose Python alone runs the pack."""
    pack = tmp_path / "pack"
    shipped = raced("ship", "latest", "--contender", "onnxruntime", "--batch", "4", "--to", str(pack))
    assert shipped.code == 0, shipped.err
    again = raced("ship", "latest", "--to", str(pack))
    assert again.code == 2
    assert "it is there already" in again.err

    installed = environments.find(Catalogue.load().engines["onnxruntime"].environment)
    assert installed

    def python(*words: str) -> "subprocess.CompletedProcess[str]":
        command = [installed.command[0], *words]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120)

    verified = python("pack/verify.py", "--seconds", "0.1")
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert re.search(r"^answers: error \S+, limit \S+, certified \S+: right$", verified.stdout, re.MULTILINE)
    assert re.search(r"^speed: \S+ samples/s here, certified \S+ \[", verified.stdout, re.MULTILINE)

    np.savez(tmp_path / "inputs.npz", input=np.zeros((4, 3, 32, 32), np.float32))
    assert python("pack/run.py", "inputs.npz", "outputs.npz").returncode == 0
    with np.load(tmp_path / "outputs.npz") as outputs:
        assert outputs["logits"].shape == (4, 10)

    fresh = raced("verify", str(pack), "--seconds", "0")
    assert fresh.code == 0, fresh.err
    assert "manifest: every file is as it was packed\n" in fresh.out
    assert "note: " not in fresh.out, "the fresh environment has other packages than were raced"

    (pack / "hashlib.py").write_text("print('run')")  # which a script's own folder would lend to it
    changed = python("pack/verify.py")
    assert changed.returncode == 1
    assert changed.stdout == "manifest: hashlib.py is not in the manifest: CHANGED\n"


def test_a_report_is_made_in_little_time(raced: Any) -> None:
    """Its own goal is two seconds on a quiet machine; this only tells an accident, whatever else runs beside it."""
    begin = time.monotonic()
    assert raced("report", "--output", "again.html").code == 0
    assert time.monotonic() - begin < 30
