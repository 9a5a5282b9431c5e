# Sends mail as Python programs do: in clear, after STARTTLS, with TLS from the start, and as a user. It ends with an
# error if something is not as it should be. Arguments: the ports of the three listeners and of the server behind, and the
# file of the certificate.
import email.message, email.policy, smtplib, ssl, sys

plain, submission, implicit, behind = map(int, sys.argv[1:5])
trust = ssl.create_default_context(cafile=sys.argv[5])
trust.check_hostname = False  # the host is an address here
host = "127.0.0.1"


def letter(subject, body, to="bob@example.org"):
    m = email.message.EmailMessage(policy=email.policy.SMTPUTF8)
    m["From"], m["To"], m["Subject"] = "ann@client.example.net", to, subject
    m["Date"], m["Message-ID"] = "Tue, 24 Nov 2026 10:00:00 +0000", "<%s@client.example.net>" % subject
    m.set_content(body)
    return m


with smtplib.SMTP(host, plain, "client.example.net", timeout=30) as s:
    s.ehlo()
    assert s.has_extn("pipelining") and s.has_extn("8bitmime") and s.has_extn("size"), s.esmtp_features
    assert not s.has_extn("auth"), "AUTH is offered in clear"
    s.starttls(context=trust)
    assert not s.has_extn("starttls"), "the offer before TLS is remembered"
    refused = s.send_message(letter("py-several", "To three.\n"), to_addrs=["bob@example.org", "nobody@example.org", "full@example.org"])
    assert refused["nobody@example.org"] == (550, b"5.1.1 <nobody@example.org>: no such user here"), refused
    assert refused["full@example.org"] == (452, b"4.2.2 <full@example.org>: over quota"), refused
    s.send_message(letter("py-large", ("x" * 75 + "\n") * 70000))
    if s.has_extn("smtputf8"):
        s.send_message(letter("py-utf8", "Grüße\n", "jürgen@example.org"))
    code, words = s.mail("a@client.example.net", ["SIZE=9000000"])
    assert code == 250 or code == 552, (code, words)  # the server behind is asked with the first recipient
    code, words = s.rcpt("bob@example.org")
    assert code in (503, 552), (code, words)



def refusal(port):
    with smtplib.SMTP(host, port, "client.example.net", timeout=30) as s:
        try:
            s.send_message(letter("unwanted", "No.\n"))
        except smtplib.SMTPDataError as e:
            return e.smtp_code, e.smtp_error
    raise SystemExit("an unwanted message was taken")


direct = refusal(behind)
assert direct[0] == 550 and direct[1].count(b"\n") == 1, direct
assert refusal(plain) == direct, "not word for word"

for mechanism in "PLAIN", "LOGIN", "CRAM-MD5":
    with smtplib.SMTP(host, submission, "client.example.net", timeout=30) as s:
        s.ehlo()
        assert not s.has_extn("auth"), "AUTH is offered in clear"
        s.starttls(context=trust)
        s.ehlo()
        s.user, s.password = "ann", "wrong"
        answer = getattr(s, "auth_" + mechanism.lower().replace("-", "_"))
        try:
            s.auth(mechanism, answer)
            raise SystemExit("a wrong password was taken")
        except smtplib.SMTPAuthenticationError as e:
            assert e.smtp_code == 535, e
        s.password = "tell no-one"
        assert s.auth(mechanism, answer)[0] == 235
        s.send_message(letter("py-" + mechanism, "As a user.\n", "eve@elsewhere.example"))

with smtplib.SMTP_SSL(host, implicit, "client.example.net", timeout=30, context=trust) as s:
    s.login("ann", "tell no-one")
    s.send_message(letter("py-implicit", "As a user.\n", "eve@elsewhere.example"))
