"""Notebooks as tests: run in a fresh kernel on an empty store, models replayed, outputs compared cell by cell.

    checked = asyncio.run(check([Path("report.ipynb")]))       # what `toolkit notebook test` does
    updated = asyncio.run(update(Path("report.ipynb")))        # what `toolkit notebook update` does

nbval runs and compares the cells, nbclient makes the outputs that are compared. `nbval_plugin` is loaded by the pytest
that runs nbval, and by nothing else. docs/testing-notebooks.md tells the rules.
"""
