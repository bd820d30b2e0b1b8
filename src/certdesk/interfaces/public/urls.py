"""Routes without sign-in: metadata, PKI answers, confirmation links (API §10)."""

from django.urls import URLPattern, path

from . import confirming, organization_link, views

urlpatterns: list[URLPattern] = [
    path("healthz", views.healthz),
    path("readyz", views.readyz),
    path("heartbeat", views.heartbeat),
    path("metrics", views.metrics),
    path("openapi.json", views.openapi_file),
    path("ocsp", views.later),
    path("ocsp/<path:request_text>", views.later),
    path("crl/<str:name>.crl", views.later),
    path("ca/<str:name>.cer", views.later),
    path("confirm/organization-<str:secret>", organization_link.choose),
    path("confirm/<str:token>", confirming.confirm),
    path("acme/directory", views.later),
]
