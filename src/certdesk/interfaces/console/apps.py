from django.apps import AppConfig


class Console(AppConfig):
    name = "certdesk.interfaces.console"
    label = "console"
