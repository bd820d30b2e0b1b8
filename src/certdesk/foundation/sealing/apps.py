from django.apps import AppConfig


class Room(AppConfig):
    name = "certdesk.foundation.sealing"
    label = "sealing"
