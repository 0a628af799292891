"""The throw-away certificate: what OpenSSL and Python's strictest checks say of it."""

from __future__ import annotations

import asyncio
import ssl

import pytest

from zktui.demo.certificates import GX, GY, Certificate, N, P


def test_the_curve_s_base_point_lies_on_it() -> None:
    # b as published, and not what the module computes with: the check is of the constants.
    b = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
    assert (GY * GY - GX**3 + 3 * GX - b) % P == 0
    assert N % 2 == 1


def test_every_certificate_is_another() -> None:
    one, two = Certificate.self_signed("127.0.0.1"), Certificate.self_signed("127.0.0.1")
    assert one.key != two.key
    assert one.certificate != two.certificate


async def handshake(server: Certificate, client: ssl.SSLContext, host: str) -> None:
    listener = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0, ssl=server.server_context())
    port = listener.sockets[0].getsockname()[1]
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=client, server_hostname=host)
        writer.close()
        await writer.wait_closed()
    finally:
        listener.close()
        await listener.wait_closed()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_a_strict_client_trusts_it(host: str) -> None:
    made = Certificate.self_signed("127.0.0.1")
    context = made.client_context()
    context.verify_flags |= ssl.VerifyFlags.VERIFY_X509_STRICT
    await handshake(made, context, host)


async def test_another_name_or_another_certificate_is_refused() -> None:
    made, other = Certificate.self_signed("127.0.0.1"), Certificate.self_signed("127.0.0.1")
    with pytest.raises(ssl.SSLCertVerificationError, match="not valid for"):
        await handshake(made, made.client_context(), "example.com")
    with pytest.raises(ssl.SSLCertVerificationError):
        await handshake(made, other.client_context(), "127.0.0.1")
