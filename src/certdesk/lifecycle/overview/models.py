"""Who has the overview mailed, and how far that has come."""

from django.db import models


class WeeklyMail(models.Model):
    """One user's switch; no row = off."""

    user_id = models.CharField(primary_key=True, max_length=32)
    enabled = models.BooleanField(default=False)
    weekday = models.SmallIntegerField(default=0, help_text="0 = Monday.")
    told_on = models.DateField(
        help_text="Turn of the last mail, or the last one before switching on; local date."
    )

    class Meta:
        indexes = [models.Index(fields=["user_id"], name="overview_mailed", condition=models.Q(enabled=True))]

    def __str__(self) -> str:
        return f"{self.user_id} {'on' if self.enabled else 'off'}"
