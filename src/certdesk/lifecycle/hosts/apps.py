from django.apps import AppConfig


class Room(AppConfig):
    name = "certdesk.lifecycle.hosts"
    label = "hosts"
