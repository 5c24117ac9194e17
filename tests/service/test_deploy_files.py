"""What is shipped for deployment is valid, hardened, and fits the program."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

import redan
from redan.core.config import load

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
MANIFESTS = sorted(file for file in (DEPLOY / "kubernetes").glob("*.yaml") if file.name != "kustomization.yaml")
CONTAINERFILE = (DEPLOY / "container" / "Containerfile").read_text(encoding="utf-8")


def resources() -> list[dict[str, Any]]:
    return [one for file in MANIFESTS for one in yaml.safe_load_all(file.read_text(encoding="utf-8"))]


def resource(kind: str, name: str = "redan") -> dict[str, Any]:
    (found,) = (one for one in resources() if one["kind"] == kind and one["metadata"]["name"] == name)
    return found


def instructions() -> list[tuple[str, str]]:
    """Return the instructions of the Containerfile with their arguments on one line."""
    lines = [line for line in CONTAINERFILE.splitlines() if line.strip() and not line.startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    return [(line.split(None, 1)[0], line.split(None, 1)[1]) for line in joined.splitlines()]


def test_the_compose_file_fits_its_specification() -> None:
    words = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    done = subprocess.run([*words, DEPLOY / "compose.yaml"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", sorted(COMPOSE["services"]))
def test_every_service_has_the_least_that_it_needs(name: str) -> None:
    service = COMPOSE["services"][name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", service["user"])
    assert re.fullmatch(r"[\w./-]+:v?\d+\.\d+\S*", service["image"])
    assert {"mem_limit", "pids_limit", "logging"} <= set(service)
    assert not {"privileged", "network_mode", "pid", "ipc", "cap_add", "devices"} & set(service)
    for port in service.get("ports", []):
        assert port.startswith("127.0.0.1:")
    for volume in service.get("volumes", []):
        source, _, rest = volume.partition(":")
        assert source in COMPOSE["volumes"] or rest.endswith(":ro"), volume
        assert "docker.sock" not in volume


def test_databases_reach_nobody_outside_and_secrets_are_files() -> None:
    services = COMPOSE["services"]
    internal = {name for name, network in COMPOSE["networks"].items() if network.get("internal")}
    for name in ("postgres", "redis", "prometheus"):
        assert set(services[name]["networks"]) <= internal
    used = {
        s if isinstance(s, str) else s["source"] for service in services.values() for s in service.get("secrets", [])
    }
    assert used == set(COMPOSE["secrets"])
    for service in services.values():
        for key, value in service.get("environment", {}).items():
            assert "PASSWORD" not in key or key.endswith("_FILE"), (key, value)
    for service in services.values():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            if source.startswith("./") and not source.startswith(("./secrets", "./models")):
                assert (DEPLOY / source).exists(), volume


def test_the_image_is_built_from_pinned_parts_and_runs_as_nobody_special() -> None:
    found = instructions()
    kinds = [kind for kind, _ in found]
    assert "ADD" not in kinds
    for base in (rest.split()[0] for kind, rest in found if kind == "FROM"):
        assert re.fullmatch(r"python:\d+\.\d+\.\d+-slim-\w+", base)
    assert [rest for kind, rest in found if kind == "USER"] == ["10001:10001"]
    assert kinds.index("USER") < kinds.index("ENTRYPOINT")
    last = {kind: rest for kind, rest in found if kind in ("ENTRYPOINT", "CMD", "STOPSIGNAL", "HEALTHCHECK")}
    assert json.loads(last["ENTRYPOINT"]) == ["redan"]
    assert json.loads(last["CMD"])[0] == "serve"
    assert last["STOPSIGNAL"] == "SIGTERM"
    runs = " ".join(rest for kind, rest in found if kind == "RUN")
    assert "--constraint constraints.txt" in runs
    assert not re.search(r"curl|wget|apt-get|sudo|chmod 777", runs)
    for path in (word for kind, rest in found if kind == "COPY" and "--from" not in rest for word in rest.split()[:-1]):
        assert (ROOT / path).exists(), path
    assert f"redan:{redan.__version__}" in CONTAINERFILE
    assert COMPOSE["services"]["gateway"]["image"] == f"redan:{redan.__version__}"


@pytest.mark.parametrize("file", MANIFESTS, ids=lambda file: file.name)
@pytest.mark.parametrize("version", ["1.28", "1.33"])
def test_manifests_fit_the_schemas_of_kubernetes(file: Path, version: str) -> None:
    import kubernetes_validate

    for one in yaml.safe_load_all(file.read_text(encoding="utf-8")):
        assert kubernetes_validate.validate(one, version, strict=True)


def test_the_pod_meets_the_restricted_standard() -> None:
    assert resource("Namespace")["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    pod = resource("StatefulSet")["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"]["type"] in ("RuntimeDefault", "Localhost")
    assert pod["automountServiceAccountToken"] is False
    assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod)
    allowed = {
        "configMap",
        "secret",
        "emptyDir",
        "persistentVolumeClaim",
        "projected",
        "downwardAPI",
        "csi",
        "ephemeral",
    }
    assert all(set(volume) - {"name"} <= allowed for volume in pod["volumes"])
    for container in pod["containers"]:
        security = container["securityContext"]
        assert security["allowPrivilegeEscalation"] is False
        assert security["readOnlyRootFilesystem"] is True
        assert security["capabilities"] == {"drop": ["ALL"]}
        assert {"requests", "limits"} == set(container["resources"])
        assert not any("hostPort" in port for port in container["ports"])
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            assert container[probe]["httpGet"]["path"].startswith("/health/")


def test_parts_of_the_manifests_name_each_other() -> None:
    labels = resource("StatefulSet")["spec"]["template"]["metadata"]["labels"]
    assert resource("StatefulSet")["spec"]["selector"]["matchLabels"].items() <= labels.items()
    assert resource("PodDisruptionBudget")["spec"]["selector"]["matchLabels"].items() <= labels.items()
    assert resource("NetworkPolicy")["spec"]["podSelector"]["matchLabels"].items() <= labels.items()
    for name in ("redan", "redan-replicas"):
        assert resource("Service", name)["spec"]["selector"].items() <= labels.items()
    assert resource("StatefulSet")["spec"]["serviceName"] == "redan-replicas"
    scaled = resource("HorizontalPodAutoscaler")["spec"]["scaleTargetRef"]
    assert (scaled["kind"], scaled["name"]) == ("StatefulSet", "redan")
    denied = resource("NetworkPolicy", "deny-all")["spec"]
    assert denied == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    pod = resource("StatefulSet")["spec"]["template"]["spec"]
    volumes = {volume["name"] for volume in pod["volumes"]} | {"state"}
    assert {mount["name"] for mount in pod["containers"][0]["volumeMounts"]} == volumes
    kustomization = yaml.safe_load((DEPLOY / "kubernetes" / "kustomization.yaml").read_text(encoding="utf-8"))
    assert sorted(kustomization["resources"]) == [file.name for file in MANIFESTS]
    assert kustomization["images"] == [{"name": "redan", "newTag": redan.__version__}]


@pytest.mark.parametrize("folder", ["container", "kubernetes"])
def test_the_shipped_configuration_is_read_and_asks_for_statements(folder: str) -> None:
    config = load(file=DEPLOY / folder / "redan.toml", root=DEPLOY / folder, environ={"REDAN_SERVE_NAME": "redan-0"})
    assert config.settings.serve.name == "redan-0"
    assert config.settings.serve.admission == "required"
    assert config.settings.admission.require
    assert config.settings.audit.mode == "durable"
    assert config.settings.serve.guards.authentication
    pod = resource("StatefulSet")["spec"]["template"]["spec"]["containers"][0]
    writable = [m["mountPath"] for m in pod["volumeMounts"] if not m.get("readOnly")]
    settings = config.settings
    for path in (settings.serve.folder, settings.audit.log, settings.audit.key, settings.registry.store):
        assert any(path.startswith(f"{place}/") for place in writable), path


def test_the_unit_is_a_narrow_sandbox() -> None:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze is not installed: apt-get install systemd")
    words = [
        program,
        "security",
        "--offline=true",
        "--threshold=15",
        "--no-pager",
        DEPLOY / "systemd" / "redan.service",
    ]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr


def test_the_unit_allows_every_call_that_the_gateway_was_seen_to_make() -> None:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze is not installed: apt-get install systemd")
    done = subprocess.run([program, "syscall-filter", "--no-pager"], capture_output=True, text=True, check=True)
    groups: dict[str, list[str]] = {}
    name = ""
    for line in re.sub(r"\x1b\[[0-9;]*m", "", done.stdout).splitlines():
        if line.startswith("@"):
            name = line.strip()
        elif line.startswith("    ") and not line.strip().startswith("#"):
            groups.setdefault(name, []).append(line.strip())

    def calls(words: list[str]) -> set[str]:
        return {call for word in words for call in (calls(groups[word]) if word.startswith("@") else {word})}

    allowed: set[str] = set()
    for line in (DEPLOY / "systemd" / "redan.service").read_text(encoding="utf-8").splitlines():
        if line.startswith("SystemCallFilter="):
            words = line.removeprefix("SystemCallFilter=").split()
            denies = words[0].startswith("~")
            named = calls([word.removeprefix("~") for word in words])
            allowed = allowed - named if denies else allowed | named
    measured = json.loads((DEPLOY / "container" / "seccomp.json").read_text(encoding="utf-8"))["syscalls"][0]["names"]
    assert set(measured) - allowed == set()
    assert not {"ptrace", "mount", "bpf", "io_uring_setup", "setuid"} & allowed


def test_redan_finds_nothing_in_what_it_ships() -> None:
    report = redan.scan(DEPLOY)
    assert [f.title for f in report.findings if f.status == "open"] == []
