"""The report in a browser: headless Chromium opens it, and what it shows is measured there."""

import json
import pathlib
import re
import shutil
import subprocess

import pytest
from conftest import palinode

JOB = """
name: report-test
model: {n_layer: [1, 2], n_head: 2, n_embd: 8}
task: {n_dims: 2, n_points: 8}
train: {steps: 20, batch_size: 8, gradient_shards: 4, learning_rate: 1.0e-3}
evaluate: {prompts: 16, critique_quality: [1, 0.5], baselines: [gd, mean], rounds: 3}
seeds: {first: 0, count: 3}
claims:
  - {id: "depth", test: trend, metric: kendall_tau, at: 6, over: model.n_layer, direction: increasing,
     where: {critique_quality: 1}}
  - {id: "as-gd", test: equivalence, metric: nmse, at: 6, a: {predictor: model}, b: {predictor: gd}, margin: 0.5,
     where: {critique_quality: 1, model.n_layer: 2}}
"""

# Runs in a copy of the page and leaves in it what there is to see.
MEASURE = """<script>
const pictures = [...document.querySelectorAll("figure svg")].map(svg => {
  const box = svg.getBoundingClientRect();
  return {width: box.width, height: box.height, label: svg.getAttribute("aria-label"),
          shapes: svg.querySelectorAll("path, circle, use, polygon, rect").length};
});
const ids = [...document.querySelectorAll("[id]")].map(element => element.id);
const found = {pictures, ids: ids.length, distinct: new Set(ids).size,
               broken: [...document.querySelectorAll("a[href^='#'], use")].filter(element => {
                 const to = element.getAttribute("href") || element.getAttribute("xlink:href");
                 return document.getElementById(to.slice(1)) === null;
               }).length,
               missing: document.querySelectorAll(".missing").length,
               overflow: document.documentElement.scrollWidth - document.documentElement.clientWidth};
document.body.insertAdjacentHTML("beforeend", "<pre id='measured'>" + JSON.stringify(found) + "</pre>");
</script>"""


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    (folder / "job.yaml").write_text(JOB)
    palinode("run", folder / "job.yaml", "-o", folder / "results", "-q")
    palinode("analyze", folder / "results")
    return folder / "results"


def browse(page, tmp_path):
    """The page's DOM after its scripts ran, and what Chromium logged of its console."""
    browser = shutil.which("chromium")
    if browser is None:
        pytest.skip("chromium is not installed: cli/setup --tests installs it where the distribution has it")
    done = subprocess.run(
        [browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync",
         f"--user-data-dir={tmp_path / 'profile'}", "--window-size=1000,800", "--enable-logging=stderr", "--dump-dom",
         page.as_uri()], text=True, capture_output=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line]


def test_the_report_shows_every_figure_in_a_browser_without_a_console_error(results, tmp_path):
    page = tmp_path / "report.html"
    page.write_text((results / "report.html").read_text().replace("</body>", MEASURE + "</body>"))
    dom, console = browse(page, tmp_path)
    assert console == []
    found = json.loads(re.search("<pre id=\"measured\">(.*?)</pre>", dom).group(1).replace("&amp;", "&"))
    drawn = list((results / "figures").glob("*.svg"))
    assert len(found["pictures"]) == len(drawn) >= 12  # of two claims, curves, levels, rounds, heat map, training, cost
    for picture in found["pictures"]:
        assert picture["width"] > 200 and picture["height"] > 80 and picture["shapes"] > 5, picture
    assert found["ids"] == found["distinct"] and found["broken"] == 0 and found["missing"] == 0
    assert found["overflow"] == 0  # what is too wide scrolls in itself


def test_a_console_error_and_a_lost_figure_would_be_seen(results, tmp_path):
    page = tmp_path / "report.html"
    text = re.sub("<svg.*?</svg>", "", (results / "report.html").read_text(), count=1, flags=re.DOTALL)
    page.write_text(text.replace("</body>", "<script>console.error('seen')</script>" + MEASURE + "</body>"))
    dom, console = browse(page, tmp_path)
    assert len(console) == 1 and "seen" in console[0]
    found = json.loads(re.search("<pre id=\"measured\">(.*?)</pre>", dom).group(1))
    assert len(found["pictures"]) == len(list((results / "figures").glob("*.svg"))) - 1


def test_the_report_says_what_became_of_the_claims_and_needs_nothing_from_elsewhere(results):
    text = (results / "report.html").read_text()
    assert text.index("id=\"completeness\"") < text.index("id=\"claims\"") < text.index("id=\"figures\"")
    assert text.count("<section class=\"claim\"") == 2 and "id=\"figure-claim_depth\"" in text
    assert "<script" not in text and "src=" not in text and "@import" not in text
    assert not re.search("href=\"(?!#|data:)", text)
    links = [link for link in re.findall("https?://[^\"' <]+", text) if "www.w3.org" not in link]
    assert links == []


def test_a_run_that_goes_on_has_a_report_that_says_so(tmp_path):
    (tmp_path / "job.yaml").write_text(JOB)
    folder = tmp_path / "results"
    palinode("run", tmp_path / "job.yaml", "-o", folder, "-q", "--limit", 1, expect=75)
    done = palinode("analyze", folder)
    assert "1 of 6 trainings done" in done.stdout
    text = (folder / "report.html").read_text()
    assert "class=\"box open\"" in text and text.count("class=\"waiting\"") == 5
    assert pathlib.Path(folder / "figures" / "quality.svg").exists()
