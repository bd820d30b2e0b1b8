"""Law 1: `certificates/actions.py` alone writes the state of a certificate."""

import ast
import re
from pathlib import Path

SOURCE = Path(__file__).parents[3] / "src" / "certdesk"
WRITER = SOURCE / "lifecycle" / "certificates" / "actions.py"
SETTERS = re.compile(
    r"(UPDATE\s+certificates_certificate\b(?!.*\bWHERE\b.*\bSET\b).*\bstate\s*=)"
    r"|(INSERT\s+INTO\s+certificates_certificate\b)",
    re.IGNORECASE | re.DOTALL,
)


def python_files():
    return [path for path in SOURCE.rglob("*.py") if "migrations" not in path.parts and path != WRITER]


def before_where(text):
    """The SET part of an UPDATE: reading the state in WHERE is no writing."""
    return re.split(r"\bWHERE\b", text, maxsplit=1, flags=re.IGNORECASE)[0]


def faults(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    knows_model = re.search(r"certificates\.models|from \.models import .*Certificate\b", path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            if SETTERS.search(before_where(node.value)):
                yield node.lineno, "SQL"
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            if node.func.attr in ("insert", "bulk_create") and _first_is_certificates(node):
                yield node.lineno, "insert"
            named = ast.unparse(node.func)
            writes = node.func.attr in ("update", "create", "update_or_create") and _sets_state(node)
            if knows_model and writes and re.search(r"\bCertificate\.objects\b", named):
                yield node.lineno, named
            if knows_model and node.func.attr == "save" and _saves_state(node):
                yield node.lineno, named


def _first_is_certificates(call):
    first = call.args[0] if call.args else None
    return isinstance(first, ast.Constant) and first.value == "certificates_certificate"


def _sets_state(call):
    return any(keyword.arg == "state" for keyword in call.keywords)


def _saves_state(call):
    """`save` writes every column, so a stale object would put an old state back."""
    fields = [ast.unparse(keyword.value) for keyword in call.keywords if keyword.arg == "update_fields"]
    is_certificate = ast.unparse(call.func.value).endswith("certificate")
    return is_certificate and (not fields or "'state'" in fields[0])


def test_nobody_else_writes_a_state():
    found = {str(path.relative_to(SOURCE)): list(faults(path)) for path in python_files()}
    assert {path: lines for path, lines in found.items() if lines} == {}


def test_the_check_finds_what_it_looks_for(tmp_path):
    bad = tmp_path / "bad.py"
    bad.write_text(
        "from certdesk.lifecycle.certificates.models import Certificate\n"
        "def a(certificate, sql):\n"
        "    certificate.state = 'ISSUED'  # what was read, kept in step with what was written\n"
        "    Certificate.objects.filter(id=1).update(state='ISSUED')\n"
        "    sql.execute('UPDATE certificates_certificate SET state = %s WHERE id = %s')\n"
        "    sql.execute('UPDATE certificates_certificate SET notices = %s WHERE state = %s')\n"
        "    sql.insert('certificates_certificate', [])\n"
        "    certificate.save()\n"
        "    certificate.save(update_fields=['notices'])\n"
        "    certificate.save(update_fields=['state'])\n"
    )
    assert sorted(line for line, _ in faults(bad)) == [4, 5, 7, 8, 10]
