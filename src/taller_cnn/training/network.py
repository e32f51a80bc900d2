"""The form in which the training loop works on a network."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from taller_cnn.model import SimpleCNN


class TrainedNetwork:
    """A network trained as it is; another form trains something cheaper in its place.

    Weights that the caller has frozen (``requires_grad_(False)``) stay as they are.

    Args:
        model: the network, on the device of the training.
    """

    def __init__(self, model: SimpleCNN) -> None:
        self._model = model

    def __call__(self, images: Tensor) -> Tensor:
        """Logits ``[N, K]`` of images as `crop` gives them."""
        logits: Tensor = self._model(images)
        return logits

    def crop(self, images: Tensor) -> Tensor:
        """The part of images ``[N, 1, 28, 28]`` that training looks at."""
        return images

    @property
    def model(self) -> SimpleCNN:
        """The whole network with what has been learned so far."""
        return self._model

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Take the weights of a state dict of the whole network."""
        self._model.load_state_dict(state)

    def matrices(self) -> list[Tensor]:
        """Trained weights between hidden features: convolutions after the first, and ``fc1``."""
        model = self._model
        names = [f"conv{index}.weight" for index in range(2, model.config.layers + 1)]
        names += ["fc1.weight"] if model.config.hidden else []
        weights = [model.get_parameter(name) for name in names]
        return [weight for weight in weights if weight.requires_grad]

    def others(self) -> list[Tensor]:
        """All other trained weights."""
        matrices = set(map(id, self.matrices()))
        trained = (weight for weight in self._model.parameters() if weight.requires_grad)
        return [weight for weight in trained if id(weight) not in matrices]
