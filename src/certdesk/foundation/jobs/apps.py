from django.apps import AppConfig


class Room(AppConfig):
    name = "certdesk.foundation.jobs"
    label = "jobs"
