"""What a print-ready record (PRR) is: parsing, the model, NIK rules, the centre's seal. Pure; contract: docs/record-format.md.

In data-flow order: `canonical` (bytes to JSON and back), `prr` (the model), `schema` (model errors as problems), `status`, `nik`,
`seal`, `images`, and `intake`, which runs them all. Every text of a refusal is a row of `refusals`.
"""
