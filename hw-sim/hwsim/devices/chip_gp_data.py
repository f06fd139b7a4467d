"""What a GlobalPlatform chip tells of itself (chip.md 3.4), in BER-TLV. Pure.

Synthetic: the production data (CPLC), issuer and card numbers are nobody's.
"""

from __future__ import annotations

ISD_AID = bytes.fromhex("A000000151000000")
_OID_GP = bytes.fromhex("06072A864886FC6B01")
_OID_CARD = bytes.fromhex("060A2A864886FC6B02020301")  # GlobalPlatform 2.3.1
_OID_ID = bytes.fromhex("06072A864886FC6B03")
_OID_SCP03 = bytes.fromhex("2A864886FC6B0403")  # without its last byte, the parameter i


def tlv(tag: int, value: bytes) -> bytes:
    """One object; tags of one or two bytes, up to 65535 bytes of value."""
    size = len(value)
    length = bytes([size]) if size < 0x80 else bytes([0x81, size]) if size < 0x100 else b"\x82" + size.to_bytes(2, "big")
    return tag.to_bytes(2 if tag > 0xFF else 1, "big") + length + value


def application_row(aid: bytes, life: int) -> bytes:
    """One application in the answer to GET STATUS: AID, life cycle, privileges of a security domain."""
    return tlv(0xE3, tlv(0x4F, aid) + tlv(0x9F70, bytes([life])) + tlv(0xC5, bytes.fromhex("800000")))


# What GET DATA finds under these tags. Of 66 it is the inside of tag 73 up to the last byte of the SCP03 identifier.
INTRODUCTIONS = {
    0x0042: b"HW-SIM",
    0x0045: b"CONTOH01",
    0x0066: _OID_GP + tlv(0x60, _OID_CARD) + tlv(0x63, _OID_ID) + b"\x64\x0b\x06\x09" + _OID_SCP03,
    0x9F7F: bytes.fromhex("00" * 42),
}
