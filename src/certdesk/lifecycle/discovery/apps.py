from django.apps import AppConfig


class Room(AppConfig):
    name = "certdesk.lifecycle.discovery"
    label = "discovery"
