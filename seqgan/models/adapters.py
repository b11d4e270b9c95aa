"""Modules of which a part alone is trained: the rest is shared by copies and never saved.

A pretrained network may be large and is read from its own files, so what is saved, copied and
restored with it are the parameters that training changes: adapters (Hu et al. 2021) or a head.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from typing_extensions import Self

__all__ = ["LearnedRows", "PartlyTrained", "adapt"]


class PartlyTrained(nn.Module):
    """Base of models that begin with a pretrained network. It stands first among the bases."""

    _kept: frozenset[str] = frozenset()

    def keep_trained(self) -> None:
        """Ends the making of the module.

        From now on the parameters that require no gradient are never trained, and the others are
        its state.
        """
        names = {name for name, each in self.named_parameters() if each.requires_grad}
        self._kept = frozenset(names)

    def state_dict(self, *args: Any, **kwargs: Any) -> Any:
        """As of any module; without the parameters that are never trained."""
        found = super().state_dict(*args, **kwargs)
        prefix = kwargs.get("prefix", "")
        for name in self._frozen():
            found.pop(prefix + name, None)
        return found

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False
    ) -> Any:
        """Restores what `state_dict` gave."""
        if self._kept and strict and state_dict.keys() != self.state_dict().keys():
            raise RuntimeError("adapters of another model")
        return super().load_state_dict(state_dict, strict and not self._kept, assign)

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """As of any module; without the parameters that are never trained."""
        for name, parameter in self.named_parameters():
            parameter.requires_grad_(requires_grad and (not self._kept or name in self._kept))
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """A copy that shares the parameters which are never trained."""
        for parameter in self._frozen().values():
            memo[id(parameter)] = parameter
        copied = type(self).__new__(type(self))
        memo[id(self)] = copied
        copied.__dict__.update({k: copy.deepcopy(v, memo) for k, v in self.__dict__.items()})
        return copied

    def _frozen(self) -> dict[str, Tensor]:
        """The parameters that are never trained, by name."""
        if not self._kept:
            return {}
        return {name: each for name, each in self.named_parameters() if name not in self._kept}


class LearnedRows(nn.Module):
    """Rows of a table that are trained, where the table itself is not.

    They belong to tokens that a pretrained model lacks, such as ``<unk>``: a model knows nothing of
    them, and adapters inside the network could not teach it.

    Args:
        table: [V, E], never trained; its rows are where the learned ones begin.
        rows: which of them, K numbers.
    """

    _rows: Tensor  # int64 [K]
    _places: Tensor  # int64 [V], the number among the learned rows, or -1

    def __init__(self, table: Tensor, rows: Sequence[int]):
        super().__init__()
        chosen = torch.tensor(list(rows), dtype=torch.int64, device=table.device)
        places = torch.full((len(table),), -1, device=table.device)
        places[chosen] = torch.arange(len(chosen), device=table.device)
        self.register_buffer("_rows", chosen, persistent=False)
        self.register_buffer("_places", places, persistent=False)
        self.learned = nn.Parameter(table.detach()[chosen])

    def forward(self, table: Tensor) -> Tensor:
        """The table [V, E] with the learned rows in their places."""
        return table.index_copy(0, self._rows, self.learned.to(table.dtype))

    def embedded(self, tokens: Tensor, table: Tensor) -> Tensor:
        """Rows [..., E] of tokens [...]; nothing of the table's size is copied."""
        places = self._places[tokens]
        learned = nn.functional.embedding(places.clamp(min=0), self.learned.to(table.dtype))
        found = nn.functional.embedding(tokens, table)
        return torch.where((places >= 0)[..., None], learned, found)

    def mixed(self, weights: Tensor, table: Tensor) -> Tensor:
        """Sums [..., E] of rows with weights [..., V]; nothing of the table's size is copied."""
        others = weights.index_fill(-1, self._rows, 0.0) @ table
        return others + weights[..., self._rows] @ self.learned.to(table.dtype)

    def products(self, features: Tensor, table: Tensor, bias: Tensor) -> Tensor:
        """Products [..., V] of features [..., E] with all rows, plus `bias` [V]."""
        own = nn.functional.linear(features, self.learned.to(table.dtype), bias[self._rows])
        found = nn.functional.linear(features, table, bias)
        return found.index_copy(-1, self._rows, own)


def adapt(network: nn.Module, rank: int, alpha: float) -> None:
    """Puts adapters into every linear layer, which are trained in their place.

    Args:
        network: of the library transformers.
        rank: of the adapters.
        alpha: they count alpha / rank.
    """
    from peft import LoraConfig, inject_adapter_in_model

    names = {
        name.rpartition(".")[2]
        for name, module in network.named_modules()
        if isinstance(module, nn.Linear) or type(module).__name__ == "Conv1D"
    }
    scale: Any = alpha  # declared as a whole number
    config = LoraConfig(r=rank, lora_alpha=scale, target_modules=sorted(names), lora_dropout=0.0)
    inject_adapter_in_model(config, network)
