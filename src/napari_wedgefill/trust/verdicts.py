"""What the checks find, in figures and in plain words; light to import."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from ..methods import METHODS, label_of
from ..volume import Volume

#: Trust below which the summary counts density as doubtful.
DOUBTFUL = 0.8
#: How the history of a trust map begins, in its file too.
TRUST_LABEL = "napari-wedgefill: trust, 0 to 1, of"
UNFITTED = " The model brings no gain of its own, so read it as more or less, not as a figure."


@dataclass(frozen=True)
class SelfCheck:
    """Errors at withheld tilts.

    Attributes
    ----------
    spread : dict of str to float
        By method: root mean square error of the predicted images, over that of the images
        themselves, when tilts spread through the range were withheld.
    outermost : dict of str to float
        The same when the outermost tilts on both sides were withheld: extrapolation, the harder
        test and the one that resembles filling a wedge.
    spread_deg, outermost_deg : tuple of float
        The withheld angles.
    slices : tuple of int
        Start and stop of the slices that were rebuilt.
    spread_by_tilt, outermost_by_tilt : dict of str to tuple of float
        By method, the error at each of the withheld angles.
    """

    spread: dict[str, float]
    outermost: dict[str, float]
    spread_deg: tuple[float, ...]
    outermost_deg: tuple[float, ...]
    slices: tuple[int, int]
    spread_by_tilt: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    outermost_by_tilt: Mapping[str, tuple[float, ...]] = field(default_factory=dict)

    def by_angle(self) -> list[tuple[float, str, dict[str, float]]]:
        """List the withheld angles in order: degrees, "inside" or "outermost", error by method."""
        rows = []
        for where, angles, errors in (
            ("inside", self.spread_deg, self.spread_by_tilt),
            ("outermost", self.outermost_deg, self.outermost_by_tilt),
        ):
            for k, angle in enumerate(angles if errors else ()):
                rows.append((angle, where, {method: e[k] for method, e in errors.items()}))
        return sorted(rows, key=lambda row: row[0])

    @property
    def verdict(self) -> str:
        """Say in plain words how the network compares, whichever way it comes out."""
        outermost, spread = compare_errors(self.outermost), compare_errors(self.spread)
        if not outermost:
            best = min(self.outermost, key=self.outermost.__getitem__)
            return f"At the withheld outermost tilts {label_of(best)} predicts the images best."
        inside = f"; at those withheld inside the range, {spread}" if spread else ""
        return (
            "At the withheld outermost tilts the filled volume predicts the images "
            f"{outermost}, the best of the others{inside}."
        )

    @property
    def sentence(self) -> str:
        """Say the verdict and, in figures, the errors at the outermost tilts."""
        listed = ", ".join(f"{label_of(m)} {100 * e:.1f} %" for m, e in self.outermost.items())
        return (
            f"{self.verdict} Error of the predicted images at the withheld outermost tilts: "
            f"{listed}."
        )

    def to_dict(self) -> dict[str, object]:
        """Plain values, for the report."""
        return asdict(self) | {"sentence": self.sentence}


def compare_errors(errors: Mapping[str, float], level: str = "as well as") -> str:
    """Compare the networks' error with the least of the others, or call it `level`.

    Such as "25 % better than TVM (6.0 % against 8.0 %)", in the digits that tables show; empty
    where there is no network or nothing to compare it with.
    """
    learned = [name for name in errors if name in METHODS and METHODS[name].needs_model]
    rivals = {name: error for name, error in errors.items() if name not in learned}
    if not learned or not rivals:
        return ""
    least = min(errors[name] for name in learned)
    rival = min(rivals, key=rivals.__getitem__)
    own, other = round(100 * least, 1), round(100 * rivals[rival], 1)
    percent = round(100 * (1 - own / max(other, 1e-30)))
    if percent == 0:
        return f"{level} {label_of(rival)} ({own:.1f} %)"
    how = "better" if percent > 0 else "worse"
    return f"{abs(percent)} % {how} than {label_of(rival)} ({own:.1f} % against {other:.1f} %)"


#: What the quick check holds the networks against: it knows nothing but the data.
RIVAL = "tvm"
#: Difference of two errors that counts, beside twice its standard error.
LEAST_DIFFERENCE = 0.03
#: From so much worse on, as a share of the other error, a volume is not to be used at all; below
#: that, the other is only preferred.
MUCH_WORSE = 0.1
#: Movement between two views that makes detail doubtful, and how many times that of total variation
#: minimisation it must be; and how many times, where the volume is not to be used.
MOVES, MOVES_MORE, MOVES_TOO_MUCH = 0.08, 1.35, 2.2
#: How many times that again where all noise was held back from the networks.
HELD_BACK = 1.0
#: Tilts fewer than this, and noise over the density of a voxel above this, are told.
FEW_TILTS, MUCH_NOISE = 25, 1.0


@dataclass(frozen=True)
class QuickCheck:
    """Whether the networks' volume may be believed, from a few slices (`iter_quick_check`).

    Attributes
    ----------
    learned : str
        The networks' method.
    noise_over_density : float
        Standard deviation of the noise of a pixel, over the density that counts as one.
    n_tilts : int
        Number of tilts.
    errors : dict of str to float
        By method, root mean square error of the images at the withheld outermost tilts, over that
        of the images themselves; of their fine detail, where the specimen leaves the field. Empty
        where there were too few tilts to withhold any.
    ratio_error : float
        Standard error of the networks' error over the other.
    movement : dict of str to float
        By method, how much the volumes of two views differ, over the volume itself.
    leaves_field : bool
        Whether matter outside the field of view is in the images, or a background (`is_background`)
        that methods without networks must explain as if it were.
    withheld_deg : tuple of float
        The withheld angles.
    noise_share : float
        Share of what TVM leaves unexplained that the networks were shown in the fill
        (`joint_model.trained_noise`), 0 to 1.
    saw_smooth : bool
        Whether the fill used the network for smooth images (`ModelInfo.choose_refinement`).
    is_background : bool
        Whether what is seen at the ends of the detector is a background that is not zero, the same
        everywhere, and no matter.
    """

    learned: str
    noise_over_density: float
    n_tilts: int
    errors: Mapping[str, float] = field(default_factory=dict)
    ratio_error: float = 0.0
    movement: Mapping[str, float] = field(default_factory=dict)
    leaves_field: bool = False
    withheld_deg: tuple[float, ...] = ()
    noise_share: float = 1.0
    saw_smooth: bool = False
    is_background: bool = False

    @property
    def verdict(self) -> str:
        """Whether the networks are "better", "equal" or "worse" here; "unknown" if unchecked."""
        if not self.errors:
            return "unknown"
        ratio = self.errors[self.learned] / max(self.errors[RIVAL], 1e-30)
        differs = abs(ratio - 1.0) >= max(LEAST_DIFFERENCE, 2.0 * self.ratio_error)
        if (differs and ratio > 1.0) or self._moves_more(MOVES_TOO_MUCH):
            return "worse"
        return "better" if differs and not self.is_doubtful else "equal"

    @property
    def is_doubtful(self) -> bool:
        """Whether the networks' volume depends on the view more than the data do."""
        return self._moves_more(MOVES_MORE)

    def _moves_more(self, times: float) -> bool:
        if self.leaves_field or not self.movement:
            return False
        own = self.movement[self.learned]
        # Noise that was held back cannot be sharpened into detail: movement means less then.
        times *= 1.0 + HELD_BACK * (1.0 - self.noise_share)
        return own > MOVES and own > times * self.movement[RIVAL]

    @property
    def recommended(self) -> str:
        """The method whose volume to believe first."""
        is_doubted = self.verdict == "worse" or (self.verdict == "equal" and self.is_doubtful)
        return RIVAL if is_doubted else self.learned

    @property
    def headline(self) -> str:
        """The verdict alone, in one sentence."""
        own, other = label_of(self.learned), label_of(RIVAL)
        if not self.errors:
            return f"{own} was not checked: {self.n_tilts} tilts are too few to withhold any."
        where = "in the fine detail of" if self.leaves_field else "at"
        how = compare_errors(self.errors, "level with")
        compared = f"{where} withheld tilts it is {how}"
        if self.verdict == "better":
            return f"Trust {own} here: {compared}."
        if self.verdict == "worse":
            return f"{self._advise_against()} here: {where} withheld tilts {own} is {how}."
        if self.is_doubtful:
            return f"Compare {own} with {other} here: {compared}."
        figures = dict.fromkeys(f"{100 * self.errors[m]:.1f} %" for m in (self.learned, RIVAL))
        errors = " against ".join(figures)
        return f"{own} and {other} are level here: {errors} {where} withheld tilts."

    @property
    def sentence(self) -> str:
        """Say in plain words whether to believe the networks' volume."""
        own, other = label_of(self.learned), label_of(RIVAL)
        if not self.errors:
            advice = f" Compare it with {other} before you believe a detail."
            return self.headline + advice + self._say_share()
        told = self._say_fine_detail(own) if self.leaves_field else self.headline
        if self.is_doubtful:
            move, steady = (100 * self.movement[name] for name in (self.learned, RIVAL))
            told += (
                f" Seen from the other side it changes by {move:.0f} %, {other} by {steady:.0f} %"
            )
            if self._moves_more(MOVES_TOO_MUCH):
                told += ": its detail is not in the data."
            else:
                told += f": believe only detail that {other} shows too."
        return told + self._say_conditions()

    def _advise_against(self) -> str:
        """Say how much is held against a volume whose verdict is "worse"."""
        own, other = label_of(self.learned), label_of(RIVAL)
        is_much = self.errors[self.learned] >= (1.0 + MUCH_WORSE) * self.errors[RIVAL]
        if is_much or self._moves_more(MOVES_TOO_MUCH):
            return f"Do not use {own}"
        return f"Prefer {other} to {own}"

    def _say_fine_detail(self, own: str) -> str:
        found, explain = "The specimen goes on outside the field of view.", "rays from there"
        if self.is_background:
            found = "The background of the images differs from what is taken for vacuum."
            explain = "it by matter"
        told = (
            f"{found} Methods without networks must explain {explain} and are no judge of {own}; "
            "in the fine detail of withheld tilts it is "
            f"{compare_errors(self.errors, 'level with')}."
        )
        return told + (f" {self._advise_against()} here." if self.verdict == "worse" else "")

    def _say_conditions(self) -> str:
        """Say what makes any volume of this series doubtful."""
        found = []
        if self.n_tilts < FEW_TILTS:
            found.append(f"there are only {self.n_tilts} tilts")
        if self.noise_over_density > MUCH_NOISE:
            found.append(
                f"the noise of a pixel is {self.noise_over_density:.1f} times the density of a "
                "voxel"
            )
        told = " and ".join(found)
        sentence = f" {told[:1].upper()}{told[1:]}." if told else ""
        if self.saw_smooth:
            learned = label_of(self.learned)
            sentence += (
                f" The images are smooth, so {learned} used the network that was trained on "
                "smooth images."
            )
        return sentence + self._say_share()

    def _say_share(self) -> str:
        """Say it where the networks were not shown all that was measured."""
        percent = round(100 * self.noise_share)
        if percent == 100:
            return ""
        return (
            " The images are noisier, or further apart, than the networks know: of what "
            f"{label_of(RIVAL)} leaves unexplained in them, {label_of(self.learned)} was shown "
            f"{percent} %."
        )

    def to_dict(self) -> dict[str, object]:
        """Plain values, for the report."""
        return asdict(self) | {
            "verdict": self.verdict,
            "recommended": self.recommended,
            "sentence": self.sentence,
        }


