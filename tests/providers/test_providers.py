"""The vendors by name: those with a file here, and those of other packages."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from toolkit import providers
from toolkit.errors import ConfigError
from toolkit.providers.base import Vendor
from toolkit.providers.scripted import VENDOR as SCRIPTED

PACKAGE = """
from toolkit.providers.base import Vendor
from toolkit.providers.scripted import VENDOR as SCRIPTED

VENDOR = Vendor(SCRIPTED.connect, free=True)
TEXT = "no vendor"
"""
NAMES = """
[toolkit.providers]
acme = acme_models:VENDOR
lost = acme_models:NOTHING
missing = not_installed_anywhere:VENDOR
text = acme_models:TEXT
openai = acme_models:VENDOR
"""


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Another package, installed as far as `importlib.metadata` can see, that names vendors."""
    (tmp_path / "acme_models.py").write_text(PACKAGE)
    about = tmp_path / "acme_models-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-models\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(NAMES)
    forget()
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    sys.modules.pop("acme_models", None)
    forget()


def forget() -> None:
    providers.known.cache_clear()
    providers.vendor.cache_clear()


def test_every_file_of_the_folder_is_a_vendor_and_what_they_share_is_none() -> None:
    folder = Path(providers.__file__).parent
    files = {path.name.removesuffix(".py") for path in folder.iterdir() if not path.name.startswith("_")}
    assert set(providers.known()) == files - {"base", "batches", "cassette", "wire"}
    assert {"openai", "anthropic", "azure", "google", "groq", "fireworks", "ollama", "offline"} <= set(
        providers.known()
    )


@pytest.mark.parametrize("name", providers.known())
def test_what_is_known_of_a_vendor_fits_together(name: str) -> None:
    vendor = providers.vendor(name)
    assert isinstance(vendor, Vendor)
    assert set(vendor.required) <= vendor.variables.keys()
    assert all(variable.isupper() for variable in vendor.variables.values())
    assert vendor.structured("some-model") in {"native", "tool", "instruction"}


def test_a_name_that_nobody_has_is_an_error_that_says_what_there_is() -> None:
    with pytest.raises(ConfigError, match=r"There is no provider 'opnai'; there are 'anthropic'.*'openai'"):
        providers.connect("opnai", {}, {})
    assert providers.find("opnai") is None
    assert not providers.last_resort("opnai")


@pytest.mark.parametrize(
    "name", ["base", "batches", "cassette", "wire", "wire.chat", "", "../settings", "offline.quotes"]
)
def test_what_lies_beside_the_vendors_is_none(name: str) -> None:
    with pytest.raises(ConfigError, match="There is no provider"):
        providers.vendor(name)


def test_the_last_resorts_are_told_from_the_others() -> None:
    assert providers.last_resort("offline")
    assert not providers.last_resort("openai")


@pytest.mark.usefixtures("installed")
def test_another_packages_vendor_is_one_as_any_other() -> None:
    assert "acme" in providers.known()
    vendor = providers.vendor("acme")
    assert (vendor.free, vendor.connect) == (True, SCRIPTED.connect)
    assert providers.find("acme") is vendor


@pytest.mark.usefixtures("installed")
def test_another_package_cannot_take_the_name_of_a_vendor_from_here() -> None:
    assert providers.known().count("openai") == 1
    assert providers.vendor("openai").prices == "openai"


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("lost", "cannot be loaded .AttributeError"),
        ("missing", "cannot be loaded .ModuleNotFoundError"),
        ("text", "acme_models:TEXT must be a toolkit.providers.base.Vendor"),
    ],
)
def test_another_packages_vendor_that_is_none_is_an_error_that_says_why(name: str, reason: str) -> None:
    assert name in providers.known()
    with pytest.raises(ConfigError, match=f"The provider '{name}' .*{reason}"):
        providers.vendor(name)
    assert providers.find(name) is None


def test_a_package_that_is_gone_is_forgotten() -> None:
    assert "acme" not in providers.known()
