"""An independent oracle of the record-level contract: a naive interpreter that carries derivations."""
