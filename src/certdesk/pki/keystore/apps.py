from django.apps import AppConfig


class Room(AppConfig):
    name = "certdesk.pki.keystore"
    label = "keystore"