@dataclass(frozen=True, eq=False)
class TrustMap:
    """The last item of `iter_trust_map`.

    Attributes
    ----------
    volume : Volume
        Trust, 0 to 1, float32 (z, y, x).
    doubtful : float
        Share of the density that lies where the trust is below 0.8.
    mean : float
        Trust averaged over the density.
    views : tuple of str
        What was compared.
    gain : float
        Expected error over movement, where both are small.
    limit : float, optional
        What the expected error approaches where the movement is large; None for no limit.
    is_fitted : bool
        Whether the model brought the gain; otherwise it is that of another model.
    """

    volume: Volume
    doubtful: float
    mean: float
    views: tuple[str, ...] = ()
    gain: float = 1.0
    limit: float | None = None
    is_fitted: bool = True

    @property
    def sentence(self) -> str:
        """Say in plain words how much of the volume is in doubt."""
        share = "less than 1" if 0 < self.doubtful < 0.005 else f"{100 * self.doubtful:.0f}"
        return (
            f"Trust map: {share} % of the density lies where the trust is below {DOUBTFUL:g}; "
            f"averaged over the density it is {self.mean:.2f}."
            + ("" if self.is_fitted else UNFITTED)
        )

    def to_dict(self) -> dict[str, object]:
        """Plain values, for the report."""
        return {
            "mean": self.mean,
            "doubtful": self.doubtful,
            "doubtful_below": DOUBTFUL,
            "views": list(self.views),
            "gain": self.gain,
            "limit": self.limit,
            "gain_from": "the model" if self.is_fitted else "another model",
            "sentence": self.sentence,
        }
