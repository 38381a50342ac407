"""The architecture of a Python tree, measured: its modules, their sizes, who imports whom, and what goes in circles."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from toolkit.errors import NotFound, ToolError
from toolkit.messages import Json
from toolkit.tools.code.graph import components, layers, shortest_cycle
from toolkit.tools.code.module import Source, Unreadable, When, read
from toolkit.tools.code.names import Names
from toolkit.tools.code.roots import MOST_BYTES
from toolkit.tools.code.walk import python_files

MOST_FILES = 5_000

_TOO_MUCH = 0.25  # of all modules in one group
_MOST_GROUPS = 40
_STRENGTH: dict[When, int] = {"import": 0, "call": 1, "typing": 2}


@dataclass(frozen=True, slots=True)
class Module:
    """One module of the tree.

    Attributes:
        name: as an import calls it.
        path: relative to what is measured.
        lines: of its file.
        functions: how many it defines, methods included.
        imports: modules of the tree that it imports when it is itself imported.
        later: those that it imports only inside functions, or when it is run.
        typing: those that it imports only for a type checker.
        fan_in: how many modules of the tree import it, whenever.
        layer: 0 imports no other when it is imported; n rests on n layers.
        stub: a `.pyi` without a `.py`.
    """

    name: str
    path: str
    lines: int
    functions: int
    imports: tuple[str, ...]
    later: tuple[str, ...]
    typing: tuple[str, ...]
    fan_in: int
    layer: int
    stub: bool = False


@dataclass(frozen=True, slots=True)
class Package:
    """The modules whose names begin alike.

    Attributes:
        name: that beginning.
        modules: how many there are.
        lines: of all of them.
        imports: how often its modules import which other package's, whenever.
        fan_in: how many other packages import it.
    """

    name: str
    modules: int
    lines: int
    imports: dict[str, int]
    fan_in: int


@dataclass(frozen=True, slots=True)
class Cycle:
    """Modules that all lead to each other.

    Attributes:
        modules: all of them, sorted.
        shortest: the shortest way round; the last leads to the first.
        closed_by: `import`: they import each other when they are imported; `call` and `typing`: the circle is closed
            only by imports inside functions, or for a type checker.
    """

    modules: tuple[str, ...]
    shortest: tuple[str, ...]
    closed_by: When


@dataclass(frozen=True, slots=True)
class Sized:
    """A function by its length."""

    name: str
    path: str
    line: int
    lines: int


@dataclass(frozen=True, slots=True)
class Architecture:
    """What was measured.

    Attributes:
        root: the name of the folder or file.
        modules: every module, by name.
        packages: them in groups, largest first.
        cycles: largest first, those of the import itself before others.
        functions: the longest ones, at most 20.
        unreadable: files that are no Python, or too large.
        without_init: folders of modules inside a package, or imported as one, that have no `__init__.py`.
        stubs: how many `.pyi` files lie beside a module.
        shadowed: files that no import reaches, because a package of the same name lies beside them.
        left_out: there are more files than were read.
    """

    root: str
    modules: tuple[Module, ...]
    packages: tuple[Package, ...]
    cycles: tuple[Cycle, ...]
    functions: tuple[Sized, ...]
    unreadable: tuple[Unreadable, ...]
    without_init: tuple[str, ...]
    stubs: int
    shadowed: tuple[str, ...]
    left_out: bool = False

    @property
    def lines(self) -> int:
        """Of all modules."""
        return sum(module.lines for module in self.modules)

    def to_json(self) -> Json:
        """All of it, for a program."""
        return {**asdict(self), "lines": self.lines}


def measure(
    path: Path,
    *,
    most_files: int = MOST_FILES,
    most_bytes: int = MOST_BYTES,
    cancelled: Callable[[], bool] = lambda: False,
) -> Architecture:
    """Measure the Python modules in a folder, or one file. Nothing is imported or run.

    Imports by `importlib` and changes of `sys.path` are not seen.

    Args:
        path: absolute and without links; links below it are not followed.
        most_files: how many are read at most.
        most_bytes: of one file; a larger one is listed as unreadable.
        cancelled: asked between two files whether nobody waits any more.

    Raises:
        NotFound: there is no Python file.
        ToolError: it was cancelled.
    """
    found: list[Path] = []
    left_out = False
    for file in [path] if path.is_file() else python_files(path):
        if len(found) == most_files:
            left_out = True
            break
        found.append(file)
    if not found:
        raise NotFound(f"There is no Python file in {path}.")
    beside = {file for file in found if file.suffix == ".pyi" and file.with_suffix(".py") in set(found)}
    sources: list[Source] = []
    unreadable: list[Unreadable] = []
    top = path if path.is_dir() else path.parent
    for file in found:
        if cancelled():
            raise ToolError("The measurement was cancelled.")
        if file in beside:
            continue
        source = read(file, most_bytes)
        if isinstance(source, Source):
            sources.append(source)
        else:
            unreadable.append(Unreadable(file.relative_to(top).as_posix(), source.line, source.reason))
    names = Names.give(path, [file for file in found if file not in beside])
    edges = _edges(sources, names)
    modules = _modules(sources, names, edges, top)
    return Architecture(
        root=path.name,
        modules=tuple(sorted(modules, key=lambda module: module.name)),
        packages=_packages(modules),
        cycles=tuple(_cycles(edges)),
        functions=_longest(sources, top),
        unreadable=tuple(unreadable),
        without_init=_without_init(names, edges, top),
        stubs=len(beside),
        shadowed=tuple(file.relative_to(top).as_posix() for file in names.shadowed),
        left_out=left_out,
    )


_Edges = dict[str, dict[str, When]]


def _edges(sources: Iterable[Source], names: Names) -> _Edges:
    """Who imports whom, and when at the earliest."""
    edges: _Edges = {name: {} for name in names.of.values()}
    for source in sources:
        if source.path not in names.of:
            continue  # shadowed
        mine = edges[names.of[source.path]]
        for imported in source.imports:
            file = names.meant(source, imported)
            if file is None or file == source.path:
                continue
            theirs = names.of[file]
            if theirs not in mine or _STRENGTH[imported.when] < _STRENGTH[mine[theirs]]:
                mine[theirs] = imported.when
    return edges


def _graph(edges: _Edges, *whens: When) -> dict[str, set[str]]:
    return {name: {other for other, when in others.items() if when in whens} for name, others in edges.items()}


def _modules(sources: list[Source], names: Names, edges: _Edges, top: Path) -> list[Module]:
    fan_in = Counter(other for others in edges.values() for other in others)
    depth = layers(_graph(edges, "import"))

    def of(name: str, when: When) -> tuple[str, ...]:
        return tuple(sorted(other for other, at in edges[name].items() if at == when))

    return [
        Module(
            name=name,
            path=source.path.relative_to(top).as_posix(),
            lines=source.lines,
            functions=len(source.functions),
            imports=of(name, "import"),
            later=of(name, "call"),
            typing=of(name, "typing"),
            fan_in=fan_in[name],
            layer=depth[name],
            stub=source.path.suffix == ".pyi",
        )
        for source in sources
        if (name := names.of.get(source.path))
    ]


def _grouped(names: list[str]) -> dict[str, str]:
    """The beginning that stands for each name: a group that holds too much of everything is taken apart."""
    group = {name: name.split(".")[0] for name in names}
    while group:
        sizes = Counter(group.values())
        largest, size = max(sizes.items(), key=lambda each: (each[1], each[0]))
        depth = largest.count(".") + 2
        finer = {name: ".".join(name.split(".")[:depth]) for name, mine in group.items() if mine == largest}
        parts = len(set(finer.values()))
        alone = len(sizes) == 1  # one group says nothing
        if size <= len(names) * _TOO_MUCH or set(finer.values()) == {largest}:
            return group
        if len(sizes) + parts > _MOST_GROUPS and not alone:
            return group
        group |= finer
    return group


def _packages(modules: list[Module]) -> tuple[Package, ...]:
    """The modules in groups by the beginnings of their names."""
    group = _grouped([module.name for module in modules])
    imports: dict[str, Counter[str]] = {name: Counter() for name in group.values()}
    for module in modules:
        for other in (*module.imports, *module.later, *module.typing):
            if other in group and group[other] != group[module.name]:
                imports[group[module.name]][group[other]] += 1
    packages = [
        Package(
            name=name,
            modules=sum(1 for module in modules if group[module.name] == name),
            lines=sum(module.lines for module in modules if group[module.name] == name),
            imports=dict(imports[name].most_common()),
            fan_in=sum(1 for others in imports.values() if name in others),
        )
        for name in imports
    ]
    return tuple(sorted(packages, key=lambda package: (-package.lines, package.name)))


def _cycles(edges: _Edges) -> Iterable[Cycle]:
    """Every knot, told once: by the earliest kind of import that ties it."""
    told: set[tuple[str, ...]] = set()
    whens: list[When] = []
    kinds: tuple[Literal["import", "call", "typing"], ...] = ("import", "call", "typing")
    for when in kinds:
        whens.append(when)
        graph = _graph(edges, *whens)
        groups = [tuple(group) for group in components(graph) if len(group) > 1]
        for group in sorted(groups, key=lambda group: (-len(group), group)):
            if group not in told:
                told.add(group)
                yield Cycle(group, tuple(shortest_cycle(graph, list(group))), when)


def _longest(sources: Iterable[Source], top: Path) -> tuple[Sized, ...]:
    every = [
        Sized(function.name, source.path.relative_to(top).as_posix(), function.line, function.lines)
        for source in sources
        for function in source.functions
    ]
    return tuple(sorted(every, key=lambda sized: (-sized.lines, sized.path, sized.line))[:20])


def _without_init(names: Names, edges: _Edges, top: Path) -> tuple[str, ...]:
    imported = {other for others in edges.values() for other in others}
    packages = {path.parent for path in names.of if path.stem == "__init__"}
    folders = {
        path.parent
        for path, name in names.of.items()
        if path.parent not in packages
        and path.parent != names.base
        and ((name in imported and "." in name) or packages & set(path.parents))
        and path.parent.is_relative_to(top)
    }
    return tuple(sorted(folder.relative_to(top).as_posix() for folder in folders))
