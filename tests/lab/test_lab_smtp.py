"""The lab SMTP server by smtplib."""

import signal
import smtplib
import subprocess
import sys
import threading
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path

import pytest

from certdesk.lab.smtp_server import LabSmtp


@pytest.fixture
def mail(tmp_path: Path) -> Iterator[LabSmtp]:
    with LabSmtp(folder=tmp_path / "mail") as server:
        yield server


def message(subject: str, to: str = "anna@example.com") -> EmailMessage:
    made = EmailMessage()
    made["From"], made["To"], made["Subject"] = "desk@example.net", to, subject
    made.set_content("Grüße\n")
    return made


def send(port: int, *messages: EmailMessage) -> None:
    with smtplib.SMTP("127.0.0.1", port, timeout=5) as client:
        for one in messages:
            client.send_message(one)


def test_messages_are_kept_in_memory_and_in_the_folder(mail: LabSmtp, tmp_path: Path) -> None:
    send(mail.port, message("One"), message("Zwei ü", "bob@example.com"))
    got = mail.wait_for(lambda one: "bob@example.com" in one.recipients)
    assert (got.subject, got.text, got.sender) == ("Zwei ü", "Grüße\n", "desk@example.net")
    assert [one.subject for one in mail.messages] == ["One", "Zwei ü"]
    files = sorted((tmp_path / "mail").glob("*.eml"))
    assert [file.name for file in files] == ["00001.eml", "00002.eml"]
    assert b"bob@example.com" in files[1].read_bytes()
    mail.clear()
    assert mail.messages == []


def test_a_second_run_writes_no_file_over(tmp_path: Path) -> None:
    for _ in range(2):
        with LabSmtp(folder=tmp_path) as mail:
            send(mail.port, message("x"))
    assert len(list(tmp_path.glob("*.eml"))) == 2


def test_waiting_ends_when_the_message_comes_or_the_time_is_over(mail: LabSmtp) -> None:
    sender = threading.Timer(0.1, send, (mail.port, message("late")))
    sender.start()
    assert mail.wait_for(lambda one: one.subject == "late", timeout=5).subject == "late"
    sender.join()
    with pytest.raises(TimeoutError, match="1 came"):
        mail.wait_for(lambda one: one.subject == "never", timeout=0.05)


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ("REJECT_SENDER", 550),
        ("REJECT_RECIPIENT", 550),
        ("GREYLIST", 451),
        ("REJECT_DATA", 554),
        ("BUSY", 452),
    ],
)
def test_it_refuses_on_purpose(mail: LabSmtp, fault: str, code: int) -> None:
    mail.misbehave(fault)
    with pytest.raises((smtplib.SMTPResponseException, smtplib.SMTPRecipientsRefused)) as caught:
        send(mail.port, message("x"))
    error = caught.value
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        seen = error.recipients["anna@example.com"][0]
    else:
        seen = error.smtp_code
    assert seen == code
    mail.behave()
    send(mail.port, message("y"))
    assert [one.subject for one in mail.messages] == ["y"]


def test_it_is_slow_on_purpose(mail: LabSmtp) -> None:
    mail.misbehave("SLOW", seconds=2.0)
    client = smtplib.SMTP("127.0.0.1", mail.port, timeout=0.2)
    with pytest.raises((TimeoutError, smtplib.SMTPServerDisconnected)):
        client.send_message(message("x"))
    client.close()


def test_only_loopback() -> None:
    with pytest.raises(ValueError, match="loopback"):
        LabSmtp("0.0.0.0")
    with LabSmtp() as mail, pytest.raises(OSError, match="in use"), LabSmtp(port=mail.port):
        pass


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_run_smtp_serves_until_it_is_told_to_stop(tmp_path: Path, number: int) -> None:
    code = (
        "import sys; from pathlib import Path; from certdesk.lab.smtp_server import run_smtp;"
        "run_smtp(0, Path(sys.argv[1]))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    port = int(process.stdout.readline().partition("127.0.0.1:")[2].split(";")[0])
    send(port, message("x"))
    process.send_signal(number)
    _, err = process.communicate(timeout=10)
    assert (process.returncode, err) == (0, "")
    assert len(list(tmp_path.glob("*.eml"))) == 1
