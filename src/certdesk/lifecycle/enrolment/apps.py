from django.apps import AppConfig


class Enrolment(AppConfig):
    name = "certdesk.lifecycle.enrolment"
    label = "enrolment"
