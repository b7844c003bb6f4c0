"""Exported notebooks run where nothing of the book is installed, as in Colab.

The environment is bare: what Colab has of the book's dependencies, in Colab's versions, and no
`scispaces`.  The install cell gets the wheel that was just made.  Three notebooks run with the
tests, one of each kind; ``make test-launch`` runs all.
"""

import json
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from scispaces_book.publish import build_wheel

ROOT = Path(__file__).parents[2]
NOTEBOOKS = ROOT / "_build" / "notebooks"

COLAB = {
    "ipykernel": "6.17.1",
    "ipywidgets": "7.7.1",
    "matplotlib": "3.10.0",
    "numpy": "2.0.2",
}
SOME = ("appendix/explorer", "mathematics/random_angles", "physics/inverted_pendulum")


def pytest_generate_tests(metafunc):
    if "notebook" in metafunc.fixturenames:
        every = metafunc.config.getoption("--every-notebook", default=False)
        built = sorted(p.relative_to(NOTEBOOKS).with_suffix("") for p in NOTEBOOKS.rglob("*.ipynb"))
        metafunc.parametrize("notebook", [str(name) for name in built] if every else SOME)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    build_wheel(ROOT, folder)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    """Python of an environment without the book; its kernel is called ``bare``."""
    folder = tmp_path_factory.mktemp("bare")
    subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
    python = folder / "venv" / "bin" / "python"
    pip(python, "install", "--quiet", *(f"{name}=={number}" for name, number in COLAB.items()))
    kernel = folder / "jupyter" / "kernels" / "bare"
    kernel.mkdir(parents=True)
    start = [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    kernel.joinpath("kernel.json").write_text(
        json.dumps({"argv": start, "display_name": "bare", "language": "python"})
    )
    return python


@pytest.fixture
def run(bare, wheel, tmp_path, monkeypatch):
    """Run a notebook in the bare environment, in an empty folder."""
    monkeypatch.setenv("JUPYTER_PATH", str(bare.parents[2] / "jupyter"))
    monkeypatch.setenv("SCISPACES_WHEEL", wheel.as_uri())
    for name in ("PYTHONPATH", "SCISPACES_STATIC"):
        monkeypatch.delenv(name, raising=False)

    def run(notebook):
        client = NotebookClient(
            notebook, timeout=300, kernel_name="bare", resources={"metadata": {"path": tmp_path}}
        )
        return client.execute()

    return run


def freeze(python):
    return {row["name"]: row["version"] for row in json.loads(pip(python, "list", "--format=json"))}


def pip(python, *arguments):
    """Run pip where `PYTHONPATH` shows it nothing of the book; return what it prints."""
    command = [python, "-I", "-m", "pip", "--disable-pip-version-check", *arguments]
    return subprocess.check_output(command, stderr=subprocess.DEVNULL)


def test_the_environment_is_not_the_lock(bare):
    assert all(version(name) != number for name, number in COLAB.items())
    assert "scispaces" not in freeze(bare)


def test_notebook_runs(run, bare, notebook, tmp_path):
    path = NOTEBOOKS / f"{notebook}.ipynb"
    if not path.is_file():
        pytest.fail(f"{path} does not exist; run `make book` first")
    done = run(nbformat.read(path, as_version=4))
    assert not [cell for cell in done.cells if "error" in output_types(cell)]
    shown = [o for cell in done.cells for o in cell.get("outputs", ()) if "data" in o]
    assert any("application/vnd.jupyter.widget-view+json" in o["data"] for o in shown)
    versions = freeze(bare)
    assert {name: versions[name] for name in COLAB} == COLAB  # nothing that was there has moved
    assert not list(tmp_path.iterdir())  # and nothing is left in the reader's folder


def output_types(cell):
    return {output["output_type"] for output in cell.get("outputs", ())}


def test_install_cell_does_nothing_where_all_is_there(run, bare, monkeypatch):
    install = nbformat.read(NOTEBOOKS / f"{SOME[1]}.ipynb", as_version=4).cells[1]
    run(nbformat.v4.new_notebook(cells=[install]))  # now it is there
    monkeypatch.setenv("SCISPACES_WHEEL", "file:///nowhere.whl")
    done = run(nbformat.v4.new_notebook(cells=[nbformat.from_dict(dict(install))]))
    assert done.cells[0].outputs == []
