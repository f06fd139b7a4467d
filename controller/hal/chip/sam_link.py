"""The link to a SAM card in a second PC/SC slot (chip.md 6.3, 6.4).

Blocking, without a thread of its own: a script asks the SAM between two commands to the chip, so it runs on the chip reader's
thread. A SAM that never answers holds that thread up, and the reader's deadline gives it up like one whose chip hangs.

The connection is exclusive, since another client that connects and leaves would reset the SAM's session. After any failure it
is never used again: a SAM that was pulled and put back, or swapped, has no session.
"""

from __future__ import annotations

from controller.errors import DeviceAbsent
from controller.hal.chip.scard_binding import ANY_PROTOCOL, HEADERS, scard

_STALE = {scard.SCARD_E_NO_SERVICE, scard.SCARD_E_SERVICE_STOPPED, scard.SCARD_E_INVALID_HANDLE,
          scard.SCARD_F_COMM_ERROR}  # fmt: skip  # an earlier pcscd's context
_PLAIN = {
    scard.SCARD_E_NO_SERVICE: "pcscd is not running",
    scard.SCARD_E_SERVICE_STOPPED: "pcscd is not running",
    scard.SCARD_E_UNKNOWN_READER: "there is no such reader slot",
    scard.SCARD_E_READER_UNAVAILABLE: "there is no such reader slot",
    scard.SCARD_E_NO_READERS_AVAILABLE: "there is no reader",
    scard.SCARD_E_NO_SMARTCARD: "no SAM is in the slot",
    scard.SCARD_W_REMOVED_CARD: "no SAM is in the slot",
    scard.SCARD_W_UNRESPONSIVE_CARD: "the card in the slot does not answer; it may lie the wrong way round",
    scard.SCARD_W_UNPOWERED_CARD: "the card in the slot has no power",
    scard.SCARD_W_RESET_CARD: "another program has reset the SAM",
    scard.SCARD_E_SHARING_VIOLATION: "another program holds the SAM",
}


class SamLink:
    """One slot, known by the exact name pcscd gives it. One thread uses it at a time."""

    def __init__(self, reader_name: str) -> None:
        """Opens nothing."""
        self._reader_name = reader_name
        self._context: int | None = None
        self._card: tuple[int, int] | None = None  # handle, protocol header for it

    def connect(self) -> bool:
        """Make sure that a card is held; True when it is held only from now on. DeviceAbsent("sam_absent") when there is none,
        DeviceAbsent("sam_busy") while another program holds it."""
        if self._card is not None:
            return False
        stale = self._context is not None
        hresult, handle, protocol = self._attempt()
        if hresult in _STALE and stale:
            self.close()
            hresult, handle, protocol = self._attempt()
        if hresult != scard.SCARD_S_SUCCESS:
            raise self._absent(hresult)
        self._card = (handle, HEADERS[protocol])
        return True

    def send(self, command: bytes) -> bytes:
        """One command and its answer. DeviceAbsent("sam_absent") when the card was lost; it is held no longer then."""
        if self._card is None:
            raise DeviceAbsent("sam_absent", "the SAM was lost")
        handle, header = self._card
        hresult, answer = scard.SCardTransmit(handle, header, list(command))
        if hresult != scard.SCARD_S_SUCCESS or not answer:  # pcscd reports success for a card that died during the command
            self.drop()
            raise self._absent(hresult)
        return bytes(answer)

    def drop(self) -> None:
        """Let go of the card as it is (see `pcsc_link`: switching it off would hide the next one). Never fails."""
        self._let_go(scard.SCARD_LEAVE_CARD)

    def close(self) -> None:
        """Reset the card, since one that was opened would serve anybody, and let go of it. Twice is fine."""
        self._let_go(scard.SCARD_RESET_CARD)
        context, self._context = self._context, None
        if context is not None:
            scard.SCardReleaseContext(context)

    def _let_go(self, disposition: int) -> None:
        card, self._card = self._card, None
        if card is not None:
            scard.SCardDisconnect(card[0], disposition)

    def _attempt(self) -> tuple[int, int, int]:
        if self._context is None:
            hresult, context = scard.SCardEstablishContext(scard.SCARD_SCOPE_SYSTEM)
            if hresult != scard.SCARD_S_SUCCESS:
                return hresult, 0, 0
            self._context = context
        answer: tuple[int, int, int] = scard.SCardConnect(
            self._context, self._reader_name, scard.SCARD_SHARE_EXCLUSIVE, ANY_PROTOCOL
        )
        return answer

    def _absent(self, hresult: int) -> DeviceAbsent:
        word = "the SAM gave no answer" if hresult == scard.SCARD_S_SUCCESS else scard.SCardGetErrorMessage(hresult)
        code = f"0x{hresult & 0xFFFFFFFF:08X}"
        condition = "sam_busy" if hresult == scard.SCARD_E_SHARING_VIOLATION else "sam_absent"
        return DeviceAbsent(condition, f"SAM slot '{self._reader_name}': {_PLAIN.get(hresult, word)} ({code})")
