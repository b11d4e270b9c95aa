"""A classifier of pictures: a measure of samples that people would judge by eye.

Trained on real pictures with labels, it says if a sample is read as the label that was asked for,
and its hidden units are the features between which a Frechet distance is taken, as Heusel et al.
2017 took it between features of Inception.

Shapes: N pictures, P pixels, E hidden units.
"""

from __future__ import annotations

import warnings

import numpy as np
import numpy.typing as npt

from ..errors import MissingExtraError

__all__ = ["PictureClassifier"]

UNITS, ITERATIONS = 64, 200
MOST = 10_000
"""Training pictures at most: more would hardly make it better, and take minutes."""


class PictureClassifier:
    """A perceptron with one hidden layer (scikit-learn's), the same for the same pictures.

    Args:
        pixels: float [N, P], from 0 to 1.
        labels: int [N].

    Raises:
        MissingExtraError: scikit-learn is not installed.
    """

    def __init__(self, pixels: npt.NDArray[np.float64], labels: npt.NDArray[np.int64]):
        try:
            from sklearn.exceptions import ConvergenceWarning
            from sklearn.neural_network import MLPClassifier
        except ImportError as error:
            raise MissingExtraError("scikit-learn", "digits", "a classifier of pictures") from error
        rows = np.random.default_rng(0).permutation(len(pixels))[:MOST]
        self._model = MLPClassifier(
            (UNITS,), alpha=1.0, solver="lbfgs", max_iter=ITERATIONS, random_state=0
        )
        with warnings.catch_warnings():  # it is stopped early on purpose
            warnings.simplefilter("ignore", ConvergenceWarning)
            self._model.fit(pixels[rows], labels[rows])

    def labels(self, pixels: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
        """The likeliest label [N] of each picture."""
        found: npt.NDArray[np.int64] = self._model.predict(pixels)
        return found

    def confidence(self, pixels: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """The probability [N] of the likeliest label."""
        found: npt.NDArray[np.float64] = self._model.predict_proba(pixels).max(1)
        return found

    def features(self, pixels: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """The hidden units [N, E]."""
        weights, bias = self._model.coefs_[0], self._model.intercepts_[0]
        hidden: npt.NDArray[np.float64] = np.maximum(pixels @ weights + bias, 0.0)
        return hidden
