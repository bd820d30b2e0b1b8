"""The API's routes for Django's own resolver; the edge middleware answers them before it is asked."""

from django.urls import URLPattern, re_path
from django.views.decorators.csrf import csrf_exempt

from .dispatch import handle

urlpatterns: list[URLPattern] = [re_path(r"^v[0-9.]+/", csrf_exempt(lambda request: handle(request)))]
