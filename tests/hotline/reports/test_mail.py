"""Reports by e-mail: taken in once, pictures hashed and dropped, nothing unpacked, hostile messages kept apart."""

from __future__ import annotations

import io
import zipfile
from email.message import EmailMessage
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.hotline.reports.test_captures import bomb, drawn

from vigil.base.errors import InputError
from vigil.hotline.access.people import OPERATOR
from vigil.hotline.audit.models import AuditEvent
from vigil.hotline.reports.enumerations import Channel
from vigil.hotline.reports.limits import WORDS_CHARACTERS
from vigil.hotline.reports.mail import ADDRESSES, MESSAGE_BYTES, read_message
from vigil.hotline.reports.mailbox import Imported, do_import_mail
from vigil.hotline.reports.models import ImportedMail, Media, Report

PAGE = "https://gallery.example/room/7"


def message(text: str = f"I saw this: {PAGE}.", subject: str = "A page") -> EmailMessage:
    made = EmailMessage()
    made["From"], made["To"], made["Subject"] = "quimber@post.example", "desk@hotline.example", subject
    made.set_content(text)
    return made


@pytest.fixture
def maildir(tmp_path: Path) -> Path:
    for name in ("new", "cur", "tmp"):
        (tmp_path / name).mkdir()
    return tmp_path


def deliver(maildir: Path, data: bytes, name: str = "1", folder: str = "new") -> Path:
    path = maildir / folder / name
    path.write_bytes(data)
    return path


@pytest.mark.django_db
class TestImport:
    def test_a_message_becomes_a_report_and_goes(self, maildir: Path) -> None:
        path = deliver(maildir, message().as_bytes())
        assert do_import_mail(OPERATOR, maildir) == Imported(taken=1)
        report = Report.objects.get()
        assert report.channel == Channel.EMAIL and report.free_text is not None
        assert [each.raw.open() for each in report.submissions.all()] == [PAGE]
        assert not path.exists()
        assert "quimber" not in report.free_text.open(), "who sent it is not kept"

    def test_the_same_message_twice_is_one_report(self, maildir: Path) -> None:
        for name, folder in (("1", "new"), ("2", "cur")):
            deliver(maildir, message().as_bytes(), name, folder)
        assert do_import_mail(OPERATOR, maildir) == Imported(taken=1, again=1)
        assert Report.objects.count() == 1 and list((maildir / "cur").iterdir()) == []

    def test_pictures_are_hashed_and_dropped(self, maildir: Path) -> None:
        mail = message()
        mail.add_attachment(drawn(1), maintype="image", subtype="png", filename="a.png")
        mail.add_attachment(bomb(), maintype="image", subtype="png", filename="b.png")
        deliver(maildir, mail.as_bytes())
        do_import_mail(OPERATOR, maildir)
        report = Report.objects.get()
        assert [each.type for each in report.submissions.all()] == ["url", "hash", "hash"]
        assert sorted(Media.objects.values_list("unhashable", flat=True)) == ["", "too_many_pixels"]
        assert [each.source for each in report.sightings.all()] == ["mail", "mail"]
        assert list(maildir.rglob("*")) == [maildir / name for name in ("tmp", "cur", "new")] or not any(
            path.is_file() for path in maildir.rglob("*")
        )

    def test_an_archive_is_never_opened(self, maildir: Path) -> None:
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("zeros", b"\0" * 50_000_000)
        mail = message()
        mail.add_attachment(packed.getvalue(), maintype="application", subtype="zip", filename="bomb.zip")
        deliver(maildir, mail.as_bytes())
        do_import_mail(OPERATOR, maildir)
        media = Media.objects.get()
        assert media.unhashable == "not_an_image" and media.size == len(packed.getvalue())

    def test_what_cannot_be_read_stays_and_is_noted_once(self, maildir: Path) -> None:
        path = deliver(maildir, b"Subject: x\r\n\r\n" + b"x" * MESSAGE_BYTES.value)
        for _ in range(2):
            assert do_import_mail(OPERATOR, maildir) == Imported(refused=1)
        assert path.exists() and ImportedMail.objects.get().refusal == "mail_too_large"
        assert AuditEvent.objects.filter(code="mail.refused").count() == 1

    def test_links_and_folders_are_not_followed(self, maildir: Path, tmp_path: Path) -> None:
        secret = deliver(maildir, message().as_bytes(), "secret", "tmp")
        (maildir / "new" / "link").symlink_to(secret)
        assert do_import_mail(OPERATOR, maildir) == Imported()

    def test_a_failure_in_between_loses_nothing(self, maildir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        deliver(maildir, message().as_bytes())
        monkeypatch.setattr(Path, "unlink", lambda *arguments, **named: (_ for _ in ()).throw(OSError("the lights went out")))
        with pytest.raises(OSError, match="lights"):
            do_import_mail(OPERATOR, maildir)
        monkeypatch.undo()
        assert do_import_mail(OPERATOR, maildir) == Imported(again=1)
        assert Report.objects.count() == 1 and not any((maildir / "new").iterdir())


def test_html_gives_its_words_and_where_its_links_lead() -> None:
    mail = message()
    mail.add_alternative(f'<p>See <a href="{PAGE}/8">this</a></p><script>var x = "https://no.example/";</script>', subtype="html")
    read = read_message(mail.as_bytes())
    assert read.addresses == (PAGE, f"{PAGE}/8")


def test_a_message_that_names_nothing_is_a_report_all_the_same() -> None:
    arrival = read_message(message("in the quimber group").as_bytes()).arrival()
    assert arrival.items[0].raw.startswith("A page")


def test_bounds_are_kept() -> None:
    read = read_message(message("x" * 1_000_000).as_bytes())
    assert len(read.words) == WORDS_CHARACTERS.value
    many = read_message(message(" ".join(f"https://a.example/{n}" for n in range(200))).as_bytes())
    assert len(many.addresses) == ADDRESSES.value and many.left_out > 0


def nested(levels: int) -> bytes:
    data = b"Subject: x\r\n\r\nx"
    for _ in range(levels):
        data = b"Content-Type: message/rfc822\r\n\r\n" + data
    return data


@pytest.mark.parametrize(
    "data",
    [
        nested(50),
        b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n' + b"--b\r\n\r\nx\r\n" * 200,
    ],
    ids=["levels", "parts"],
)
def test_messages_without_end_are_refused(data: bytes) -> None:
    with pytest.raises(InputError) as caught:
        read_message(data)
    assert caught.value.code == "mail_too_deep"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xfe\x00",
        b"Content-Type: text/plain; charset=quimber\r\n\r\nx\xff",
        b"Content-Transfer-Encoding: base64\r\n\r\n====",
        b"Subject: =?utf-8?b?4pi?= \x00\x1b[31m\r\n\r\n<script>alert(1)</script>\x00",
        b"Content-Type: multipart/mixed\r\n\r\nno boundary",
    ],
)
def test_damaged_messages_are_read_or_refused(data: bytes) -> None:
    try:
        assert "\x00" not in read_message(data).words
    except InputError as error:
        assert error.code == "mail_malformed"


@given(st.binary(max_size=2000))
def test_no_bytes_break_the_reader(data: bytes) -> None:
    try:
        read = read_message(data)
    except InputError:
        return
    assert len(read.words) <= WORDS_CHARACTERS.value
