"""What the modules of a tree are called, and which of them an import means."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from toolkit.tools.code.module import Import, Source


@dataclass(frozen=True, slots=True)
class Names:
    """The modules of a tree by the names that an import may call them.

    Attributes:
        base: the folder that the longest names are relative to.
        of: the name of each file.
        files: the file of each name, the short ones and the long ones.
        shadowed: files that no import reaches, because a package of the same name lies beside them.
    """

    base: Path
    of: Mapping[Path, str]
    files: Mapping[str, Path] = field(repr=False)
    shadowed: tuple[Path, ...] = ()

    @classmethod
    def give(cls, root: Path, paths: list[Path]) -> "Names":
        """Names for `paths` below `root`.

        A module in a package is called from the topmost folder with an `__init__.py` on, as its imports do, wherever
        that folder lies (`src/pkg/a.py` is `pkg.a`); any other from `root` on. Where two would be called the same
        (two examples with a `main.py`), both are called from `root` on.
        """
        base = root if root.is_dir() else root.parent
        while (base / "__init__.py").is_file() and base.parent != base:
            base = base.parent
        packages = {path.parent for path in paths if path.stem == "__init__"}
        long = {path: _dotted(path, base) for path in paths}
        shadowed = tuple(p for p in paths if p.stem != "__init__" and p.with_suffix("") in packages)
        short = {path: _dotted(path, _top(path, base, packages)) for path in paths if path not in shadowed}
        times: dict[str, int] = {}
        for name in short.values():
            times[name] = times.get(name, 0) + 1
        of = {path: name if times[name] == 1 else long[path] for path, name in short.items()}
        files = {long[path]: path for path in short} | {name: path for path, name in of.items()}
        return cls(base, of, files, shadowed)

    def meant(self, source: Source, imported: Import) -> Path | None:
        """The file that an import leads to, None if it lies outside of the tree."""
        if imported.level:
            beginnings = self._relative(source.path, imported)
        else:
            beginnings = [imported.module, *self._beside(source.path, imported.module)]
        for beginning in beginnings:
            if imported.name and (found := self.files.get(f"{beginning}.{imported.name}".removeprefix("."))):
                return found
            if found := self.files.get(beginning):
                return found
        return None if imported.name else self._package_of(imported.module)

    def _beside(self, path: Path, module: str) -> list[str]:
        """The long name of what lies beside a script: it finds that, and a module of a package does not."""
        if path.parent == self.base or path.with_name("__init__.py") in self.of:
            return []
        return [f"{_dotted(path.parent, self.base)}.{module}"]

    def _relative(self, path: Path, imported: Import) -> list[str]:
        """What `..a` of `from ..a import b` is from the top, by the short and by the long name."""
        found = []
        for name in (self.of[path], _dotted(path, self.base)):
            parts = name.split(".") if path.stem == "__init__" else name.split(".")[:-1]
            up = imported.level - 1
            if up <= len(parts):
                found.append(".".join([*parts[: len(parts) - up], *([imported.module] if imported.module else [])]))
        return found

    def _package_of(self, name: str) -> Path | None:
        """`import a.b.c` where only `a.b` is a module of the tree."""
        while "." in name:
            name = name.rpartition(".")[0]
            if found := self.files.get(name):
                return found
        return None


def _top(path: Path, base: Path, packages: set[Path]) -> Path:
    """The folder that holds the topmost package which `path` lies in; `base` if it lies in none."""
    inside = [folder for folder in path.parents if folder in packages and folder.is_relative_to(base)]
    return inside[-1].parent if inside else base


def _dotted(path: Path, base: Path) -> str:
    parts = list(path.relative_to(base).with_suffix("").parts)
    if parts[-1] == "__init__" and len(parts) > 1:
        parts.pop()
    return ".".join(parts)
