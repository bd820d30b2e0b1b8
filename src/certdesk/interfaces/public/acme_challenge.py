"""What a CA outside finds when it proves a name of ours by http-01 (RFC 8555 §8.3)."""

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from certdesk.lifecycle.issuance import outside_tasks

TOKEN_LIMIT = 255


@require_safe
def serve(request: HttpRequest, token: str) -> HttpResponse:
    """The key authorization of an order that waits; 404 for everything else, whoever asks."""
    host = request.META.get("HTTP_HOST", "").partition(":")[0]
    value = outside_tasks.answer(host, token) if len(token) <= TOKEN_LIMIT else None
    if value is None:
        return HttpResponse(b"404\n", status=404, content_type="text/plain")
    return HttpResponse(value, content_type="application/octet-stream", headers={"Cache-Control": "no-store"})
