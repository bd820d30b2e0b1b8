from django.apps import AppConfig


class Operations(AppConfig):
    name = "certdesk.interfaces.operations"
    label = "operations"
