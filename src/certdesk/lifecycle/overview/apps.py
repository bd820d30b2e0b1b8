from django.apps import AppConfig


class Room(AppConfig):
    name = "certdesk.lifecycle.overview"
    label = "overview"
