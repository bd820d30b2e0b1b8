from django.apps import AppConfig


class Room(AppConfig):
    name = "certdesk.lifecycle.issuers"
    label = "issuers"
