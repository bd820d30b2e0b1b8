"""Every route: the API and public faces first, then the console."""

from django.urls import URLPattern, URLResolver, include, path

urlpatterns: list[URLPattern | URLResolver] = [
    path("", include("certdesk.interfaces.api.urls")),
    path("", include("certdesk.interfaces.acme.urls")),
    path("", include("certdesk.interfaces.public.urls")),
    path("", include("certdesk.interfaces.console.urls")),
]
