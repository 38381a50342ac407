"""The variables that a recording saw: their names are kept, and a replay has something in their place."""

import re
from collections.abc import Iterator, Mapping
from typing import Final

PLACEHOLDER: Final = "sk-replay-"
"""How a value begins that stands for a key; it looks like one, so that it is struck out like one."""

_ADDRESS = re.compile(r"(?:URL|ENDPOINT|HOST)$")
_SECRET = re.compile(r"KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIAL|COOKIE|DSN|_URL$|_URLS$")


class Seen(Mapping[str, str]):
    """An environment that notes which of its variables were looked up and are set.

    Attributes:
        names: with how many values between commas each has.
    """

    def __init__(self, environ: Mapping[str, str], names: Mapping[str, int]) -> None:
        self._environ = environ
        self.names = dict(names)

    def __getitem__(self, name: str) -> str:
        value = self._environ[name]
        if value:
            self.names[name] = len({part.strip() for part in value.split(",") if part.strip()}) or 1
        return value

    def __iter__(self) -> Iterator[str]:
        return iter(self._environ)

    def __len__(self) -> int:
        return len(self._environ)

    def __contains__(self, name: object) -> bool:
        return name in self._environ


def stand_ins(names: Mapping[str, int]) -> dict[str, str]:
    """Values for variables, as many as there were."""
    return {
        name: "http://replay.invalid"
        if _ADDRESS.search(name)
        else ",".join(f"{PLACEHOLDER}{name}{f'-{place}' if count > 1 else ''}" for place in range(1, count + 1))
        for name, count in names.items()
    }


def secrets(environ: Mapping[str, str]) -> list[str]:
    """The values of variables whose names say that they are secret, each part of a pool, too."""
    found = [value for name, value in environ.items() if value and _SECRET.search(name) and not _is_address(value)]
    return [*found, *(part.strip() for value in found for part in value.split(","))]


def _is_address(value: str) -> bool:
    """Whether it is an address without a password: no secret, and often a part of what is said."""
    return "://" in value and "@" not in value
