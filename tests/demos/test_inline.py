"""A panel below a notebook's cell, in a real notebook."""

import os
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook


@pytest.fixture
def notebook(tmp_path):
    cells = ["import rlhf_kit as kit\nkit.panel('data', 'zh')", "kit.panel('data', 'zh')",
             "import re, urllib.request\nfrom rlhf_kit.studio import inline\npages = inline._open['data'][0]\n"
             "print(urllib.request.urlopen(pages.local_url).status, pages.share)\ninline.close('data')"]
    book = new_notebook(cells=[new_code_cell(cell) for cell in cells])
    environment = {name: value for name, value in os.environ.items() if name != "RLHF_KIT_PANELS"}
    environment["PYTHONPATH"] = str(Path(__file__).parents[2])
    NotebookClient(book, timeout=120, resources={"metadata": {"path": tmp_path}}).execute(env=environment)
    nbformat.validate(book)
    return book


def test_a_cell_shows_the_panel_here_and_nowhere_else(notebook):
    first, again, asked = notebook.cells
    shown = "".join(str(output.get("data", output.get("text"))) for output in first.outputs)
    assert "iframe" in shown
    assert "127.0.0.1" in shown
    assert "rlhf-kit studio --panel data --lang zh" in shown
    assert "iframe" in "".join(str(output.get("data", "")) for output in again.outputs)     # the first one was closed
    assert "200 False" in asked.outputs[0].text
