"""G1: the issuance engine in process, policy, profile and checks included, against the lean rate F."""

from bench.report import Report, Row


def measure(report: Report, seconds: float) -> None:
    """Adds the engine's rates for P-256 and RSA-2048 keys and chains, on a scratch database of its own."""
    from certdesk.pki.authority import bench as authority

    for algorithm, rate in authority.engine_rate(seconds).items():
        lean = report.value(f"F lean issue {algorithm}")
        report.add(Row(f"G1 engine {algorithm}", rate, "/s core", "F", rate / lean, goal=0.8, floor=0.5))
    for algorithm, rate in authority.engine_with_csr_rate(seconds).items():
        lean = report.value(f"F lean issue {algorithm}")
        # No floor: the gate of RSA keys looks for known factors once a key, which F does not do at all.
        report.add(Row(f"G1 engine with CSR gate {algorithm}", rate, "/s core", "F", rate / lean))
