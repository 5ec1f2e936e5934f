"""Prints every scene with the number of its worlds, and where a law breaks, the shortest trace to it."""

from __future__ import annotations

from tests.proof.protocol.scenes import SCENES, Scene


def told(scene: Scene) -> str:
    """One scene, as it stands in `traces.txt`."""
    found = scene.explore()
    if found.broken is None:
        names = ", ".join(law.__name__ for law in scene.laws)
        return f"# {scene.name}\n{found.states} worlds: {names}\n"
    trace = "".join(f"  {label}\n" for label in found.trace)
    return f"# {scene.name}\nbroken after {found.states} worlds: {found.broken}\n{trace}"


if __name__ == "__main__":
    print("\n".join(told(scene) for scene in SCENES), end="")
