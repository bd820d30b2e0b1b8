from django.apps import AppConfig


class Room(AppConfig):
    name = "certdesk.lifecycle.campaigns"
    label = "campaigns"
