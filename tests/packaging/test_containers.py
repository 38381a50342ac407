"""The Dockerfile, the compose file and the manifests: by their own linters, and by what the server knows."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from compose_spec import PyCompose

from tests.mcp_server.serving import over_http
from toolkit.cli.variables import SETTINGS, vendors_variables
from toolkit.settings import HttpSettings

ROOT = Path(__file__).parent.parent.parent
MANIFESTS = ROOT / "packaging" / "kubernetes"
BIN = Path(sys.executable).parent
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
COMPOSE = (ROOT / "compose.yaml").read_text(encoding="utf-8")
OLDEST, NEWEST = "1.30", "1.34"  # of Kubernetes; `preStop.sleep` came with the first


def manifests() -> Iterator[tuple[str, Any]]:
    for path in sorted(MANIFESTS.glob("*.yaml")):
        for document in yaml.safe_load_all(path.read_text(encoding="utf-8")):
            if document["kind"] != "Kustomization":
                yield path.name, document


def linted(*command: str) -> None:
    done = subprocess.run([str(BIN / command[0]), *command[1:]], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="hadolint is a wheel for Linux")
def test_hadolint_finds_nothing_in_the_dockerfile() -> None:
    linted("hadolint", "--failure-threshold", "style", "Dockerfile")


def test_the_compose_file_is_one_by_its_specification_and_its_linter_finds_nothing_grave() -> None:
    compose = PyCompose.from_yaml(_interpolated())
    compose.validate()
    assert set(compose.to_spec().services or ()) == {"postgres", "toolkit"}
    linted("compose-lint", "check", "compose.yaml")


def test_without_its_secrets_compose_starts_nothing() -> None:
    needed = set(re.findall(r"\$\{([A-Z_]+):\?", COMPOSE))
    assert needed == {"POSTGRES_PASSWORD", "TOOLKIT_API_KEYS"}
    assert set(re.findall(r"\$\{([A-Z_]+)", COMPOSE)) == needed, "none has a usual value"


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
def test_every_manifest_is_one_by_the_schema_of_its_kind(version: str) -> None:
    for name, document in manifests():
        kubernetes_validate.validate(document, version, strict=True)
        assert document["metadata"]["name"] == "toolkit", name


def test_kustomize_names_every_manifest_but_the_example_of_a_secret() -> None:
    listed = yaml.safe_load((MANIFESTS / "kustomization.yaml").read_text(encoding="utf-8"))["resources"]
    assert set(listed) == {path.name for path in MANIFESTS.glob("*.yaml")} - {
        "kustomization.yaml",
        "secret.example.yaml",
    }


def test_the_variables_that_are_set_are_ones_that_are_read() -> None:
    found = dict(manifests())
    named = set(found["configmap.yaml"]["data"]) | set(found["secret.example.yaml"]["stringData"])
    named |= set(yaml.safe_load(COMPOSE)["services"]["toolkit"]["environment"])
    named |= set(re.findall(r"\b(TOOLKIT_[A-Z_]+)=", DOCKERFILE))
    assert named <= {*SETTINGS, *vendors_variables()}


def test_there_are_two_replicas_one_of_which_always_stays() -> None:
    found = dict(manifests())
    deployment = found["deployment.yaml"]["spec"]
    assert deployment["replicas"] == 2
    assert deployment["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    assert found["poddisruptionbudget.yaml"]["spec"]["minAvailable"] == 1
    labels = deployment["template"]["metadata"]["labels"]
    for name in ("deployment", "poddisruptionbudget"):
        assert found[f"{name}.yaml"]["spec"]["selector"]["matchLabels"] == labels
    assert found["service.yaml"]["spec"]["selector"] == labels
    assert found["networkpolicy.yaml"]["spec"]["podSelector"]["matchLabels"] == labels


def test_nothing_is_killed_before_its_grace_is_over() -> None:
    found = dict(manifests())
    pod = found["deployment.yaml"]["spec"]["template"]["spec"]
    [container] = pod["containers"]
    before = container["lifecycle"]["preStop"]["sleep"]["seconds"]
    grace = int(found["configmap.yaml"]["data"]["TOOLKIT_GRACE_SECONDS"])
    assert before + grace + 10 <= pod["terminationGracePeriodSeconds"]
    assert yaml.safe_load(COMPOSE)["services"]["toolkit"]["stop_grace_period"] == "30s"
    assert HttpSettings().grace_seconds + 10 <= 30


def test_nobody_is_root_and_nothing_but_data_is_written_to() -> None:
    [user] = re.findall(r"^USER (.+)$", DOCKERFILE, re.MULTILINE)
    service = yaml.safe_load(COMPOSE)["services"]["toolkit"]
    assert (service["user"], service["read_only"], service["cap_drop"]) == (user, True, ["ALL"])
    pod = dict(manifests())["deployment.yaml"]["spec"]["template"]["spec"]
    context = pod["securityContext"]
    assert context["runAsNonRoot"]
    assert f"{context['runAsUser']}:{context['runAsGroup']}" == user
    for container in (*pod["containers"], *pod["initContainers"]):
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert {mount["mountPath"] for mount in container["volumeMounts"]} == {"/data", "/tmp"}


def test_the_builder_gets_what_it_copies_and_nothing_else() -> None:
    ignoring = (ROOT / ".dockerignore").read_text(encoding="utf-8").split("\n")
    sent = {line.removeprefix("!") for line in ignoring if line.startswith("!")}
    copied = {
        name for sources in re.findall(r"^COPY (?!--)(.+) \S+$", DOCKERFILE, re.MULTILINE) for name in sources.split()
    }
    assert "*" in ignoring
    assert sent == copied
    assert all((ROOT / name).exists() for name in copied)


def test_the_check_of_the_container_is_passed_by_a_server_that_lives_and_by_no_other(tmp_path: Path) -> None:
    [words] = re.findall(r"HEALTHCHECK .*\\\n +CMD (\[.+\])", DOCKERFILE)
    _, _, program = ast.literal_eval(words)
    with over_http(f"sqlite:///{tmp_path / 'toolkit.db'}") as (_, url):
        assert _exit_code(program.replace("http://127.0.0.1:8080", url)) == 0
    assert _exit_code(program.replace("http://127.0.0.1:8080", url)) != 0


def _exit_code(program: str) -> int:
    return subprocess.run([sys.executable, "-c", program], capture_output=True, check=False).returncode


def _interpolated() -> str:
    return re.sub(r"\$\{[A-Z_]+:\?[^}]*\}", "secret", COMPOSE)
