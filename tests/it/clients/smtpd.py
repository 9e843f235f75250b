"""A mail server (aiosmtpd) that prints each mail it took, as Python's own reader of mail understands it.

Arguments: starttls, tls or plain; certificate; key; user; password (empty: nobody has to log in).
"""

import asyncio
import email
import email.policy
import json
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult

MODE, CERTIFICATE, KEY, USER, PASSWORD = sys.argv[1:6]


def say(**what):
    print(json.dumps(what), flush=True)


def check(server, session, envelope, mechanism, given):
    right = given.login.decode() == USER and given.password.decode() == PASSWORD
    say(login=right, tls=session.ssl is not None or MODE == "tls")
    return AuthResult(success=right)


class Handler:
    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("frank@"):
            return "550 5.1.1 no such person\u001b[2J"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        say(
            sender=envelope.mail_from,
            recipients=envelope.rcpt_tos,
            headers=[[name, str(value)] for name, value in mail.items()],
            defects=[str(defect) for defect in mail.defects],
            text=mail.get_content(),
            tls=session.ssl is not None or MODE == "tls",
        )
        return "250 OK"


async def main():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE, KEY)
    login = dict(authenticator=check, auth_required=True, auth_require_tls=MODE == "starttls") if PASSWORD else {}
    secure = dict(tls_context=context, require_starttls=True) if MODE == "starttls" else {}
    server = await asyncio.get_running_loop().create_server(
        lambda: SMTP(Handler(), **secure, **login), "127.0.0.1", 0, ssl=context if MODE == "tls" else None
    )
    say(port=server.sockets[0].getsockname()[1])
    await server.serve_forever()


asyncio.run(main())
