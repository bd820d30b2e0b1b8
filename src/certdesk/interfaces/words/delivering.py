"""Targets that run programs, write files of servers or speak to them over HTTP."""

from django.utils.translation import gettext_noop as _

SHAPES = (
    _("its output repeats a secret and is not shown"),
    _("%(path)s is no program that targets may run."),
    _("Ask the operator to name it in CERTDESK_TARGET_PROGRAMS."),
    _("%(path)s is no program."),
    _("Correct its path."),
    _("%(path)s may be changed by others than its owner, or lies where targets write."),
    _("Move it to a folder of its own and take away the right to write for group and others."),
    _("%(path)s was not over after %(seconds)s s and was ended."),
    _("Run it by hand to see what it waits for."),
    _("%(path)s cannot be started: %(problem)s."),
    _("Check the program and its rights."),
    _("%(path)s did not %(what)s: status %(status)s, %(told)s."),
    _("and it said nothing"),
    _("Read the program's words; correct what it complains about."),
    _("A command is a program with at most %(most)s arguments, without zero bytes."),
    _("Write a script for what needs more."),
)
