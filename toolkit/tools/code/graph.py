"""Directed graphs of names: what goes round in a circle, and what rests on what."""

from collections import deque
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import TypeAlias

Graph: TypeAlias = Mapping[str, AbstractSet[str]]
"""Each name with those that it leads to; every one of these is a name itself."""

_SEARCHED = 300  # beginnings from which the shortest way round is looked for: of a larger knot any way will do


def components(graph: Graph) -> list[list[str]]:
    """The names in groups within which each leads to each; a group comes after those that it leads to.

    Source: R. Tarjan, "Depth-first search and linear graph algorithms", 1972, without recursion.
    """
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    open_: list[str] = []
    on_stack: set[str] = set()
    found: list[list[str]] = []
    for start in sorted(graph):
        if start in index:
            continue
        index[start] = low[start] = len(index)
        open_.append(start)
        on_stack.add(start)
        work = [(start, iter(sorted(graph[start])))]
        while work:
            name, following = work[-1]
            step = next(following, None)
            if step is None:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[name])
                if low[name] == index[name]:
                    group = [open_.pop()]
                    while group[-1] != name:
                        group.append(open_.pop())
                    on_stack.difference_update(group)
                    found.append(sorted(group))
            elif step not in index:
                index[step] = low[step] = len(index)
                open_.append(step)
                on_stack.add(step)
                work.append((step, iter(sorted(graph[step]))))
            elif step in on_stack:
                low[name] = min(low[name], index[step])
    return found


def layers(graph: Graph) -> dict[str, int]:
    """How many layers each name rests on: 0 leads nowhere; names that lead to each other are in one layer."""
    depth: dict[str, int] = {}
    for group in components(graph):
        below = {step for name in group for step in graph[name]} - set(group)
        depth |= dict.fromkeys(group, 1 + max((depth[step] for step in below), default=-1))
    return depth


def shortest_cycle(graph: Graph, group: list[str]) -> list[str]:
    """The shortest way round within a group of `components`: each name leads to the next, the last to the first."""
    inside = set(group)
    best: list[str] = []
    for start in group[:_SEARCHED]:
        if start in graph[start]:
            return [start]
        way = _way_back(graph, start, inside, len(best) or len(group) + 1)
        if way and (not best or len(way) < len(best)):
            best = way
        if len(best) == 2:  # noqa: PLR2004 - there is no shorter one
            break
    return best


def _way_back(graph: Graph, start: str, inside: set[str], most: int) -> list[str]:
    """The shortest way from `start` to itself, empty if it is not shorter than `most` names."""
    came: dict[str, str] = {}
    queue = deque([(start, 1)])
    while queue:
        name, length = queue.popleft()
        if length >= most:
            return []
        for step in sorted(graph[name] & inside):
            if step == start:
                way = [name]
                while way[-1] != start:
                    way.append(came[way[-1]])
                return way[::-1]
            if step not in came:
                came[step] = name
                queue.append((step, length + 1))
    return []
