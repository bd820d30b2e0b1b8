"""The tour past issuance: a load balancer, a deployment, and what a client outside is really served."""

import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .client import Client
from .touring_steps import Steps, TourFailed, expect

if TYPE_CHECKING:
    from certdesk.lab.elb import LabElb

REGION = "tour"
PATIENCE = 30.0


def take_to_balancer(
    client: Client, elb: "LabElb", steps: Steps, roots: Path, certificate_id: str, name: str
) -> None:
    """Connects the load balancer, deploys, goes back, deploys again; each seen by `openssl s_client`."""
    what = "HAProxy" if elb.program else "a small TLS server (HAProxy is not installed)"
    with steps.step("a load balancer is connected and looked through") as say:
        binding = _connect(client, elb, name)
        before = served(elb.port, name)
        say(f"{what} on {elb.server}; {name} is served serial {before}")
    with steps.step("deploy; done once an outside client is served the new one") as say:
        deployment = _deploy(client, certificate_id, binding)
        say(trusted(elb.port, name, roots))
        after = served(elb.port, name)
        expect(after != before, "the old certificate is still served")
        say(f"{name} is served serial {after}")
    with steps.step("roll back, and deploy again") as say:
        client.post(f"/v3/scm/deployments/{deployment}/rollback")
        _wait(client, deployment, "ROLLED_BACK")
        expect(served(elb.port, name) == before, "the previous certificate did not come back")
        say(f"{name} is served serial {before} again")
        _deploy(client, certificate_id, binding)
        expect(served(elb.port, name) == after, "the new certificate did not come back")
        say(f"{name} is served serial {after}; where it is deployed: {_places(client, certificate_id)}")


def _connect(client: Client, elb: "LabElb", name: str) -> str:
    made = client.post(
        "/v3/scm/targets",
        {"service": "ELB", "kind": "haproxy", "region": REGION, "label": "tour", "options": elb.options},
    )
    found = client.post(f"/v3/scm/targets/{made['id']}/discover")["bindings"]
    return next(str(one["id"]) for one in found if name in one["names"])


def _deploy(client: Client, certificate_id: str, binding: str) -> str:
    body = {"service_name": "ELB", "project_name": REGION, "resources": [{"id": binding}]}
    answer = client.post(f"/v3/scm/certificates/{certificate_id}/deploy", body)
    expect(answer["failure_list"] == [], f"deploy answered {answer}")
    return str(answer["deployment_id"])


def _wait(client: Client, deployment: str, state: str) -> None:
    until = time.monotonic() + PATIENCE
    while True:
        shown: dict[str, Any] = client.get(f"/v3/scm/deployments/{deployment}")
        if shown["state"] == state:
            return
        if time.monotonic() > until:
            raise TourFailed(f"the deployment is {shown['state']}, not {state}: {shown['bindings']}")
        time.sleep(0.05)


def _places(client: Client, certificate_id: str) -> str:
    body = {"certificate_ids": [certificate_id], "service_names": ["ALL"]}
    (result,) = client.post("/v3/scm/deployed-resources", body)["results"]
    expect(result["total_num"] == 1, f"deployed-resources answered {result}")
    return f"{result['deployed_resources'][0]['service']} in {REGION}"


def served(port: int, name: str) -> str:
    """The serial that a client outside is served, by `openssl s_client`."""
    shown = _client(port, name)
    read = subprocess.run(
        ["openssl", "x509", "-noout", "-serial"], input=shown.stdout, capture_output=True, check=False
    )
    expect(read.returncode == 0, f"nothing is served for {name}: {shown.stderr.decode()[-200:]}")
    return read.stdout.decode().strip().removeprefix("serial=")


def trusted(port: int, name: str, roots: Path) -> str:
    """What a client that trusts the built-in root says of chain and name."""
    shown = _client(port, name, "-CAfile", str(roots), "-verify_return_error", "-verify_hostname", name)
    expect(b"Verify return code: 0 (ok)" in shown.stdout, f"openssl s_client: {shown.stderr.decode()[-300:]}")
    return f"openssl s_client with the built-in root: {name}, chain and name OK"


def _client(port: int, name: str, *more: str) -> "subprocess.CompletedProcess[bytes]":
    command = ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-servername", name, *more]
    return subprocess.run(command, input=b"", capture_output=True, check=False, timeout=PATIENCE)
