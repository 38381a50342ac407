"""Prompts in folders: one Markdown file each."""

from collections.abc import Iterator
from pathlib import Path

from toolkit.errors import ConfigError
from toolkit.prompts.prompt import Prompt, Source, prompt_of

OWN = Path(__file__).parent
"""The folder of the prompts that come with the toolkit."""


class PromptFiles:
    """The prompts that come with the toolkit, and those of a folder of the user's.

    Files are read when they are asked for, so an edited one counts at once.

    Args:
        folder: the user's own prompts; one of the same id replaces ours.
    """

    def __init__(self, folder: Path | None = None) -> None:
        own: list[tuple[Path, Source]] = [(OWN, "package")]
        self._folders = [(folder, "folder"), *own] if folder else own

    def list(self) -> "list[Prompt]":
        """Every prompt, by id.

        Raises:
            ConfigError: a file cannot be read, or the folder is missing; the message names it.
        """
        found: dict[str, Prompt] = {}
        for folder, source in reversed(self._folders):
            if not folder.is_dir():
                wrong = "is a file" if folder.exists() else "does not exist"
                raise ConfigError(
                    f"The folder of prompts {folder} {wrong}; name a folder, or unset TOOLKIT_PROMPTS_DIR."
                )
            found |= {prompt.id: prompt for prompt in _in(folder, source)}
        return [found[name] for name in sorted(found)]

    def find(self, name: str) -> Prompt | None:
        """The prompt of that id, None if there is none.

        Raises:
            ConfigError: its file cannot be read.
        """
        for folder, source in self._folders:
            path = folder / f"{name}.md"
            if path.parent == folder and _is_file(path):
                prompt = _read(path, source)
                if prompt.id == name:
                    return prompt
            # Its file may be called otherwise; one that cannot be read is not it, and hinders nobody.
            for prompt in _in(folder, source, strict=False):
                if prompt.id == name:
                    return prompt
        return None


def _in(folder: Path, source: Source, *, strict: bool = True) -> Iterator[Prompt]:
    """The prompts of a folder; the file that is called like the prompt comes last, and so counts."""
    paths = sorted(path for path in folder.glob("*.md") if _is_file(path))
    prompts = []
    for path in paths:
        try:
            prompts.append(_read(path, source))
        except ConfigError:
            if strict:
                raise
    yield from sorted(prompts, key=lambda prompt: bool(prompt.path and prompt.path.stem == prompt.id))


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except ValueError:  # a NUL in the name
        return False


def _read(path: Path, source: Source) -> Prompt:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"The prompt {path} cannot be read ({error}); mend or remove it.") from error
    return prompt_of(text, called=path.stem, source=source, path=path)
