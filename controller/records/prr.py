"""The print-ready record (PRR) as the centre sends it: the model that docs/record.schema.json is generated from.

Field names, limits and meaning: docs/record-format.md. Models are frozen and show no content when printed or logged. Limits in
characters follow what a card of 54 x 86 mm can show; limits in bytes follow the chip (8 kB) and the spool.
"""

from __future__ import annotations

import re
from binascii import a2b_base64, b2a_base64
from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import PydanticCustomError, core_schema

from controller.model import ChipFile

PHOTO_MAX_BYTES = 200_000
SIGNATURE_MAX_BYTES = 50_000
CHIP_MAX_BYTES = 8192  # the chip's EEPROM (chip.md 1.1)
FIRST_YEAR = 1900
LIFELONG: Final = "SEUMUR HIDUP"

# Printable ASCII, Latin-1 letters and Latin Extended-A: what cards show and Debian's fonts hold. Single spaces, none at the ends.
TEXT_PATTERN = "^[!-~À-ÖØ-öø-ſ]+( [!-~À-ÖØ-öø-ſ]+)*$"
RECORD_ID_PATTERN = "^[A-Za-z0-9._-]{1,64}$"
NIK_PATTERN = "^[0-9]{16}$"
NUMBER_PATTERN = "^[0-9]{3}$"
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def base64_length(size_bytes: int) -> int:
    """How many base64 characters `size_bytes` bytes take."""
    return (size_bytes + 2) // 3 * 4


def strict_base64(text: str) -> bytes:
    """Decode standard base64 with padding. Raises ValueError when the text is not the one encoding of its bytes."""
    content = a2b_base64(text, strict_mode=True)
    if b2a_base64(content, newline=False) != text.encode():
        raise ValueError("not the canonical encoding")
    return content


def _calendar_date(value: object) -> date:
    try:
        day = date.fromisoformat(value) if isinstance(value, str) and _DATE.fullmatch(value) else None
    except ValueError:
        day = None
    if day is None or day.year < FIRST_YEAR:
        raise PydanticCustomError("schema.date", "no such date")
    return day


def _lifelong_or_date(value: object) -> object:
    return value if value == LIFELONG else _calendar_date(value)


def _not_bool(value: object) -> object:
    if isinstance(value, bool):  # Python and pydantic take true for 1
        raise PydanticCustomError("schema.choice", "not a number", {"choices": "1"})
    return value


def _not_null(value: object) -> object:
    if value is None:
        raise PydanticCustomError("schema.null", "null is not used")
    return value


_Text: TypeAlias = Annotated[str, Field(pattern=TEXT_PATTERN, min_length=1)]
_Number: TypeAlias = Annotated[str | None, Field(pattern=NUMBER_PATTERN), BeforeValidator(_not_null)]
_Blood: TypeAlias = Literal["A", "A+", "A-", "AB", "AB+", "AB-", "B", "B+", "B-", "O", "O+", "O-"]
_Date: TypeAlias = Annotated[date, BeforeValidator(_calendar_date)]
_ValidUntil: TypeAlias = Annotated[date | Literal["SEUMUR HIDUP"], BeforeValidator(_lifelong_or_date)]
_ChipContent: TypeAlias = Annotated[
    str, Field(min_length=1, max_length=base64_length(CHIP_MAX_BYTES), json_schema_extra={"contentEncoding": "base64"})
]


class _Part(BaseModel):
    """Frozen, strict, nothing extra; printing it shows no personal data."""

    model_config = ConfigDict(defer_build=True, frozen=True, extra="forbid", strict=True, hide_input_in_errors=True)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    def __str__(self) -> str:
        return repr(self)


class Person(_Part):
    """The biodata printed on the card."""

    nik: str = Field(pattern=NIK_PATTERN, description="Resident number, PPKKCC DDMMYY SSSS; women have 40 added to the day.")
    name: _Text = Field(max_length=100, description="Full name.")
    birth_place: _Text = Field(max_length=60, description="Place of birth.")
    birth_date: _Date = Field(description="Date of birth; must agree with the NIK and not be after recorded_on.")
    sex: Literal["LAKI-LAKI", "PEREMPUAN"] = Field(description="Sex; must agree with the NIK.")
    blood_type: Annotated[_Blood | None, BeforeValidator(_not_null)] = Field(
        default=None, description="Blood type; left out when not known, the card then shows '-'."
    )
    address: _Text = Field(max_length=150, description="Street, house number, block.")
    rt: _Number = Field(default=None, description="Rukun tetangga; left out where there is none.")
    rw: _Number = Field(default=None, description="Rukun warga; left out where there is none.")
    village: _Text = Field(max_length=60, description="Kelurahan or desa, without the word.")
    district: _Text = Field(max_length=60, description="Kecamatan, without the word.")
    regency: _Text = Field(max_length=60, description="Second header line of the card, with its word: KABUPATEN ... or KOTA ...")
    province: _Text = Field(max_length=60, description="First header line of the card, without the word PROVINSI.")
    religion: _Text = Field(max_length=40, description="Religion or belief.")
    marital_status: _Text = Field(max_length=30, description="Marital status.")
    occupation: _Text = Field(max_length=60, description="Occupation.")
    nationality: Literal["WNI", "WNA"] = Field(description="Indonesian citizen or foreigner.")
    valid_until: _ValidUntil = Field(description="SEUMUR HIDUP, or the last day of validity; a date for WNA.")


