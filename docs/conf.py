"""Sphinx: `sphinx-build -W --keep-going -b html docs docs/_build/html`. Needs no network."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]  # for what the pages are made from

import tables  # noqa: E402

import napari_dred  # noqa: E402

project = "napari-dred"
author = copyright = "napari-dred developers"
version = release = napari_dred.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
templates_path: list[str] = []

html_theme = "furo"
html_title = f"napari-dred {release}"
html_show_sourcelink = False
html_copy_source = False

myst_enable_extensions = ["colon_fence", "deflist", "substitution"]
myst_heading_anchors = 3
#: Tables that a page includes by name, so that no fact of the code is written a second time.
myst_substitutions = tables.pages()

autodoc_member_order = "bysource"
autodoc_typehints = "none"  # the docstrings say more
napoleon_google_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False
