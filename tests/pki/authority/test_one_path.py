"""Law 4 in the code itself: one caller of the signer, one place that touches an authority's private key.

Reads the source as a syntax tree, so a new path to a signature fails here before it is ever used.
"""

import ast
from functools import cache
from pathlib import Path

import certdesk
from certdesk.pki.authority import issue

SOURCE = Path(certdesk.__file__).parent
AUTHORITY = Path("pki/authority")

# The register of issuers is the pipeline's door; the listener's own certificate and the benchmark are the two
# others, each through the whole of `prepare`.
SIGN_CALLERS = {
    Path("lifecycle/issuance/issuers.py"),
    AUTHORITY / "listener.py",
    AUTHORITY / "bench.py",
}


@cache
def trees() -> list[tuple[Path, ast.Module]]:
    """Each file below the package, its relative imports written out."""
    paths = [path.relative_to(SOURCE) for path in SOURCE.rglob("*.py")]
    return [(path, absolute(path, ast.parse((SOURCE / path).read_text(encoding="utf-8")))) for path in paths]


def imported(tree: ast.Module, module: str) -> dict[str, str]:
    """Local name -> what it stands for, for imports of `module` itself or of names from it."""
    found: dict[str, str] = {}
    package, _, last = module.rpartition(".")
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            source = node.module or ""
            for alias in node.names:
                local = alias.asname or alias.name
                if source == package and alias.name == last:
                    found[local] = module
                elif source == module:
                    found[local] = f"{module}.{alias.name}"
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name == module:
                    found[alias.asname or alias.name] = module
    return found


def absolute(path: Path, tree: ast.Module) -> ast.Module:
    """Relative imports written out, so that one look finds both forms."""
    parts = ("certdesk", *path.with_suffix("").parts)
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = parts[: -node.level]
            node.module, node.level = ".".join([*base, *([node.module] if node.module else [])]), 0
    return tree


def users_of(module: str, name: str) -> set[Path]:
    """Files that name `module.name`, by attribute or by import."""
    users = set()
    for path, tree in trees():
        local = imported(tree, module)
        for node in ast.walk(tree) if local else ():
            dotted = ast.unparse(node) if isinstance(node, ast.Attribute | ast.Name) else ""
            head, _, tail = dotted.rpartition(".")
            if (local.get(head) == module and tail == name) or local.get(dotted) == f"{module}.{name}":
                users.add(path)
    return users


def test_the_signer_has_its_known_callers_only() -> None:
    assert users_of("certdesk.pki.authority.issue", "sign") <= SIGN_CALLERS


def test_each_caller_of_the_signer_prepares_and_records() -> None:
    for caller in SIGN_CALLERS:
        text = (SOURCE / caller).read_text(encoding="utf-8")
        assert ".prepare(" in text, caller
        assert caller.name == "bench.py" or (".intend(" in text and ".record(" in text), caller


def test_authority_keys_are_asked_for_in_one_place() -> None:
    use = "certdesk.pki.keystore.use"
    assert {path for path in users_of(use, "private_key") if path.parts[:2] == ("pki", "authority")} == {
        AUTHORITY / "issuers.py"
    }
    # The hierarchy, requests for cross-certificates, OCSP answers, CRLs and responders:
    # nothing of it can become a leaf.
    assert users_of("certdesk.pki.authority.issuers", "key_of") == {
        AUTHORITY / "actions.py",
        AUTHORITY / "crosses.py",
        AUTHORITY / "ocsp.py",
    }
    assert users_of("certdesk.pki.authority.issuers", "holder") == {
        AUTHORITY / "crosses.py",
        AUTHORITY / "publishing.py",
        AUTHORITY / "jobs.py",
    }


def test_only_prepare_makes_tokens() -> None:
    users = users_of("certdesk.pki.authority.issue", "_Token")
    assert users == set()  # nobody imports it; inside its own module:
    tree = ast.parse(Path(issue.__file__).read_text(encoding="utf-8"))
    makers = {
        function.name
        for function in tree.body
        if isinstance(function, ast.FunctionDef)
        for node in ast.walk(function)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "_Token"
    }
    assert makers == {"prepare"}


def test_issuers_are_used_to_sign_by_the_signer_alone() -> None:
    """`Issuer.sign` is the raw key: `issue.sign` calls it, and nothing else outside the benchmark."""
    callers = {
        (path, function.name)
        for path, tree in trees()
        if path.parts[:2] == ("pki", "authority") and path.name not in ("bench.py",)
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef)
        for node in ast.walk(function)
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("issuer.sign")
    }
    assert callers == {(AUTHORITY / "issue.py", "sign")}
