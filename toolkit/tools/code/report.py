"""A measured architecture as a text, for people and for models: the figures that matter, and nothing else."""

from collections.abc import Iterable, Iterator, Sequence

from toolkit.messages import Json
from toolkit.tools.code.architecture import Architecture, Cycle, Module, Package

_SHOWN = 10
_PACKAGES = 40
_NAMES = 8
_CLOSED = {"import": "", "call": " (closed inside functions)", "typing": " (closed for type checkers only)"}


def report(found: Architecture) -> str:
    """The measurement in some fifty lines at most."""
    return "\n".join(_lines(found))


def summary(found: Architecture) -> Json:
    """The same for a program; `Architecture.to_json` has every module."""
    return {
        "root": found.root,
        "modules": len(found.modules),
        "lines": found.lines,
        "layers": _depth(found) + 1,
        "packages": [
            {"name": p.name, "modules": p.modules, "lines": p.lines, "imports": p.imports, "fan_in": p.fan_in}
            for p in found.packages[:_PACKAGES]
        ],
        "cycles": [
            {"modules": list(c.modules), "shortest": list(c.shortest), "closed_by": c.closed_by}
            for c in found.cycles[:_SHOWN]
        ],
        "largest_modules": [{"name": m.name, "lines": m.lines} for m in _largest(found)],
        "longest_functions": [
            {"name": f.name, "path": f.path, "line": f.line, "lines": f.lines} for f in found.functions[:_SHOWN]
        ],
        "unreadable": [{"path": u.path, "line": u.line, "reason": u.reason} for u in found.unreadable[:_SHOWN]],
        "left_out": found.left_out,
    }


def _lines(found: Architecture) -> Iterator[str]:
    functions = sum(module.functions for module in found.modules)
    yield (
        f"{found.root}: {len(found.modules):,} modules, {found.lines:,} lines, {functions:,} functions, "
        f"{_depth(found) + 1} layers, {sum(1 for c in found.cycles if c.closed_by == 'import')} import cycles"
    )
    if found.left_out:
        yield "There are more files than were read: every figure is a part only."
    yield ""
    yield "package | modules | lines | imported by | imports"
    yield from (_package(package) for package in found.packages[:_PACKAGES])
    yield from _more(found.packages, _PACKAGES, "packages")
    yield ""
    yield "Cycles:" if found.cycles else "No cycles."
    yield from (_cycle(cycle) for cycle in found.cycles[:_SHOWN])
    yield from _more(found.cycles, _SHOWN, "cycles")
    yield from _section("Largest modules (lines)", (f"{m.name} {m.lines}" for m in _largest(found)))
    yield from _section(
        "Longest functions (lines)", (f"{f.name} {f.lines} ({f.path}:{f.line})" for f in found.functions[:_SHOWN])
    )
    by_fan_in = sorted(found.modules, key=lambda m: (-m.fan_in, m.name))[:_SHOWN]
    yield from _section("Imported by most", (f"{m.name} {m.fan_in}" for m in by_fan_in if m.fan_in))
    by_fan_out = sorted(found.modules, key=lambda m: (-_fan_out(m), m.name))[:_SHOWN]
    yield from _section("Import most", (f"{m.name} {_fan_out(m)}" for m in by_fan_out if _fan_out(m)))
    top = [m.name for m in found.modules if m.layer == _depth(found)]
    yield from _section("Top layer", top[:_NAMES] if _depth(found) else ())
    unreadable = (f"{u.path}{f':{u.line}' if u.line else ''}: {u.reason}" for u in found.unreadable[:_SHOWN])
    yield from _section("Not read", unreadable)
    yield from _more(found.unreadable, _SHOWN, "files")
    yield from _section("Without __init__.py", found.without_init[:_SHOWN])
    yield from _section("Shadowed by a package of the same name", found.shadowed[:_SHOWN])
    stubs = found.stubs + sum(1 for m in found.modules if m.stub)
    yield from _section("Stub files", (str(stubs),) if stubs else ())


def _package(package: Package) -> str:
    imports = ", ".join(f"{name} {times}" for name, times in list(package.imports.items())[:_NAMES])
    more = f", … {len(package.imports) - _NAMES} more" if len(package.imports) > _NAMES else ""
    return f"{package.name} | {package.modules} | {package.lines} | {package.fan_in} | {imports or '—'}{more}"


def _cycle(cycle: Cycle) -> str:
    size = f"{len(cycle.modules)} modules, shortest: " if len(cycle.modules) > len(cycle.shortest) else ""
    shown = list(cycle.shortest[:_NAMES]) + (["…"] if len(cycle.shortest) > _NAMES else [])
    return f"- {size}{' → '.join([*shown, cycle.shortest[0]])}{_CLOSED[cycle.closed_by]}"


def _section(heading: str, parts: Iterable[str]) -> Iterator[str]:
    if text := ", ".join(parts):
        yield f"{heading}: {text}"


def _more(every: Sequence[object], shown: int, what: str) -> Iterator[str]:
    if len(every) > shown:
        yield f"… and {len(every) - shown} more {what}"


def _largest(found: Architecture) -> list[Module]:
    return sorted(found.modules, key=lambda module: (-module.lines, module.name))[:_SHOWN]


def _fan_out(module: Module) -> int:
    return len(module.imports) + len(module.later) + len(module.typing)


def _depth(found: Architecture) -> int:
    return max((module.layer for module in found.modules), default=0)
