"""The gymnasium environments, registered without importing gymnasium.

``import seqgan`` has to register them, but importing gymnasium (and numpy with it) takes a quarter
of a second, several times what the whole of ``seqgan --help`` takes. So where gymnasium is not
imported yet, registration waits until it is; nobody can ask for an environment earlier.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

__all__ = ["ENVIRONMENT", "register", "register_when_possible"]

ENVIRONMENT = "seqgan/TokenGeneration-v0"


def register() -> None:
    """Registers the environments; does nothing where they are registered."""
    import gymnasium

    if ENVIRONMENT not in gymnasium.registry:
        gymnasium.register(
            id=ENVIRONMENT,
            entry_point="rollout.environments.env:TokenGenerationEnv",
            vector_entry_point="rollout.environments.vector_env:TokenGenerationVectorEnv",
        )


def register_when_possible() -> None:
    """Registers the environments now, or as soon as gymnasium has been imported."""
    if "gymnasium" in sys.modules:
        register()
    else:
        sys.meta_path.insert(0, _AfterGymnasium())


class _AfterGymnasium(MetaPathFinder):
    """Finds gymnasium where the other finders do, and has `register` called after its import."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The module's own spec, its loader's last act extended; None for all other modules."""
        if fullname != "gymnasium":
            return None
        others = [f for f in sys.meta_path if f is not self and hasattr(f, "find_spec")]
        found = (finder.find_spec(fullname, path, target) for finder in others)
        spec = next((spec for spec in found if spec is not None), None)
        if spec is None or spec.loader is None:
            return spec
        execute = spec.loader.exec_module

        def execute_and_register(module: ModuleType) -> None:
            execute(module)
            # Only now: looking for a spec (is it installed?) is not yet an import.
            if self in sys.meta_path:
                sys.meta_path.remove(self)
            register()

        spec.loader.exec_module = execute_and_register  # type: ignore[method-assign]
        return spec
