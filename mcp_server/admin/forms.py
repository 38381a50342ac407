"""The form of a model: what is shown in it, what was typed, and what is wrong with that, field by field."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from toolkit import providers
from toolkit.errors import ConfigError
from toolkit.models.checks import check_row
from toolkit.models.model import Model
from toolkit.models.plan import check_provider
from toolkit.redaction import redact

if TYPE_CHECKING:
    from mcp_server.admin.visit import Visit

_POOL: Final = "api_keys"
_LONG: Final = 20  # letters and digits without a break: no name that a person would give
_PLAIN: Final = ("name", "provider", "model", "priority", "scope", "more", "config")


@dataclass
class ModelForm:
    """What stands in the form.

    Attributes:
        texts: of the fields, by name.
        auth: names of variables, by what they give.
        enabled: whether the model may be asked.
        default: whether it is the default of its scope.
        wrong: sentences about fields, by name; under an empty name what is about none.
    """

    texts: dict[str, str]
    auth: dict[str, str] = field(default_factory=dict)
    enabled: bool = True
    default: bool = False
    wrong: dict[str, str] = field(default_factory=dict)

    @classmethod
    def empty(cls, provider: str) -> "ModelForm":
        """For a new model of a vendor."""
        return cls(dict.fromkeys(_PLAIN, "") | {"provider": provider, "priority": "100", "scope": "global"})

    @classmethod
    def of(cls, model: Model) -> "ModelForm":
        """For a model that is there."""
        known = {f"{plain}_env" for plain in variables(model.provider)}
        return cls(
            {
                "name": model.name,
                "provider": model.provider,
                "model": model.model,
                "priority": str(model.priority),
                "scope": model.scope,
                "more": "\n".join(f"{name}={value}" for name, value in model.auth.items() if name not in known),
                "config": json.dumps(model.config, indent=2, ensure_ascii=False) if model.config else "",
            },
            {name.removesuffix("_env"): value for name, value in model.auth.items() if name in known},
            model.enabled,
            model.is_default,
        )

    @classmethod
    def sent(cls, visit: "Visit") -> "ModelForm":
        """What somebody typed."""
        texts = {name: visit.field(name).strip() for name in _PLAIN}
        auth = {
            name.removeprefix("auth."): text
            for name in visit.form
            if name.startswith("auth.") and (text := visit.field(name).strip())
        }
        return cls(texts, auth, bool(visit.field("enabled")), bool(visit.field("default")))

    def read(self) -> dict[str, Any]:
        """What was typed as `Model` has it; what cannot be used is in `wrong` instead."""
        found: dict[str, Any] = {
            "name": self.texts["name"] or self.texts["model"],
            "provider": self.texts["provider"],
            "model": self.texts["model"],
            "scope": self.texts["scope"] or "global",
            "priority": self._number(),
            "enabled": self.enabled,
            "is_default": self.default,
            "auth": {f"{plain}_env": name for plain, name in self.auth.items()} | self._more(),
            "config": self._object(),
        }
        if not self.texts["model"]:
            self.wrong["model"] = "Say which model of the vendor's it is, as the vendor writes it."
        self._check(Model("", **found))
        return found

    def shown_again(self) -> "ModelForm":
        """What was typed, to be shown to who has typed it; a key that was typed by mistake is blotted out."""
        texts = {name: redact(text) for name, text in self.texts.items()}
        return replace(self, texts=texts, auth={plain: name for plain, name in self.auth.items() if _is_name(name)})

    def _check(self, model: Model) -> None:
        bare = replace(model, auth={}, config={})
        parts = {
            "name": (bare, "name"),
            "model": (bare, "model"),
            "scope": (bare, "scope"),
            "auth": (replace(bare, auth=model.auth), "auth"),
            "config": (replace(bare, config=model.config), "config"),
        }
        for place, (part, touched) in parts.items():
            self._try(place, lambda part=part, touched=touched: check_row(replace(part, priority=0), (touched,)))
        self._try("priority", lambda: check_row(bare, ()))
        self._try("provider", lambda: check_provider(model))

    def _try(self, place: str, check: Any) -> None:
        try:
            check()
        except ConfigError as error:
            self.wrong.setdefault(place, str(error))

    def _number(self) -> int:
        try:
            return int(self.texts["priority"] or "100")
        except ValueError:
            self.wrong["priority"] = "A priority is a whole number, such as 10."
            return 0

    def _more(self) -> dict[str, str]:
        pairs = [line.partition("=") for line in self.texts["more"].splitlines() if line.strip()]
        if not all(mark and name.strip() for name, mark, _ in pairs):
            self.wrong["more"] = "Write one NAME=VALUE on each line, such as api_version_env=TEAM_API_VERSION."
            return {}
        return {name.strip(): value.strip() for name, _, value in pairs}

    def _object(self) -> Mapping[str, Any]:
        text = self.texts["config"]
        try:
            found = json.loads(text) if text else {}
        except (ValueError, RecursionError) as error:
            where = f"line {error.lineno}, column {error.colno}" if isinstance(error, json.JSONDecodeError) else ""
            self.wrong["config"] = f"This is not JSON{f' ({where})' if where else ''}; write {{}} or leave it empty."
            return {}
        if not isinstance(found, dict):
            self.wrong["config"] = 'Settings are an object, such as {"temperature": 0.2}.'
            return {}
        return found


def _is_name(text: str) -> bool:
    """Whether it may have been meant as a variable's name; a key is typed there by mistake sooner or later."""
    named = re.fullmatch(r"[A-Za-z_]\w{0,60}", text) and ("_" in text or len(text) < _LONG)
    return bool(named) and redact(text) == text


def variables(provider: str) -> dict[str, str]:
    """What a vendor's models are reached with, and the variables that have it where a row names no others."""
    vendor = providers.find(provider)
    found = dict(vendor.variables) if vendor else {}
    if "api_key" in found:
        found[_POOL] = f"{found['api_key']}S"
    return found


def required(provider: str) -> tuple[str, ...]:
    """What of it a vendor cannot be asked without."""
    vendor = providers.find(provider)
    return vendor.required if vendor else ()
