"""How panels look: one sheet, `panels.css`, for all of them.

Every colour is mixed from three of the host's: its page, its text and its brand. So a panel follows the themes of
JupyterLab and VS Code, light, dark or the reader's own. No status is told by colour alone.
"""

from importlib.resources import files

SHEET = f"<style>{files('notebooks').joinpath('panels.css').read_text(encoding='utf-8')}</style>"
"""The sheet as HTML; a page may hold it several times."""
