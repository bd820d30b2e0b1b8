"""Routes without sign-in: metadata, PKI answers, confirmation links (API §10)."""

from django.urls import URLPattern, path

from . import (
    acme_challenge,
    agents,
    confirming,
    notice_link,
    organization_link,
    pki,
    reissue_link,
    revocation_link,
    views,
)

urlpatterns: list[URLPattern] = [
    path("healthz", views.healthz),
    path("readyz", views.readyz),
    path("heartbeat", views.heartbeat),
    path("metrics", views.metrics),
    path("openapi.json", views.openapi_file),
    *pki.ROUTES,
    path("confirm/organization-<str:secret>", organization_link.choose),
    path("confirm/revocation-<str:secret>", revocation_link.confirm),
    path("confirm/reissue-<str:secret>", reissue_link.decide),
    path("confirm/notice-<str:secret>", notice_link.acknowledge),
    path("confirm/<str:token>", confirming.confirm),
    path(".well-known/acme-challenge/<str:token>", acme_challenge.serve),
    path("agent/ca", agents.roots),
    path("agent/host.py", agents.download),
    path("agent/enrol", agents.enrol),
    path("agent/exchange", agents.exchanged),
]
