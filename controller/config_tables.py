"""What every table of station.toml is made of, and the tables that say where card keys are kept; the rest is in `config`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,31}$")]


class Table(BaseModel):
    """One table: a key that is not known is a mistake."""

    model_config = ConfigDict(defer_build=True, extra="forbid", frozen=True)


class _PinTable(Table):
    """Where a key holder's PIN is: a file of mode 0400, or a credential that systemd hands to the unit (LoadCredential=)."""

    pin_file: Path | None = None
    pin_credential: Name | None = None

    @model_validator(mode="after")
    def _one_pin(self) -> Self:
        if self.pin_file is not None and self.pin_credential is not None:
            raise ValueError("give pin_file or pin_credential, not both")
        return self


class SamTable(_PinTable):
    """reader.sam: the SAM card beside the chip, for a key holder of kind "pcsc"; its PIN is the 64 hex digits that open it"""

    name: Annotated[str, StringConstraints(min_length=1, max_length=127)]


class SamCardsTable(Table):
    """[key_holder] of kind "pcsc": SAM cards, one at each reader"""

    kind: Literal["pcsc"]


class TokenTable(_PinTable):
    """[key_holder] of kind "pkcs11": one token (an HSM) for the whole station"""

    kind: Literal["pkcs11"]
    module: Path  # its vendor's library, e.g. /usr/lib/softhsm/libsofthsm2.so
    token: Annotated[str, StringConstraints(min_length=1, max_length=32)]  # its label

    @model_validator(mode="after")
    def _some_pin(self) -> Self:
        if self.pin_file is None and self.pin_credential is None:
            raise ValueError("pin_file or pin_credential is required")
        return self


KeyHolderTable = Annotated[SamCardsTable | TokenTable, Field(discriminator="kind")]
