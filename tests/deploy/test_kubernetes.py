"""The manifests are what the Kubernetes API takes, and hold rules that the relay takes."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import yaml

from relay import cli
from tests.each import each
from tests.needs import ROOT, require

FOLDER = ROOT / "deploy" / "kubernetes"
FILES = sorted(path.name for path in FOLDER.glob("*.yaml"))
OLDEST = "1.29"
"""The first with `ReadWriteOncePod` for everybody."""


def objects(name: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((FOLDER / name).read_text(encoding="utf-8")))


@each("name", FILES)
def test_every_object_is_one_of_the_api_with_no_unknown_field(name: str) -> None:
    require(None if find_spec("kubernetes_validate") else "kubernetes-validate is not installed")
    import kubernetes_validate

    found = objects(name)
    assert found
    for one in found:
        for version in (OLDEST, kubernetes_validate.latest_version()):
            kubernetes_validate.validate(one, version, strict=True)


@each("name", FILES)
def test_what_is_mounted_and_probed_is_there(name: str) -> None:
    for one in objects(name):
        if "template" not in one.get("spec", {}):
            continue
        pod = one["spec"]["template"]["spec"]
        claims = one["spec"].get("volumeClaimTemplates", [])
        volumes = {volume["name"] for volume in pod.get("volumes", [])}
        volumes |= {claim["metadata"]["name"] for claim in claims}
        for container in pod["containers"]:
            assert {mount["name"] for mount in container["volumeMounts"]} == volumes
            ports = {port["name"] for port in container["ports"]}
            probes = [container[f"{which}Probe"] for which in ("startup", "liveness", "readiness")]
            assert {probe["httpGet"]["port"] for probe in probes} <= ports


def test_the_rules_of_the_manifests_are_good_ones(tmp_path: Path) -> None:
    texts = [one["data"] for one in objects("config.yaml") if one["kind"] == "ConfigMap"]
    rules = tmp_path / "rules.yaml"
    rules.write_text(next(text["rules.yaml"] for text in texts if text), encoding="utf-8")
    places = ["--rules", str(rules), "--templates", str(tmp_path)]
    assert cli.run(["check", *places]) == 0