class Issue(_Part):
    """What is printed under the photo."""

    place: _Text = Field(max_length=40, description="Place of issue.")
    date: _Date = Field(description="Date of issue.")


class _Image(_Part):
    media_type: str
    data: str

    def content(self) -> bytes:
        """The image's bytes. Raises ValueError on bad base64, which `intake` has refused before."""
        return strict_base64(self.data)


class Photo(_Image):
    """The print photo, upright."""

    media_type: Literal["image/jpeg"] = Field(description="Always JPEG.")
    data: str = Field(
        max_length=base64_length(PHOTO_MAX_BYTES),
        json_schema_extra={"contentEncoding": "base64"},
        description=f"Base64 of at most {PHOTO_MAX_BYTES} bytes; 100 x 100 to 4,000,000 pixels.",
    )


class Signature(_Image):
    """The resident's signature, dark on white."""

    media_type: Literal["image/png", "image/jpeg"] = Field(description="PNG or JPEG.")
    data: str = Field(
        max_length=base64_length(SIGNATURE_MAX_BYTES),
        json_schema_extra={"contentEncoding": "base64"},
        description=f"Base64 of at most {SIGNATURE_MAX_BYTES} bytes; at most 4,000,000 pixels.",
    )


class Chip(_Part):
    """The exact content of the chip's files in base64, without the length prefix; never re-encoded by the station."""

    ef_6ff1: _ChipContent = Field(alias="6FF1", description="Biodata.")
    ef_6ff2: _ChipContent = Field(alias="6FF2", description="Photo.")
    ef_6ff3: _ChipContent = Field(alias="6FF3", description="Signature image.")
    ef_6ff4: _ChipContent = Field(alias="6FF4", description="Minutiae, right index finger.")
    ef_6ff5: _ChipContent = Field(alias="6FF5", description="Minutiae, left index finger.")
    ef_6ff6: _ChipContent = Field(alias="6FF6", description="The centre's signature over the other files.")

    def texts(self) -> Mapping[int, str]:
        """The base64 texts by file id, in file order."""
        return {int(info.alias or "", 16): getattr(self, name) for name, info in type(self).model_fields.items()}

    def files(self) -> tuple[ChipFile, ...]:
        """The files in order. Raises ValueError on bad base64, which `intake` has refused before."""
        return tuple(ChipFile(fid, strict_base64(text)) for fid, text in self.texts().items())


class Record(_Part):
    """One resident's print-ready record, sealed by the centre."""

    format: Annotated[Literal[1], BeforeValidator(_not_bool)] = Field(description="Version of this format.")
    record_id: str = Field(pattern=RECORD_ID_PATTERN, description="The centre's own id of this record; must not hold the NIK.")
    status: Literal["PRINT_READY_RECORD"] = Field(description="Any other status is refused with its next step.")
    recorded_on: _Date = Field(description="Date on which the resident was recorded.")
    person: Person = Field(description="Whom the card is for.")
    issue: Issue = Field(description="Place and date of issue, printed under the photo.")
    photo: Photo = Field(description="The print photo.")
    signature: Signature = Field(description="The resident's signature.")
    chip: Chip = Field(description=f"Contents of the chip's files; together at most {CHIP_MAX_BYTES} bytes.")
    seal: str = Field(
        min_length=1,
        max_length=1024,
        description="Detached JWS (RFC 7797, EdDSA) over the canonical JSON (RFC 8785) of this record without seal.",
    )


class _PlainSchema(GenerateJsonSchema):
    """The schema without null: a field is there or it is not."""

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def field_title_should_be_set(self, _schema: object) -> bool:
        return False  # titles made from field names say nothing

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])


def json_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of a record."""
    schema = Record.model_json_schema(schema_generator=_PlainSchema)
    return {"$schema": GenerateJsonSchema.schema_dialect, **schema}
