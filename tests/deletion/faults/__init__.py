"""Faults injected at every effect of the deletion, on real stores and real directories.

    scripts/test.sh tests/deletion/faults

`scenarios` are the acts, `injection` is what strikes them, and `trial` strikes one at each of its effects.
`world` is what there is to see then, `invariants` what must hold. `command` is for `kill -9`.
"""
